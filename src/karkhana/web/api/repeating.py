"""The header ``Idempotency-Key``: a request that is sent again is answered as it was, and not carried out again.

Source: draft-ietf-httpapi-idempotency-key-header. A key belongs to whoever asks. The same key with another request is
refused with 422, and while the first one is still carried out with 409. A request that came to nothing (a problem)
leaves its key free. A secret that was shown once is not kept: who asks again is told that it was done. Knows nothing of
what requests do.
"""

import hashlib
import re
from collections.abc import Callable
from typing import TypeAlias

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from karkhana.factory.stores import Stores
from karkhana.storage.answer_store import AnswerStore
from karkhana.web.api.contract import Call, Operation
from karkhana.web.api.problems import MEDIA, Refusal, made

HEADER = "idempotency-key"
FORM = r"[A-Za-z0-9_.:-]{8,128}"
REPLAYED = "idempotency-replayed"
_KEPT = ("content-type", "location", "etag")


Keep: TypeAlias = Callable[[Response, sa.Connection | None], None]
"""Keeps an answer, in the transaction of the work where there is one."""
Finish: TypeAlias = Callable[[Keep | None], Response]


class _Answer(msgspec.Struct, frozen=True):
    """An answer as it is kept."""

    status: int
    headers: dict[str, str]
    body: bytes


def read_key(request: Request, operation: Operation) -> str:
    """The key of a POST; empty: there is none. Raises :class:`Refusal` for one that cannot be."""
    key = request.headers.get(HEADER, "")
    if operation.method != "POST" or HEADER not in request.headers:
        return ""
    if not re.fullmatch(FORM, key):
        raise Refusal(400, "malformed_key", f"An Idempotency-Key is written {FORM}.", "A UUID will do.")
    return key


class Repeats:
    """What is remembered of requests with a key."""

    def __init__(self, stores: Stores) -> None:
        self._store = AnswerStore(stores.database)

    def once(self, operation: Operation, call: Call, key: str, data: bytes, work: Callable[[], Finish]) -> Response:
        """Carry ``work`` out unless that was done, and give its answer."""
        who = f"{call.principal.via}:{call.principal.token_id or call.principal.name}"
        asked = [operation.name, *call.path.values(), call.headers.get("if-match", "")]
        request = hashlib.sha256("\0".join(asked).encode() + b"\0" + data).hexdigest()
        known = self._store.begin(who, key, request)
        if known.other:
            raise Refusal(422, "key_reused", "This Idempotency-Key was sent with another request.", "Take a new key.")
        if known.answer is not None:
            kept = msgspec.msgpack.decode(known.answer, type=_Answer)
            return Response(kept.body, kept.status, {**kept.headers, REPLAYED: "true"})
        if not known.mine:
            raise _running()

        def keep(answer: Response, connection: sa.Connection | None) -> None:
            headers = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
            kept = _Answer(answer.status_code, headers, bytes(answer.body))
            if operation.secret:
                told = made(
                    409, "done_before", "It was done, and its secret was shown then.", "Remove it and make a new one."
                )
                kept = _Answer(409, {"content-type": MEDIA}, msgspec.json.encode(told))
            mine = self._store.keep(who, key, known.begun_at, msgspec.msgpack.encode(kept), connection)
            if not mine and connection is not None:
                # nothing of this one is written: whoever has the key now carries it out
                raise _running()

        try:
            return work()(keep)
        except BaseException:
            # also when this thread is ended from outside: what was not finished may be asked for again
            self._store.give_up(who, key, known.begun_at)
            raise


def _running() -> Refusal:
    told = "The first request with this key is not done yet."
    return Refusal(409, "still_running", told, headers={"retry-after": "2"})
