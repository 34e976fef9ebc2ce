"""API tokens: stored with the hash of their secret, never with the secret. Knows nothing of how one is shown."""

import hashlib
import secrets as random
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.access import Role
from karkhana.domain.access_tokens import AccessToken, new_secret, well_formed
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import canonical
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import access_tokens

SELDOM_S = 60.0
"""Seconds after which it is written again that a token was used."""


class TokenStore:
    """All API tokens of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        name: str,
        roles: Mapping[str, Role],
        *,
        seconds: float,
        owner: str,
        connection: sa.Connection | None = None,
    ) -> tuple[AccessToken, str]:
        """A new token and its secret, which is told here and never again. Raises ``InvalidInput``."""
        now = self._clock().timestamp()
        try:
            token = AccessToken(
                token_id=f"tok-{random.token_hex(6)}",
                name=name,
                owner=owner,
                roles=roles,
                created_at=now,
                expires_at=now + seconds,
            )
        except ValueError as error:
            raise InvalidInput(str(error), "for example: --role operator --product shop --expires 90d") from error
        secret = new_secret()
        values = msgspec.structs.asdict(token) | {"roles": canonical(token.roles).decode()}
        with self._database.joining(connection) as joined:
            joined.execute(sa.insert(access_tokens).values(secret_sha256=_hashed(secret), **values))
        return token, secret

    def opened_by(self, secret: str) -> AccessToken | None:
        """The token that a secret opens now; ``None`` when there is none, or it is over. Counts as a use."""
        if not well_formed(secret):
            return None
        now = self._clock().timestamp()
        query = sa.select(access_tokens).where(access_tokens.c.secret_sha256 == _hashed(secret))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        token = None if row is None else _token(row)
        if token is None or not token.live(now):
            return None
        if token.used_at is None or now - token.used_at >= SELDOM_S:
            with self._database.writing() as connection:
                used = sa.update(access_tokens).where(access_tokens.c.token_id == token.token_id)
                connection.execute(used.values(used_at=now))
        return token

    def lives(self, token_id: str) -> bool:
        """Whether a token still opens anything."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(access_tokens).where(access_tokens.c.token_id == token_id)).one_or_none()
        return row is not None and _token(row).live(self._clock().timestamp())

    def all(self) -> list[AccessToken]:
        """The newest first, also those that are over."""
        query = sa.select(access_tokens).order_by(access_tokens.c.created_at.desc(), access_tokens.c.token_id)
        with self._database.reading() as connection:
            return [_token(row) for row in connection.execute(query)]

    def get(self, token_id: str) -> AccessToken:
        """Raises ``InvalidInput`` when there is no such token."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(access_tokens).where(access_tokens.c.token_id == token_id)).one_or_none()
        if row is None:
            raise _unknown(token_id)
        return _token(row)

    def revoke(self, token_id: str, connection: sa.Connection | None = None) -> AccessToken:
        """End a token at once; again is no harm. Raises ``InvalidInput`` when there is no such token."""
        named = access_tokens.c.token_id == token_id
        now = self._clock().timestamp()
        with self._database.joining(connection) as joined:
            joined.execute(
                sa.update(access_tokens).where(named, access_tokens.c.revoked_at.is_(None)).values(revoked_at=now)
            )
            row = joined.execute(sa.select(access_tokens).where(named)).one_or_none()
        if row is None:
            raise _unknown(token_id)
        return _token(row)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: sa.Row[Any]) -> AccessToken:
    fields = {name: getattr(row, name) for name in AccessToken.__struct_fields__}
    return AccessToken(**{**fields, "roles": msgspec.json.decode(row.roles, type=dict[str, Role])})


def _unknown(token_id: str) -> InvalidInput:
    return InvalidInput(f"there is no token {token_id}", "see them: karkhana tokens list")
