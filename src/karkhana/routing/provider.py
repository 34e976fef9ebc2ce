"""Asks one provider, over one wire, with one key. Knows nothing of other providers, retries or money.

Whatever goes wrong is a :class:`karkhana.routing.faults.ProviderFault`; a key never stands in its message.

>>> # async with Pool() as pool:
>>> #     provider = Provider("local", WIRES["openai"], "http://127.0.0.1:8080/v1", (), pool)
>>> #     answer = await provider.ask(request, deadline_s=60)
"""

import asyncio
import time
from collections.abc import Sequence

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest, Message, Role, Text, deltas_of
from karkhana.domain.errors import InvalidSetting
from karkhana.http.connection import Answer
from karkhana.http.errors import HttpError
from karkhana.http.messages import Headers, Url, value_of
from karkhana.http.pool import Pool, Timeouts
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider_faults import CannotSay, broken, cleaned, fault_of
from karkhana.routing.provider_pieces import Pieces
from karkhana.routing.provider_streams import NONSENSE, DeltaStream, Passage
from karkhana.routing.wires.metering import Meter
from karkhana.routing.wires.wire import BadRequest, Call, Json, Wire

LARGEST_ANSWER = 64 << 20
"""Bytes of an answer, streamed or whole."""
LARGEST_REFUSAL = 64 << 10
"""Bytes of an answer with an error status that are looked at."""
MANY = 1024
"""Models whose paths and headers are remembered."""
CONNECT_S = 10.0
IDLE_S = 120.0
"""Seconds between two pieces of an answer."""
_JSON = msgspec.json.Decoder(msgspec.Raw)
_ANYTHING = (Message(role=Role.USER, parts=(Text(text="."),)),)


class Key:
    """A provider's secret. Shown as its place in the configuration, ``1`` for the first."""

    __slots__ = ("label", "secret")

    def __init__(self, secret: str, label: str) -> None:
        self.secret = secret
        self.label = label

    def __repr__(self) -> str:
        return f"Key({self.label})"


NO_KEY = Key("", "0")
"""For servers that ask for none."""


