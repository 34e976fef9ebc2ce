"""The fake provider as an ASGI program: every wire at the paths of the real providers, and its account.

``GET /fake/account`` tells what was answered and would be charged, ``GET /fake/account/NAME`` of the one request that
its client sent with the header ``x-client-request-id: NAME``; ``GET /v1/models`` lists the script's models.
"""

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Mapping

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest, Usage
from karkhana.http.messages import value_of
from karkhana.http.reverse_proxy import BodyTooLong, ClientLeft, body_of
from karkhana.routing.fake.account import Account
from karkhana.routing.fake.answering import answer_to, given, pieces_of, rule_for
from karkhana.routing.fake.reply import ClientGone, Message, Receive, Reply, Send
from karkhana.routing.fake.script import FaultRule, Kind, Latency, Script
from karkhana.routing.fake.striking import Striking
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest, Json, Wire

LARGEST_REQUEST = 64 << 20
PATHS = {
    "/chat/completions": "openai",
    "/responses": "openai_responses",
    "/messages": "anthropic",
    ":generateContent": "gemini",
    ":streamGenerateContent": "gemini",
    "/api/chat": "ollama",
}
"""How a path ends → the wire that is spoken there."""
_JSON = b"application/json"
_PAGE = b"<html><body><h1>Sign in to the network</h1></body></html>"
_REFUSALS = frozenset(fault.value for fault in Fault)
_HALVES = (Kind.HALF, Kind.STALL_WITHIN)


class FakeProvider:
    """Answers by a script. Its ``account`` holds what it would charge."""

    def __init__(
        self,
        script: Script,
        *,
        clock: Callable[[], float] = time.monotonic,
        wires: Mapping[str, Wire] | None = None,
    ) -> None:
        self.script = script
        self.account = Account(script.price)
        self._clock = clock
        self._wires = WIRES if wires is None else wires
        self._striking = Striking(script.fault, seed=script.seed, start_s=clock())
        # A rehearsal must be repeatable: this is no secret.
        self._chance = random.Random(script.seed)  # noqa: S311
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        try:
            body = await body_of(receive, LARGEST_REQUEST)
        except ClientLeft:
            return
        except BodyTooLong as error:
            async with Reply(scope, receive, send, "fake-0") as reply:
                await reply.whole(413, b"text/plain", str(error).encode())
            return
        number = next(self._numbers)
        async with Reply(scope, receive, send, f"fake-{number}") as reply:
            # One that leaves is in the account already.
            with contextlib.suppress(ClientGone):
                await self._answer(scope, body, reply, number)

    async def _answer(self, scope: Message, body: bytes, reply: Reply, number: int) -> None:
        path = scope["path"]
        wire = self._wire(path) if scope["method"] == "POST" else None
        if wire is not None:
            name = (value_of(scope["headers"], b"x-client-request-id") or b"").decode("latin-1")
            await _Exchange(self, wire, reply, number, name).carry_out(path, _key(scope), body)
        elif path.startswith("/fake/account/") and (entry := self.account.of(path[14:])) is not None:
            await reply.whole(200, _JSON, msgspec.json.encode(entry))
        elif path == "/fake/account":
            await reply.whole(200, _JSON, msgspec.json.encode(self.account.told()))
        elif path.endswith("/models"):
            await reply.whole(200, _JSON, msgspec.json.encode(_models(self.script.models)))
        else:
            known = ", ".join(sorted({*PATHS.values()} & {*self._wires}))
            message = f"nothing is served at {scope['method']} {path}; the wires are {known}"
            await reply.whole(404, _JSON, msgspec.json.encode({"error": {"message": message, "type": "not_found"}}))

    def _wire(self, path: str) -> Wire | None:
        return next(
            (self._wires[name] for end, name in PATHS.items() if path.endswith(end) and name in self._wires), None
        )

    def strike(self, request: ChatRequest, key: str) -> FaultRule | None:
        """The fault that this request meets."""
        return self._striking.next(request, key, self._clock())

    def delay_s(self, latency: Latency) -> float:
        """Seconds before this answer."""
        return latency.first_s + (self._chance.random() * latency.spread_s if latency.spread_s else 0.0)


