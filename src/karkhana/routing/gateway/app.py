"""The gateway as an ASGI program. Holds no secrets but the providers' keys inside its caller.

>>> # app = Gateway(configuration, caller, books, OpenHouse())
>>> # server(app, Limits()).serve(...)
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Callable

from karkhana.domain.errors import DatabaseUnavailable, InfrastructureFailure
from karkhana.http.messages import Headers, value_of
from karkhana.http.reverse_proxy import BodyTooLong, ClientLeft, Message, Receive, Send, body_of
from karkhana.routing.attempt import Place
from karkhana.routing.budgets import BudgetReached, PriceUnknown
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Configuration
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.gateway.aside import Aside
from karkhana.routing.gateway.asking import Asking
from karkhana.routing.gateway.books import Books, Job
from karkhana.routing.gateway.cache import Slot
from karkhana.routing.gateway.choosing import Choosing, Wish
from karkhana.routing.gateway.clients import Client, ClientRefused, Clients
from karkhana.routing.gateway.doors import Peek, key_of, passed, peek_at, wire_at
from karkhana.routing.gateway.insight import Insight
from karkhana.routing.gateway.sending import (
    CACHE_MISS,
    JSON,
    cost_header,
    route_headers,
    send_kept,
    send_refusal,
    send_stream,
    send_whole,
    warning_header,
)
from karkhana.routing.prices import body_tokens
from karkhana.routing.wires.wire import BadRequest, Wire

_PAYMENT_REQUIRED = 402


class Gateway:
    """Answers clients on the wires that they speak."""

    def __init__(
        self,
        configuration: Configuration,
        caller: Caller,
        books: Books,
        clients: Clients,
        insight: Insight,
        *,
        choosing: Choosing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.insight = insight
        self.tally = insight.tally
        self._clock = clock
        self.reconfigure(configuration, caller, books, clients, choosing)
        self._numbers = itertools.count(1)
        self._run = f"{time.time_ns():x}"

    def reconfigure(
        self, configuration: Configuration, caller: Caller, books: Books, clients: Clients, choosing: Choosing
    ) -> None:
        """Requests that come from now on use these; those under way end as they began."""
        self._configuration, self._caller, self._books, self._clients = configuration, caller, books, clients
        self._largest = configuration.serving.largest_request_mb << 20
        self._cache, self._spans = self.insight.cache, self.insight.spans
        self._choosing = choosing
        self._aside = Aside(configuration, clients, self.insight, choosing)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        wire = wire_at(scope["path"])
        if wire is not None and scope["method"] == "POST":
            await self._chat(wire, scope, receive, send)
        else:
            await self._aside.answer(scope, receive, send)

    async def _chat(self, wire: Wire, scope: Message, receive: Receive, send: Send) -> None:
        began = self._clock()
        tally = self.tally
        tally.under_way += 1
        try:
            status = await self._answer(wire, scope, receive, send)
        except ClientLeft:
            status = 499
        except asyncio.CancelledError:
            # The server ends what is done for a client that has left.
            tally.request(wire.name, 499, self._clock() - began)
            raise
        except BodyTooLong as error:
            status = 413
            await send_refusal(send, wire, ProviderFault(Fault.TOO_LONG, str(error)), status)
        except BadRequest as error:
            status = 400
            await send_refusal(send, wire, ProviderFault(Fault.INVALID, error.message, code=error.code), status)
        except ProviderFault as fault:
            if isinstance(fault, ClientRefused):
                tally.refusals[fault.reason] += 1
            status = wire.server.refusal(fault)[0]
            await send_refusal(send, wire, fault)
        except BudgetReached as reached:
            # Not 429: a client's library would try again at once, and nothing but a person or a new day helps.
            status = _PAYMENT_REQUIRED
            tally.refusals["budget"] += 1
            paused = ProviderFault(Fault.QUOTA, f"{reached.message}; {reached.next}", code="budget_reached")
            await send_refusal(send, wire, paused, status)
        except PriceUnknown as unknown:
            status = 403
            tally.refusals["unpriced"] += 1
            await send_refusal(send, wire, ProviderFault(Fault.UNKNOWN_MODEL, unknown.message), status)
        except (InfrastructureFailure, DatabaseUnavailable) as failure:
            status = 503
            tally.refusals["ledger"] += 1
            await send_refusal(send, wire, ProviderFault(Fault.OVERLOADED, failure.message), status)
        finally:
            tally.under_way -= 1
        tally.request(wire.name, status, self._clock() - began)

    async def _answer(self, wire: Wire, scope: Message, receive: Receive, send: Send) -> int:
        headers = scope["headers"]
        body = await body_of(receive, self._largest, lambda: self._go_on(headers))
        seen = peek_at(wire, scope, body)
        tokens = body_tokens(body)
        client = self._clients.admit(key_of(headers), seen.model, tokens + (seen.answer_tokens or 0))
        call = f"{self._run}-{next(self._numbers)}"
        slot: Slot | None = None
        if self._cache is not None:
            slot = self._cache.slot(wire, headers, client.account, seen, body)
            if slot is not None and slot.found is not None:
                client.over(0)
                await send_kept(send, wire, call, slot.found, slot.age_s)
                return 200
        asking = Asking(wire, scope["path"], body, seen, passed(headers))
        # Those of this call, whatever is loaded while it is under way.
        caller, books, choosing = self._caller, self._books, self._choosing
        candidates = choosing.free(seen.model, headers, tokens // 2 + (seen.answer_tokens or 0))
        if candidates is None:
            try:
                candidates = choosing.candidates(Wish(call, client.account, headers, body, seen, tokens, asking))
            except (ProviderFault, BadRequest):
                client.over(0)
                raise
        bill = books.open(call, _job(client, seen, tokens))
        if self._spans is not None:
            bill.span = self._spans.begin(call, headers, seen, client.account)
        place: Place | None = None
        try:
            deadline_s = self._configuration.serving.deadline_s
            called = await caller.call(candidates, asking, deadline_s, name=call)
            place = called.place
            told = route_headers(call, place, called.attempts)
            if bill.warnings:
                told += warning_header(bill.warnings)
            if bill.span is not None:
                bill.span.answered(called.place, called.attempts, called.hedged)
            if slot is not None:
                told.append(CACHE_MISS)
            if seen.stream:
                answer = called.answer if slot is None else slot.recorded(called.answer, called.place)
                stayed = await send_stream(send, receive, wire, answer, told)
                return 200 if stayed else 499
            whole = called.answer.body()
            called.answer.close()
            if slot is not None:
                slot.keep(whole, called.place)
            await send_whole(send, 200, whole, [JSON, *told, *cost_header(bill.cost)])
            return 200
        finally:
            books.close(call)
            choosing.over(call, place)
            client.over(bill.tokens)
            if bill.span is not None:
                bill.span.end(bill.cost, sys.exception())

    def _go_on(self, headers: Headers) -> None:
        """Nobody without a key has a long request held in memory, and none that is too long is begun."""
        self._clients.known(key_of(headers))
        length = value_of(headers, b"content-length")
        if length is not None and int(length) > self._largest:
            raise BodyTooLong(self._largest)


def _job(client: Client, seen: Peek, tokens: int) -> Job:
    return Job(client.account, tokens, seen.answer_tokens, max(1, min(seen.n or 1, 128)))


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
