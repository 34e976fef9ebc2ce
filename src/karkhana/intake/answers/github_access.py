"""What lets us in at GitHub: a token as it is, or an App's key, for which a short-lived token is asked per repository.

Source: GitHub, "Authenticating as a GitHub App installation"; the JWT is RS256 (RFC 7519) and holds for nine minutes.
Knows nothing of what is asked with it.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from karkhana.intake.answers.calling import Calls
from karkhana.intake.answers.channel import Failed, LockedOut

Secret = Callable[[], str]
"""The secret, read when it is needed. Raises ``LockedOut``."""
AHEAD_S = 300.0
"""Seconds before its end at which a token is not used any more."""
HOLDS_S = 540
"""Seconds for which a JWT holds; GitHub takes ten minutes at most."""
SKEW_S = 60
"""Seconds by which their clock may be behind ours."""


class Access(Protocol):
    """Whoever may ask."""

    checks: bool
    """Whether it may write check runs, which Apps alone may."""

    async def authorization(self, repository: str) -> str:
        """The header's value. Raises :class:`~karkhana.intake.answers.channel.Unsaid`."""

    def forget(self, repository: str) -> None:
        """What it had does not count any more."""


class Token:
    """A fine-grained personal access token."""

    checks = False

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def authorization(self, repository: str) -> str:
        del repository
        return f"Bearer {self._secret()}"

    def forget(self, repository: str) -> None:
        """It is read again anyway."""


class App:
    """An App, by its client id and its private key."""

    checks = True

    def __init__(self, app: str, key: Secret, calls: Calls, clock: Callable[[], float] = time.time) -> None:
        self._app = app
        self._key = key
        self._calls = calls
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}

    async def authorization(self, repository: str) -> str:
        held = self._tokens.get(repository)
        if held is None or self._clock() >= held[1] - AHEAD_S:
            held = self._tokens[repository] = await self._token(repository)
        return f"Bearer {held[0]}"

    def forget(self, repository: str) -> None:
        self._tokens.pop(repository, None)

    async def _token(self, repository: str) -> tuple[str, float]:
        signed = f"Bearer {self.signed()}"
        found = await self._calls.call("GET", f"/repos/{repository}/installation", authorization=signed, allow=(404,))
        if found.status == 404:
            raise LockedOut(f"the App is not installed for {repository}")
        made = await self._calls.call(
            "POST",
            f"/app/installations/{int(found.data['id'])}/access_tokens",
            # the token is worth nothing for another repository
            {"repositories": [repository.partition("/")[2]]},
            authorization=signed,
        )
        try:
            return made.data["token"], datetime.fromisoformat(made.data["expires_at"]).timestamp()
        except (KeyError, TypeError, ValueError) as error:
            raise Failed("GitHub gave no token that can be read") from error

    def signed(self) -> str:
        """The JWT that the App shows to get a token."""
        # it brings cryptography along, which tokens and other doors never need
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import RSAKey

        now = int(self._clock())
        claims = {"iat": now - SKEW_S, "exp": now + HOLDS_S, "iss": self._app}
        try:
            return jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, RSAKey.import_key(self._key()))
        except (ValueError, TypeError, JoseError) as error:
            raise LockedOut("the App's private key cannot be read; it is a PEM file from the App's settings") from error
