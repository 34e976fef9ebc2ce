"""Signing in with an OpenID provider: the authorization code flow with PKCE.

The browser keeps one random seed in a cookie; the state, the nonce and PKCE's verifier are made of it, so that nothing
is kept here between the two halves of a sign-in and any process can finish it. An identity token counts when it was
signed by a key of the provider with an algorithm of :data:`ALGORITHMS`, for us, now, and for this very attempt. Knows
nothing of sessions and roles.

Sources: OpenID Connect Core 1.0 (3.1), Discovery 1.0; RFC 6749, RFC 7636 (PKCE), RFC 9207 (``iss``), RFC 9700.

>>> attempt = Attempt("seed")
>>> attempt.state != attempt.nonce != attempt.verifier, len(attempt.verifier)
(True, 43)
"""

import asyncio
import base64
import hashlib
import hmac
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.errors import KarkhanaError
from karkhana.http.errors import HttpError
from karkhana.http.messages import Url
from karkhana.http.pool import Pool, PoolSettings, Timeouts

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""With a key that only the provider has: never ``none``, and no secret that we share."""
LEEWAY_S = 30
"""Seconds by which the provider's clock may differ."""
LARGEST = 512 * 1024
"""Bytes of an answer of the provider."""
PATIENCE_S = 15.0
FRESH_S = 3600.0
"""Seconds for which the provider's description and keys are believed."""
AGAIN_S = 5.0
"""Seconds before keys are asked for again because one was not among them."""
DONE = "/signin/done"
"""The path that the provider sends browsers back to."""