class _Exchange:
    """One request on one wire."""

    def __init__(self, provider: FakeProvider, wire: Wire, reply: Reply, number: int, name: str) -> None:
        self._provider = provider
        self._script = provider.script
        self._account = provider.account
        self._wire = wire
        self._reply = reply
        self._number = number
        self._name = name
        self._model = "?"

    async def carry_out(self, path: str, key: str, body: bytes) -> None:
        try:
            request = self._read(path, key, body)
            self._model = request.model
            strike = self._provider.strike(request, key)
            if strike is None or strike.kind in (*_HALVES, Kind.MALFORMED_JSON, Kind.WRONG_USAGE):
                await self._give(request, strike)
            else:
                await self._deny(strike)
        except ProviderFault as fault:
            await self._refuse(fault)

    def _read(self, path: str, key: str, body: bytes) -> ChatRequest:
        """Raises ``ProviderFault`` for what a provider refuses."""
        if self._script.keys and key not in self._script.keys:
            raise ProviderFault(Fault.UNAUTHORISED, "the key is none of the script's")
        try:
            value = msgspec.json.decode(body)
            if not isinstance(value, dict):
                raise BadRequest("the request must be a JSON object")
            request = self._wire.server.request(path, value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ProviderFault(Fault.INVALID, f"the request is no JSON: {error}") from error
        except BadRequest as error:
            raise ProviderFault(Fault.INVALID, error.message, code=error.code) from error
        if self._script.models and request.model not in self._script.models:
            raise ProviderFault(Fault.UNKNOWN_MODEL, f"the model {request.model!r} does not exist")
        return request

    def _enter(self, outcome: str, usage: Usage | None = None) -> None:
        self._account.enter(self._model, outcome, usage, name=self._name)

    async def _refuse(self, fault: ProviderFault, status: int | None = None) -> None:
        self._enter(fault.fault.value)
        usual, body = self._wire.server.refusal(fault)
        await self._reply.whole(status or usual, _JSON, msgspec.json.encode(body), retry_after_s=fault.retry_after_s)

    async def _deny(self, strike: FaultRule) -> None:
        """A fault without an answer; nothing is charged."""
        if strike.kind.value in _REFUSALS:
            fault = Fault(strike.kind.value)
            message = strike.message or f"the script says: {fault.value}"
            await self._refuse(ProviderFault(fault, message, retry_after_s=strike.retry_after_s), strike.status)
            return
        self._enter(strike.kind.value)
        if strike.kind is Kind.STALL:
            await self._reply.wait(strike.stall_s)
        elif strike.kind is Kind.WRONG_CONTENT_TYPE:
            await self._reply.whole(200, b"text/html", _PAGE)
            return
        await self._reply.reset()

    async def _give(self, request: ChatRequest, strike: FaultRule | None) -> None:
        rule = rule_for(self._script, request)
        answer = answer_to(request, rule, self._number)
        latency = rule.latency or self._script.latency
        said = answer
        if strike is not None and strike.kind is Kind.WRONG_USAGE:
            said = msgspec.structs.replace(answer, usage=_wrong(answer.usage, strike))
        pieces, content_type = self._pieces(request, said, latency)
        if strike is not None and strike.kind is Kind.MALFORMED_JSON:
            pieces = _torn(pieces, stream=request.stream)
        sent = 0
        try:
            await self._reply.wait(self._provider.delay_s(latency))
            await self._reply.head(200, content_type, None if request.stream else sum(map(len, pieces)))
            for number, piece in enumerate(pieces):
                if strike is not None and strike.kind in _HALVES and 2 * number >= len(pieces):
                    if strike.kind is Kind.STALL_WITHIN:
                        await self._reply.wait(strike.stall_s)
                    self._charge(answer, strike.kind.value, sent / len(pieces) if request.stream else 1.0)
                    await self._reply.close()
                    return
                if number:
                    await self._reply.wait(latency.piece_s)
                await self._reply.piece(piece)
                sent += 1
        except ClientGone:
            outcome = "left" if strike is None else strike.kind.value
            self._charge(answer, outcome, sent / len(pieces) if request.stream else 1.0)
            raise
        # Entered before the last byte, so that a client that has its answer also finds it in the account.
        self._enter("answered" if strike is None else strike.kind.value, answer.usage)
        await self._reply.end()

    def _pieces(self, request: ChatRequest, answer: ChatAnswer, latency: Latency) -> tuple[list[bytes], bytes]:
        if not request.stream:
            body = msgspec.json.encode(self._wire.server.body(answer, request))
            return [body[: len(body) // 2], body[len(body) // 2 :]], _JSON
        writer = self._wire.server.writer(request)
        written = (writer.write(delta) for delta in pieces_of(answer, latency.piece_chars))
        return [piece for piece in written if piece], self._wire.framing.content_type

    def _charge(self, answer: ChatAnswer, outcome: str, share: float) -> None:
        """An answer that did not come to its end, of which ``share`` was sent."""
        usage = answer.usage
        if not self._script.charge_unfinished or usage is None:
            self._enter(outcome)
            return
        output = round(usage.output * share)
        reasoning = min(usage.reasoning, output)
        self._enter(outcome, msgspec.structs.replace(usage, output=output, reasoning=reasoning))


def _torn(pieces: list[bytes], *, stream: bool) -> list[bytes]:
    """JSON that breaks off, in a message that does not."""
    if not stream:
        return pieces[:1]
    middle = len(pieces) // 2
    return [*pieces[:middle], pieces[middle][: -len(pieces[middle]) // 3] + b"\n\n", *pieces[middle + 1 :]]


def _wrong(usage: Usage | None, strike: FaultRule) -> Usage:
    if strike.usage is not None or usage is None:
        return Usage() if strike.usage is None else given(strike.usage)
    return Usage(**{name: 2 * count + 1 for name, count in msgspec.structs.asdict(usage).items()})


def _key(scope: Message) -> str:
    headers = scope["headers"]
    bearer = (value_of(headers, b"authorization") or b"").decode("latin-1")
    if bearer:
        return bearer.partition(" ")[2]
    found = value_of(headers, b"x-api-key") or value_of(headers, b"x-goog-api-key") or b""
    return found.decode("latin-1")


def _models(names: tuple[str, ...]) -> Json:
    """A list in the words of all wires at once."""
    fixed = {"object": "model", "created": 0, "owned_by": "fake", "type": "model", "created_at": "1970-01-01T00:00:00Z"}
    entries = [{"id": name, "display_name": name} | fixed for name in names]
    gemini = [{"name": f"models/{name}", "displayName": name} for name in names]
    ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None, "has_more": False}
    return {"object": "list", "data": entries, "models": gemini} | ends


async def _lifespan(receive: Receive, send: Send) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})
