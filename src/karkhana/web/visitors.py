"""Who comes with a session's cookie or a token: one person on this machine, or the people of a team.

What somebody of a team may is looked up at each request: in the settings as their file says now, and in the groups
that the provider named when they signed in. Knows nothing of HTTP.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

import msgspec
import sqlalchemy as sa
import structlog

from karkhana.domain.access import Principal, single_user
from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.errors import ConfigurationError
from karkhana.storage.session_store import SessionStore, TeamSession, hashed
from karkhana.storage.token_store import TokenStore
from karkhana.web.access import Doors

_log = structlog.get_logger(__name__)
HANDLE = 16
"""Letters of a session's hash that it is told apart by."""
STILL_S = 1.0
"""Seconds for which it is believed that a stream's session goes on."""


@dataclass(frozen=True)
class Visitor:
    """Somebody with a session."""

    principal: Principal
    form_token: str
    """What every form carries, so that no other site can send one."""

    def sent(self, token: str) -> bool:
        """Whether a form with this token came from a page of this session."""
        return hmac.compare_digest(self.form_token.encode(), token.encode("utf-8", "replace"))


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """One of somebody's own, as they are told of it."""

    handle: str
    """Opens nothing."""
    began_at: float
    until: float
    """Seconds since the epoch; of one person's server if it is not used before."""
    this: bool
    """The one that asks."""


class Visitors(Protocol):
    """Finds people by their session."""

    def find(self, session_id: str) -> Visitor | None:
        """``None``: there is no such session, or they may nothing any more."""

    def leave(self, session_id: str) -> None:
        """End a session."""

    def sessions(self, session_id: str) -> list[OpenSession]:
        """All of whom a session is of, the newest first."""

    def end_others(self, session_id: str, handle: str, connection: sa.Connection) -> int:
        """End another one of theirs, or with an empty ``handle`` all others; how many there were."""


class OnePerson:
    """Whoever started the server on this machine."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def find(self, session_id: str) -> Visitor | None:
        session = self._doors.session(session_id)
        return None if session is None else Visitor(single_user(session.account), session.form_token)

    def leave(self, session_id: str) -> None:
        self._doors.leave(session_id)

    def sessions(self, session_id: str) -> list[OpenSession]:
        now = time.time()
        found = {key: (now - age, now + left) for key, (age, left) in self._doors.open().items()}
        return _told(found, session_id)

    def end_others(self, session_id: str, handle: str, connection: sa.Connection) -> int:
        return self._doors.end(_others(self._doors.open(), session_id, handle))


class Roster:
    """Who may what, as the user's file says now; what cannot be read leaves it as it was."""

    def __init__(self, first: AccessSettings, file: Path | None, read: Callable[[], AccessSettings]) -> None:
        self._current = first
        self._file = file
        self._read = read
        self._lock = Lock()
        self._stamp = self._look()

    def current(self) -> AccessSettings:
        """The people, groups and permissions of this moment; the rest is as it was at the start."""
        stamp = self._look()
        with self._lock:
            if stamp != self._stamp:
                self._stamp = stamp
                self._take()
            return self._current

    def _take(self) -> None:
        try:
            found = self._read()
        except ConfigurationError as error:
            _log.error("access.unreadable", message=error.message)
            return
        self._current = msgspec.structs.replace(
            self._current, people=found.people, groups=found.groups, token_approvals=found.token_approvals
        )

    def _look(self) -> tuple[int, int, int]:
        if self._file is None:
            return (0, 0, 0)
        try:
            found = self._file.stat()
        except OSError:
            return (0, 0, 0)
        return found.st_mtime_ns, found.st_size, found.st_ino


class Team:
    """People who signed in, in whichever process."""

    def __init__(self, sessions: SessionStore, roster: Roster) -> None:
        self._sessions = sessions
        self._roster = roster

    def find(self, session_id: str) -> Visitor | None:
        if not session_id:
            return None
        session = self._sessions.find(session_id)
        if session is None:
            return None
        principal = self.principal(session.subject, session.email, session.groups)
        return None if principal is None else Visitor(principal, _form_token(session_id))

    def principal(self, subject: str, email: str, groups: tuple[str, ...]) -> Principal | None:
        """Somebody with what they may now; ``None``: nothing."""
        access = self._roster.current()
        roles = access.roles(subject, email, groups)
        return Principal(name=access.name(subject, email), roles=roles, via="session") if roles else None

    def enter(self, subject: str, email: str, groups: tuple[str, ...]) -> str:
        """The identifier of a new session."""
        return self._sessions.begin(subject, email, groups, self._roster.current().session_hours * 3600)

    def leave(self, session_id: str) -> None:
        self._sessions.end(session_id)

    def sessions(self, session_id: str) -> list[OpenSession]:
        return _told({key: (each.began_at, each.until) for key, each in self._theirs(session_id).items()}, session_id)

    def end_others(self, session_id: str, handle: str, connection: sa.Connection) -> int:
        theirs = self._theirs(session_id)
        others = _others(theirs, session_id, handle)
        return self._sessions.end_all(theirs[others[0]].subject, others, connection) if others else 0

    def _theirs(self, session_id: str) -> dict[str, TeamSession]:
        own = self._sessions.find(session_id)
        return {} if own is None else self._sessions.of(own.subject)


def _told(found: Mapping[str, tuple[float, float]], session_id: str) -> list[OpenSession]:
    own = hashed(session_id)
    return [
        OpenSession(handle=key[:HANDLE], began_at=began, until=until, this=key == own)
        for key, (began, until) in found.items()
    ]


def _others(hashes: Iterable[str], session_id: str, handle: str) -> list[str]:
    own = hashed(session_id)
    return [key for key in hashes if key != own and handle in ("", key[:HANDLE])]


def _form_token(session_id: str) -> str:
    # whoever has the database has the session's hash, and can make no form of it
    return hmac.new(session_id.encode("utf-8", "surrogatepass"), b"form", hashlib.sha256).hexdigest()


class Standing:
    """Whether those whose streams are open are still let in; asked often, looked up seldom. Thread-safe."""

    def __init__(self, visitors: Visitors, tokens: TokenStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._visitors = visitors
        self._tokens = tokens
        self._clock = clock
        self._lock = Lock()
        self._known: dict[tuple[str, str], tuple[float, Principal | None]] = {}

    def known(self, principal: Principal, session_id: str) -> bool | None:
        """Whether a principal may go on as they began; ``None``: it has to be looked up."""
        with self._lock:
            found = self._known.get((session_id, principal.token_id))
        if found is None or self._clock() - found[0] > STILL_S:
            return None
        return found[1] is not None and found[1].roles == principal.roles

    def holds(self, principal: Principal, session_id: str) -> bool:
        """The same, looked up where that is needed, which may ask the database."""
        known = self.known(principal, session_id)
        if known is not None:
            return known
        now, found = self._clock(), self._found(principal, session_id)
        with self._lock:
            fresh = {key: each for key, each in self._known.items() if now - each[0] <= STILL_S}
            self._known = fresh | {(session_id, principal.token_id): (now, found)}
        return found is not None and found.roles == principal.roles

    def _found(self, principal: Principal, session_id: str) -> Principal | None:
        if principal.token_id:
            return principal if self._tokens.lives(principal.token_id) else None
        visitor = self._visitors.find(session_id)
        return None if visitor is None else visitor.principal
