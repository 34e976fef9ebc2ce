"""Who of a team is signed in: kept with the hash of the session's identifier, for every process that serves.

What somebody may is not kept: only who they are and which groups the provider said they are in, so that a change of
roles counts with the next request. Knows nothing of roles or of how somebody signed in.
"""

import hashlib
import secrets
from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.json import canonical
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.tables import team_sessions


class TeamSession(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in."""

    subject: str
    """The provider's own name for them."""
    email: str
    """Verified by the provider; empty: it vouches for none."""
    groups: tuple[str, ...]
    began_at: float
    until: float
    """Seconds since the epoch."""


class SessionStore:
    """All sessions of a database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def begin(self, subject: str, email: str, groups: tuple[str, ...], seconds: float) -> str:
        """The identifier of a new session; sessions that are over are forgotten."""
        now = self._clock().timestamp()
        session_id = secrets.token_urlsafe(32)
        values = {
            "session_sha256": hashed(session_id),
            "subject": subject,
            "email": email,
            "groups": canonical(groups).decode(),
            "began_at": now,
            "until": now + seconds,
        }
        with self._database.writing() as connection:
            connection.execute(sa.delete(team_sessions).where(team_sessions.c.until <= now))
            connection.execute(sa.insert(team_sessions).values(values))
        return session_id

    def find(self, session_id: str) -> TeamSession | None:
        """``None`` when there is no such session, or it is over."""
        query = sa.select(team_sessions).where(team_sessions.c.session_sha256 == hashed(session_id))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.until <= self._clock().timestamp():
            return None
        return _session(row)

    def of(self, subject: str) -> dict[str, TeamSession]:
        """Somebody's sessions that are not over, by their hash, the newest first."""
        theirs = sa.select(team_sessions).where(
            team_sessions.c.subject == subject, team_sessions.c.until > self._clock().timestamp()
        )
        with self._database.reading() as connection:
            rows = connection.execute(theirs.order_by(team_sessions.c.began_at.desc())).all()
        return {row.session_sha256: _session(row) for row in rows}

    def end(self, session_id: str) -> None:
        """Forget a session."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(team_sessions).where(team_sessions.c.session_sha256 == hashed(session_id)))

    def end_all(
        self, subject: str, hashes: Collection[str] | None = None, connection: sa.Connection | None = None
    ) -> int:
        """Forget all sessions of somebody, or those of them with these ``hashes``; how many there were."""
        theirs = sa.delete(team_sessions).where(team_sessions.c.subject == subject)
        if hashes is not None:
            theirs = theirs.where(team_sessions.c.session_sha256.in_(hashes))
        with self._database.joining(connection) as joined:
            return joined.execute(theirs).rowcount


def _session(row: sa.Row[Any]) -> TeamSession:
    return TeamSession(
        subject=row.subject,
        email=row.email,
        groups=msgspec.json.decode(row.groups, type=tuple[str, ...]),
        began_at=row.began_at,
        until=row.until,
    )


def hashed(session_id: str) -> str:
    """As a session stands in the database, in hexadecimal."""
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