class SignInFailed(KarkhanaError):
    """The provider, or what came from it, does not let somebody in."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the provider vouches for."""

    subject: str
    email: str
    """Empty unless the provider says that it was verified."""
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Attempt:
    """One sign-in of one browser."""

    seed: str

    @property
    def state(self) -> str:
        return self._made("state")

    @property
    def nonce(self) -> str:
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        return self._made("verifier")

    @property
    def challenge(self) -> str:
        """RFC 7636, section 4.2: S256."""
        return _base64(hashlib.sha256(self.verifier.encode()).digest())

    def answers(self, state: str) -> bool:
        """Whether an answer belongs to this attempt."""
        return hmac.compare_digest(self.state.encode(), state.encode("utf-8", "replace"))

    def _made(self, use: str) -> str:
        return _base64(hmac.new(self.seed.encode("utf-8", "surrogatepass"), use.encode(), hashlib.sha256).digest())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Metadata(msgspec.Struct, frozen=True):
    """What of a provider's description is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """The provider of the settings."""

    def __init__(
        self, access: AccessSettings, secret: Callable[[], str], *, clock: Callable[[], float] = time.time
    ) -> None:
        """``secret`` gives the client's secret; empty: it has none."""
        self._access = access
        self._secret = secret
        self._clock = clock
        self._lock = asyncio.Lock()
        self._metadata: tuple[float, _Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def address(self, attempt: Attempt) -> str:
        """Where the browser is sent. Raises :class:`SignInFailed` when the provider does not answer."""
        async with self._pool() as pool:
            found = await self._described(pool)
        asked = {
            "response_type": "code",
            "client_id": self._access.client_id,
            "redirect_uri": self._back,
            "scope": " ".join(self._access.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in found.authorization_endpoint else "?"
        return found.authorization_endpoint + joint + urllib.parse.urlencode(asked)

    async def identity(self, attempt: Attempt, *, code: str, issuer: str) -> Identity:
        """Who signed in. ``code`` and ``issuer`` (``iss``; may be empty) are what the browser brought back.

        Raises :class:`SignInFailed`.
        """
        async with self._pool() as pool:
            found = await self._described(pool)
            if (issuer and issuer != found.issuer) or (
                not issuer and found.authorization_response_iss_parameter_supported
            ):
                raise _refused("the answer is from another provider")
            tokens = await self._exchanged(pool, found, attempt, code)
            claims = await self._claims(pool, found, attempt, str(tokens.get("id_token", "")))
            lacks = "email" not in claims or self._access.groups_claim not in claims
            if lacks and found.userinfo_endpoint and tokens.get("access_token"):
                told = await self._userinfo(pool, found, str(tokens["access_token"]))
                # section 5.3.2: whoever is told of must be who signed in
                if told.get("sub") == claims["sub"]:
                    claims = told | claims
        return _identity(claims, self._access.groups_claim)

    @property
    def _back(self) -> str:
        return self._access.origin + DONE

    def _pool(self) -> Pool:
        timeouts = Timeouts(connect_s=PATIENCE_S / 2, head_s=PATIENCE_S, idle_s=PATIENCE_S)
        return Pool(PoolSettings.from_environment(), timeouts=timeouts)

    async def _described(self, pool: Pool) -> _Metadata:
        async with self._lock:
            known = self._metadata
            if known is None or self._clock() - known[0] > FRESH_S:
                told = await self._asked(
                    pool, "GET", f"{self._access.issuer.rstrip('/')}/.well-known/openid-configuration"
                )
                try:
                    found = msgspec.convert(told, _Metadata)
                except msgspec.ValidationError as error:
                    raise _refused("the provider's description is not complete") from error
                if found.issuer != self._access.issuer:
                    raise _refused("the provider calls itself something else than the issuer of the settings")
                known = self._metadata = (self._clock(), found)
            return known[1]

    async def _exchanged(self, pool: Pool, found: _Metadata, attempt: Attempt, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "client_id": self._access.client_id,
            "code_verifier": attempt.verifier,
        }
        headers = [(b"content-type", b"application/x-www-form-urlencoded")]
        secret = await asyncio.to_thread(self._secret)
        if secret and "client_secret_basic" in found.token_endpoint_auth_methods_supported:
            pair = ":".join(urllib.parse.quote(each, safe="") for each in (self._access.client_id, secret))
            headers.append((b"authorization", b"Basic " + base64.b64encode(pair.encode())))
        elif secret:
            form["client_secret"] = secret
        return await self._asked(
            pool, "POST", found.token_endpoint, headers, urllib.parse.urlencode(form).encode("utf-8", "replace")
        )

    async def _userinfo(self, pool: Pool, found: _Metadata, access_token: str) -> dict[str, Any]:
        authorization = b"Bearer " + access_token.encode("ascii", "replace")
        return await self._asked(pool, "GET", found.userinfo_endpoint, [(b"authorization", authorization)])

    async def _claims(self, pool: Pool, found: _Metadata, attempt: Attempt, token: str) -> dict[str, Any]:
        # 0.2 s, which only a server that lets a team in pays
        from joserfc import errors, jwt

        for newer in (False, True):
            keys = await self._key_set(pool, found, newer=newer)
            try:
                claims = jwt.decode(token, keys, list(ALGORITHMS)).claims
                break
            except (errors.InvalidKeyIdError, errors.BadSignatureError) as error:
                # the provider may have new keys since we asked
                if newer:
                    raise _refused("the identity token was not signed by the provider") from error
            except (errors.JoseError, ValueError) as error:
                raise _refused("the identity token cannot be read") from error
        self._check(claims, found.issuer, attempt)
        return claims

    def _check(self, claims: dict[str, Any], issuer: str, attempt: Attempt) -> None:
        """OpenID Connect Core, section 3.1.3.7."""
        from joserfc import errors, jwt  # as above

        client = self._access.client_id
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": attempt.nonce},
        )
        try:
            registry.validate(claims)
        except errors.JoseError as error:
            raise _refused(f"the identity token is not for this sign-in: {error.error}") from error
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if claims.get("azp", None if several else client) != client:
            raise _refused("the identity token was made for another client")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255 or isinstance(claims["nonce"], list):
            raise _refused("the identity token names nobody")

    async def _key_set(self, pool: Pool, found: _Metadata, *, newer: bool) -> "KeySet":
        from joserfc import errors, jwk  # as above

        async with self._lock:
            known, now = self._keys, self._clock()
            if known is None or now - known[0] > (AGAIN_S if newer else FRESH_S):
                told = await self._asked(pool, "GET", found.jwks_uri)
                try:
                    # no shared secrets, which could sign for the provider
                    public = [key for key in told["keys"] if key.get("kty") != "oct" and key.get("use", "sig") == "sig"]
                    known = self._keys = (now, jwk.KeySet.import_key_set({"keys": public}))
                except (errors.JoseError, KeyError, TypeError, AttributeError, ValueError) as error:
                    raise _refused("the provider's keys cannot be read") from error
            return known[1]

    async def _asked(
        self, pool: Pool, method: str, address: str, headers: list[tuple[bytes, bytes]] | None = None, body: bytes = b""
    ) -> dict[str, Any]:
        if not address.startswith("https://") and not self._access.issuer.startswith("http://"):
            raise _refused("the provider names an address without TLS")
        try:
            async with asyncio.timeout(PATIENCE_S):
                sent = [(b"accept", b"application/json"), *(headers or [])]
                answer = await pool.send(method, Url.parse(address), sent, body or None)
                content = await answer.read(LARGEST)
        except (HttpError, ValueError, TimeoutError) as error:
            raise _refused("the provider does not answer") from error
        if answer.status != 200:
            raise _refused(f"the provider refused it ({answer.status})")
        try:
            told = msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise _refused("the provider's answer is no JSON") from error
        if not isinstance(told, dict):
            raise _refused("the provider's answer is no JSON object")
        return told


def _identity(claims: dict[str, Any], groups_claim: str) -> Identity:
    email, groups = claims.get("email"), claims.get(groups_claim, [])
    # some providers send it as text; whatever is not plainly true is not verified
    stated = claims.get("email_verified")
    verified = stated is True or stated == "true"
    named = groups if isinstance(groups, list) else [groups]
    return Identity(
        subject=claims["sub"],
        email=email if verified and isinstance(email, str) and "@" in email and len(email) <= 320 else "",
        groups=tuple(dict.fromkeys(group for group in named if isinstance(group, str)))[:500],
    )


def _refused(why: str) -> SignInFailed:
    return SignInFailed(why, "Sign in again; if that does not help, tell whoever runs this server.")
