"""Who is let in: one person, whose account on this machine started the server, by a link that works once.

Tokens and sessions are kept as hashes, in memory only: whoever restarts the server ends all sessions. Knows nothing
of HTTP.

>>> clock = iter(range(100)).__next__
>>> doors = Doors("asha", clock)
>>> token = doors.link()
>>> session_id = doors.enter(token)
>>> doors.session(session_id).account, doors.enter(token)
('asha', None)
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Lock

from karkhana.storage.session_store import hashed

LINK_S = 600.0
"""Seconds for which a link works."""
IDLE_S = 12 * 3600.0
"""Seconds after which an unused session ends."""
LONGEST_S = 7 * 86400.0
"""Seconds after which every session ends."""
LINKS = 8
SESSIONS = 64
TRIES = 10
"""Wrong links in :data:`TRIES_S`; as many demands for a new one, which wrong ones of another site do not use up."""
TRIES_S = 60.0


@dataclass
class Session:
    """Somebody who is in."""

    account: str
    """Of the operating system."""
    began: float
    seen: float
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def form_token(self) -> str:
        """What every form carries, so that no other site can send one."""
        return hmac.new(self.secret, b"form", hashlib.sha256).hexdigest()

    def sent(self, token: str) -> bool:
        """Whether a form with this token came from a page of this session."""
        return hmac.compare_digest(self.form_token.encode(), token.encode("utf-8", "replace"))


class Doors:
    """Links and sessions. Thread-safe."""

    def __init__(self, account: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._clock = clock
        self._lock = Lock()
        self._links: OrderedDict[str, float] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._tries: deque[float] = deque(maxlen=TRIES)
        self._demands: deque[float] = deque(maxlen=TRIES)

    def link(self) -> str:
        """A new token; the oldest of too many is forgotten."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._links[hashed(token)] = self._clock() + LINK_S
            while len(self._links) > LINKS:
                self._links.popitem(last=False)
        return token

    def enter(self, token: str) -> str | None:
        """The identifier of a new session; ``None`` when the token is unknown, used or too old."""
        now = self._clock()
        with self._lock:
            until = self._links.pop(hashed(token), None)
            if until is None or until < now:
                return None
            session_id = secrets.token_urlsafe(32)
            self._sessions[hashed(session_id)] = Session(self._account, began=now, seen=now)
            while len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
        return session_id

    def session(self, session_id: str) -> Session | None:
        """The session, which counts as used now; ``None`` when there is none, or it is over."""
        now = self._clock()
        with self._lock:
            found = self._sessions.get(hashed(session_id))
            if found is None:
                return None
            if now - found.seen > IDLE_S or now - found.began > LONGEST_S:
                del self._sessions[hashed(session_id)]
                return None
            found.seen = now
        return found

    def leave(self, session_id: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(hashed(session_id), None)

    def open(self) -> dict[str, tuple[float, float]]:
        """All sessions by their hash, the newest first: seconds since each began, and until it ends if unused."""
        now = self._clock()
        with self._lock:
            found = {
                key: (now - each.began, min(each.seen + IDLE_S, each.began + LONGEST_S) - now)
                for key, each in reversed(self._sessions.items())
            }
        return {key: each for key, each in found.items() if each[1] >= 0}

    def end(self, hashes: Collection[str]) -> int:
        """End those; how many there were."""
        with self._lock:
            return sum(self._sessions.pop(key, None) is not None for key in hashes)

    def may_try(self) -> bool:
        """Counts an attempt to get in; whether there were not too many lately."""
        return self._counted(self._tries)

    def may_demand(self) -> bool:
        """The same of demands for a new link."""
        return self._counted(self._demands)

    def _counted(self, lately: deque[float]) -> bool:
        now = self._clock()
        with self._lock:
            full = len(lately) == TRIES and now - lately[0] < TRIES_S
            if not full:
                lately.append(now)
        return not full