class Provider:
    """A server that answers for models, and the keys it takes."""

    def __init__(
        self,
        name: str,
        wire: Wire,
        base_url: str,
        keys: Sequence[str],
        pool: Pool,
        *,
        idle_s: float = IDLE_S,
        largest: int = LARGEST_ANSWER,
    ) -> None:
        """``idle_s``: seconds between two pieces of an answer; ``largest``: bytes of one. Raises ``InvalidSetting``."""
        for number, secret in enumerate(keys, 1):
            if not secret or any(not "!" <= sign <= "~" for sign in secret):
                raise InvalidSetting(
                    f"key {number} of the provider {name} is empty or holds characters that no header can carry",
                    "Set the environment variable again, without spaces and line breaks.",
                )
        self.name = name
        self.wire = wire
        self.keys = tuple(Key(secret, str(number)) for number, secret in enumerate(keys, 1)) or (NO_KEY,)
        self._base = base_url.rstrip("/")
        self._pool = pool
        self._idle_s = idle_s
        self._largest = largest
        self._calls: dict[tuple[str, str, bool], tuple[Call, frozenset[bytes]]] = {}

    async def ask(
        self, request: ChatRequest, *, deadline_s: float, key: Key | None = None, headers: Headers = ()
    ) -> ChatAnswer:
        """The whole answer, within ``deadline_s`` seconds; ``headers`` are sent too. Raises ``ProviderFault``."""
        chosen = key or self.keys[0]
        call = extended(self._call(msgspec.structs.replace(request, stream=False), chosen), headers)
        body = await self._whole(call, encoded(call.body), chosen, deadline_s)
        return self._read(json_object(body), chosen)

    async def stream(
        self, request: ChatRequest, *, deadline_s: float, key: Key | None = None, headers: Headers = ()
    ) -> DeltaStream:
        """The answer as it comes; its head has come. Must be read to its end or closed. Raises ``ProviderFault``."""
        chosen = key or self.keys[0]
        end = asyncio.get_running_loop().time() + deadline_s
        call = extended(self._call(msgspec.structs.replace(request, stream=True, stream_usage=True), chosen), headers)
        answer = await self._send(call, encoded(call.body), chosen, deadline_s)
        kind = (value_of(answer.headers, b"content-type") or b"").lower()
        if b"html" in kind:
            answer.close()
            raise broken(f"the answer is {kind.decode('latin-1')}, not a stream")
        if kind.startswith(b"application/json"):
            # Some compatible servers do not stream, though they were asked to.
            body = await self._rest(answer, chosen, end)
            return DeltaStream.of(deltas_of(self._read(json_object(body), chosen)), self.wire)
        return DeltaStream(Pieces(answer, chosen.secret, end, self._largest), self.wire, chosen.secret)

    async def pass_on(
        self,
        model: str,
        body: bytes,
        *,
        stream: bool,
        meter: Meter,
        deadline_s: float,
        headers: Headers = (),
        key: Key | None = None,
    ) -> Passage:
        """Send a body as it is to the place where ``model`` is asked, and give the answer back unread.

        ``headers`` are the client's own, without its key; those of the wire come first. ``meter`` reads the usage on
        the way. A whole answer has come to its end and is JSON; a stream's head has come. Raises ``ProviderFault``.
        """
        chosen = key or self.keys[0]
        began = time.monotonic()
        place, said = self._place(model, stream, chosen)
        answer = await self._send(extended(place, headers, said), body, chosen, deadline_s)
        if not stream:
            whole = answer.taken(self._largest)
            if whole is None:
                whole = await self._rest(answer, chosen, _end(began, deadline_s))
            # What the meter can read is JSON; for the rest another look is needed.
            if not meter.whole(whole):
                _must_be_json(whole)
            return Passage(answer.headers, whole, meter, self.wire)
        if b"html" in (value_of(answer.headers, b"content-type") or b"").lower():
            answer.close()
            raise broken("the answer is a web page, not a stream")
        pieces = Pieces(answer, chosen.secret, _end(began, deadline_s), self._largest)
        return Passage(answer.headers, pieces, meter, self.wire, chosen.secret)

    async def ask_beside(self, model: str, path: str, body: bytes, deadline_s: float, headers: Headers = ()) -> bytes:
        """The answer to a request beside the place where ``model`` is asked (``path`` is added to its own), which
        costs nothing. ``headers`` are as for :meth:`pass_on`. Raises ``ProviderFault``.
        """
        chosen = self.keys[0]
        place, said = self._place(model, False, chosen)
        call = extended(place._replace(path=place.path + path), headers, said)
        return await self._whole(call, body, chosen, deadline_s)

    # -- the exchange

    def _call(self, request: ChatRequest, key: Key) -> Call:
        try:
            return self.wire.client.call(request, key.secret)
        except BadRequest as error:
            raise CannotSay(f"the wire {self.wire.name} cannot say this: {error.message}") from error

    def _place(self, model: str, stream: bool, key: Key) -> tuple[Call, frozenset[bytes]]:
        """Path and headers, which a wire tells only with a whole request, and the names of the headers."""
        found = self._calls.get((model, key.label, stream))
        if found is None:
            request = ChatRequest(model=model, messages=_ANYTHING, max_tokens=1, stream=stream)
            call = self._call(request, key)._replace(body={})
            if len(self._calls) >= MANY:
                # Names that clients made up; the others are soon there again.
                self._calls.clear()
            found = self._calls[model, key.label, stream] = (call, names_of(call.headers))
        return found

    async def _send(self, call: Call, body: bytes, key: Key, deadline_s: float) -> Answer:
        """The answer's head, which says that all is well."""
        idle_s = self._idle_s
        if deadline_s < idle_s:
            idle_s = max(deadline_s, 0.001)
        connect_s = CONNECT_S if deadline_s > CONNECT_S else deadline_s
        limits = Timeouts(connect_s=connect_s, head_s=deadline_s, idle_s=idle_s)
        try:
            answer = await self._pool.send(
                "POST", Url.parse(self._base + call.path), call.headers, body, timeouts=limits
            )
        except HttpError as error:
            raise cleaned(fault_of(error), key.secret) from error
        except ValueError as error:
            raise CannotSay(
                "the request cannot be written: its path or a header holds what HTTP does not allow"
            ) from error
        if 200 <= answer.status < 300:
            return answer
        try:
            refusal = await answer.read(LARGEST_REFUSAL)
        except HttpError as error:
            refusal = f"status {answer.status}, and the reason did not come: {error.message}".encode()
        if answer.status < 400:
            raise broken(f"the answer has the status {answer.status}; is the base address right?", answer.status)
        raise cleaned(self.wire.client.fault(answer.status, answer.headers, refusal), key.secret)

    async def _whole(self, call: Call, body: bytes, key: Key, deadline_s: float) -> bytes:
        end = asyncio.get_running_loop().time() + deadline_s
        answer = await self._send(call, body, key, deadline_s)
        return await self._rest(answer, key, end)

    async def _rest(self, answer: Answer, key: Key, end: float) -> bytes:
        """The body, until ``end``, a time of the event loop."""
        body = answer.taken(self._largest)
        if body is not None:
            return body
        try:
            async with asyncio.timeout_at(end):
                return await answer.read(self._largest)
        except TimeoutError:
            raise ProviderFault(Fault.TIMEOUT, "the answer was not complete in time", status=answer.status) from None
        except HttpError as error:
            raise cleaned(fault_of(error), key.secret) from error
        finally:
            answer.close()

    def _read(self, body: Json, key: Key) -> ChatAnswer:
        try:
            return self.wire.client.answer(body)
        except ProviderFault as fault:
            raise cleaned(fault, key.secret) from None
        except NONSENSE as error:
            # What comes from a provider is untrusted: no shape of it may look like a mistake of ours.
            raise broken(f"the answer makes no sense ({type(error).__name__})") from error


def _end(began: float, deadline_s: float) -> float:
    """When the deadline of what began then is over, as a time of the event loop."""
    return asyncio.get_running_loop().time() + deadline_s - (time.monotonic() - began)


def _must_be_json(body: bytes) -> None:
    try:
        _JSON.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise broken(f"the answer is no JSON: {error}") from error


def extended(call: Call, headers: Headers, said: frozenset[bytes] | None = None) -> Call:
    """With more headers; what the wire says stands. ``said``: the names of its headers, if known."""
    if not headers:
        return call
    names = names_of(call.headers) if said is None else said
    return Call(call.path, [*call.headers, *[pair for pair in headers if pair[0].lower() not in names]], call.body)


def names_of(headers: Headers) -> frozenset[bytes]:
    """In lower case."""
    return frozenset(name.lower() for name, _ in headers)


def encoded(body: Json) -> bytes:
    """A request's body. Raises :class:`CannotSay`."""
    try:
        return msgspec.json.encode(body)
    except (UnicodeEncodeError, TypeError, RecursionError) as error:
        raise CannotSay(f"the request cannot be written as JSON: {error}") from error


def json_object(body: bytes) -> Json:
    """The object of a whole answer. Raises ``ProviderFault`` (``BROKEN``)."""
    try:
        return msgspec.json.decode(body, type=dict)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise broken(f"the answer is no JSON object: {error}") from error
