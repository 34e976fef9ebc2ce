"""JSON to a service and back, with its refusals told by what is to be done about them.

Knows HTTP's words for "wait" (RFC 9110: ``Retry-After``; GitHub's ``x-ratelimit-*``), and nothing of what is asked.
Nothing of a request's headers is ever in an error.
"""

import json
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from karkhana.http.errors import HttpError
from karkhana.http.messages import Headers, Url, value_of
from karkhana.http.pool import Pool, Timeouts
from karkhana.intake.answers.channel import SETTLED, Failed, Hopeless, LockedOut, NotNow
from karkhana.intake.payload import line

LARGEST_ANSWER = 4 << 20
LONGEST_WAIT_S = 3600.0
TIMEOUTS = Timeouts(connect_s=10.0, head_s=15.0, idle_s=10.0)
_WAITING = (429, 503)


class Answered(msgspec.Struct, frozen=True):
    """What a service answered."""

    status: int
    data: Any
    headers: Headers


class Calls:
    """To one base address."""

    def __init__(
        self, pool: Pool, base: str, headers: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._pool = pool
        self._base = base.rstrip("/")
        self._headers = [(name.encode(), text.encode()) for name, text in headers.items()]
        self._clock = clock

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        authorization: str = "",
        allow: tuple[int, ...] = (),
        form: bool = False,
    ) -> Answered:
        """The answer, when it is one of success or of ``allow``. Raises :class:`Unsaid`."""
        foreign = path.startswith("http")
        address = path if foreign else f"{self._base}{path}"
        headers = [*self._headers]
        if authorization:
            headers.append((b"authorization", authorization.encode()))
        sent = None
        if body is not None:
            kind = b"application/x-www-form-urlencoded" if form else b"application/json; charset=utf-8"
            headers.append((b"content-type", kind))
            sent = urlencode(body).encode() if form else json.dumps(body).encode()
        # an address that came with a message lets in whoever knows it: errors are stored and logged
        what = f"{method} {urlsplit(address).netloc if foreign else address}"
        try:
            url = Url.parse(f"{address}?{urlencode(query)}" if query else address)
        except ValueError as error:
            raise Hopeless(f"{what}: it is no address") from error
        try:
            answer = await self._pool.send(method, url, headers, sent, timeouts=TIMEOUTS)
            content = await answer.read(LARGEST_ANSWER)
        except (HttpError, OSError) as error:
            raise Failed(f"{what}: {str(error).removeprefix(f'{url}: ')}") from error
        found = Answered(answer.status, _read(content), answer.headers)
        if 200 <= found.status < 300 or found.status in allow:
            return found
        raise self._refusal(what, found)

    def _refusal(self, what: str, found: Answered) -> Exception:
        reason = f"{what}: {found.status} {_reason(found.data)}".strip()
        wait = self._wait(found)
        if found.status in _WAITING or (found.status == 403 and wait):
            return NotNow(reason, wait or SETTLED)
        if found.status in (401, 403):
            return LockedOut(reason)
        if found.status >= 500 or found.status in (408, 409, 425):
            return Failed(reason)
        return Hopeless(reason)

    def _wait(self, found: Answered) -> float:
        later = (value_of(found.headers, b"retry-after") or b"").decode("latin-1").strip()
        wait = 0.0
        if later.isdigit() and len(later) < 9:
            wait = float(later)
        elif later:
            try:
                wait = parsedate_to_datetime(later).timestamp() - self._clock()
            except ValueError:
                wait = SETTLED
        elif value_of(found.headers, b"x-ratelimit-remaining") == b"0":
            reset = (value_of(found.headers, b"x-ratelimit-reset") or b"").decode("latin-1")
            wait = float(reset) - self._clock() if reset.isdigit() and len(reset) < 12 else SETTLED
        elif "rate limit" in _reason(found.data).casefold():
            wait = SETTLED
        return min(max(wait, 0.0), LONGEST_WAIT_S) + (1.0 if wait > 0 else 0.0)


def _read(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None


def _reason(data: Any) -> str:
    if not isinstance(data, dict):
        return ""
    return line(str(data.get("message") or data.get("error") or data.get("description") or ""), 200)
