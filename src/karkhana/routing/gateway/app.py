"""The gateway as an ASGI program. Holds no secrets but the providers' keys inside its caller.

>>> # app = Gateway(configuration, caller, books, OpenHouse())
>>> # server(app, Limits()).serve(...)
"""

import itertools
import time
from collections.abc import Callable

import msgspec

from karkhana.domain.errors import InfrastructureFailure
from karkhana.http.reverse_proxy import BodyTooLong, ClientLeft, Message, Receive, Send, body_of
from karkhana.routing.budgets import BudgetReached, PriceUnknown
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Candidate, Configuration
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.gateway.asking import Asking
from karkhana.routing.gateway.books import Books, Job
from karkhana.routing.gateway.catalogue import listing
from karkhana.routing.gateway.clients import Client, Clients
from karkhana.routing.gateway.doors import Peek, key_of, passed, peek_at, wire_at
from karkhana.routing.gateway.sending import JSON, cost_header, route_headers, send_refusal, send_stream, send_whole
from karkhana.routing.gateway.tally import Tally
from karkhana.routing.prices import body_tokens
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest, Json, Wire

_PAYMENT_REQUIRED = 402


class Gateway:
    """Answers clients on the wires that they speak."""

    def __init__(
        self,
        configuration: Configuration,
        caller: Caller,
        books: Books,
        clients: Clients,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally = Tally()
        self._configuration = configuration
        self._caller = caller
        self._books = books
        self._clients = clients
        self._clock = clock
        self._largest = configuration.serving.largest_request_mb << 20
        self._numbers = itertools.count(1)
        self._run = f"{time.time_ns():x}"

    def reconfigure(self, configuration: Configuration, caller: Caller, books: Books, clients: Clients) -> None:
        """Requests that come from now on use these; those under way end as they began."""
        self._configuration, self._caller, self._books, self._clients = configuration, caller, books, clients
        self._largest = configuration.serving.largest_request_mb << 20

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path, method = scope["path"], scope["method"]
        wire = wire_at(path)
        if wire is not None and method == "POST":
            await self._chat(wire, scope, receive, send)
        elif method == "GET" and (told := listing(path, sorted(self._configuration.models))) is not None:
            await self._models(*told, scope, send)
        elif path == "/health" and method == "GET":
            await send_whole(send, 200, msgspec.json.encode(self.health()), [JSON])
        elif path == "/metrics" and method == "GET":
            kind = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
            await send_whole(send, 200, self.tally.text().encode(), [kind])
        else:
            fault = ProviderFault(Fault.UNKNOWN_MODEL, f"nothing is served at {method} {path[:100]}")
            await send_refusal(send, WIRES["openai"], fault, 405 if wire is not None else 404)

    def health(self) -> dict[str, object]:
        """Whether requests are taken, and how the providers are. Holds no key and no request."""
        breakers = {place: health.state for place, health in self._caller.health().items()}
        return {"status": "ok", "breakers": breakers, "resting_keys": sorted(self._caller.resting_keys())}

    async def _models(self, wire: str, told: Json | None, scope: Message, send: Send) -> None:
        try:
            self._clients.known(key_of(scope["headers"]))
            if told is None:
                raise ProviderFault(Fault.UNKNOWN_MODEL, "this model is not served here")
        except ProviderFault as fault:
            await send_refusal(send, WIRES[wire], fault)
            return
        await send_whole(send, 200, msgspec.json.encode(told), [JSON])

    async def _chat(self, wire: Wire, scope: Message, receive: Receive, send: Send) -> None:
        began = self._clock()
        try:
            status = await self._answer(wire, scope, receive, send)
        except ClientLeft:
            status = 499
        except BodyTooLong as error:
            status = 413
            await send_refusal(send, wire, ProviderFault(Fault.TOO_LONG, str(error)), status)
        except BadRequest as error:
            status = 400
            await send_refusal(send, wire, ProviderFault(Fault.INVALID, error.message), status)
        except ProviderFault as fault:
            status = wire.server.refusal(fault)[0]
            await send_refusal(send, wire, fault)
        except BudgetReached as reached:
            # Not 429: a client's library would try again at once, and nothing but a person or a new day helps.
            status = _PAYMENT_REQUIRED
            paused = ProviderFault(Fault.QUOTA, f"{reached.message}; {reached.next}", code="budget_reached")
            await send_refusal(send, wire, paused, status)
        except PriceUnknown as unknown:
            status = 403
            await send_refusal(send, wire, ProviderFault(Fault.UNKNOWN_MODEL, unknown.message), status)
        except InfrastructureFailure as failure:
            status = 503
            await send_refusal(send, wire, ProviderFault(Fault.OVERLOADED, failure.message), status)
        self.tally.request(wire.name, status, self._clock() - began)

    async def _answer(self, wire: Wire, scope: Message, receive: Receive, send: Send) -> int:
        headers = scope["headers"]
        body = await body_of(receive, self._largest)
        seen = peek_at(wire, scope, body)
        tokens = body_tokens(body)
        client = self._clients.admit(key_of(headers), seen.model, tokens + (seen.answer_tokens or 0))
        try:
            candidates = self._candidates(seen.model)
        except ProviderFault:
            client.over(0)
            raise
        call = f"{self._run}-{next(self._numbers)}"
        asking = Asking(wire, scope["path"], body, seen, passed(headers))
        bill = self._books.open(call, _job(client, seen, tokens))
        try:
            deadline_s = self._configuration.serving.deadline_s
            called = await self._caller.call(candidates, asking, deadline_s, name=call)
            told = route_headers(call, called.place, called.attempts)
            if seen.stream:
                stayed = await send_stream(send, receive, wire, called.answer, told)
                return 200 if stayed else 499
            whole = called.answer.body()
            called.answer.close()
            await send_whole(send, 200, whole, [JSON, *told, *cost_header(bill.cost)])
            return 200
        finally:
            self._books.close(call)
            client.over(bill.tokens)

    def _candidates(self, name: str) -> tuple[Candidate, ...]:
        model = self._configuration.models.get(name)
        if model is not None:
            return model.candidates
        provider, slash, rest = name.partition("/")
        if slash and provider in self._configuration.providers:
            return (Candidate(provider, rest),)
        known = ", ".join(sorted(self._configuration.models)[:20])
        raise ProviderFault(Fault.UNKNOWN_MODEL, f"the model {name!r} is not served here; there are: {known}")


def _job(client: Client, seen: Peek, tokens: int) -> Job:
    return Job(client.account, tokens, seen.answer_tokens, max(1, min(seen.n or 1, 128)))


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
