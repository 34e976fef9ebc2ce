"""What the gateway serves beside calls: lists of models, counts of tokens, outcomes, its health and its metrics.

Everybody may ask whether it works. What more there is to know of it is for operators: who holds a key that
``operators`` of the configuration names, or, on a gateway without keys, who asks for a loopback address by its name
(so that a web page which only resolves to one learns nothing). A browser may send the key as the password of HTTP's
basic authentication.
"""

import asyncio
import base64
import binascii

import msgspec

from karkhana.http.messages import Headers, value_of
from karkhana.http.reverse_proxy import BodyTooLong, ClientLeft, Message, Receive, Send, body_of
from karkhana.routing.configuration import LOOPBACK, Configuration
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.gateway import counting, outcomes
from karkhana.routing.gateway.catalogue import listing
from karkhana.routing.gateway.choosing import Choosing
from karkhana.routing.gateway.clients import Clients
from karkhana.routing.gateway.doors import key_of, passed, peek, wire_at
from karkhana.routing.gateway.exposition import CONTENT_TYPE
from karkhana.routing.gateway.health_page import HEADERS, health_page
from karkhana.routing.gateway.insight import Insight, near_end
from karkhana.routing.gateway.metrics import metrics
from karkhana.routing.gateway.sending import JSON, send_refusal, send_whole
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest

_ASK = (b"www-authenticate", b'Basic realm="karkhana gateway", charset="UTF-8"')
_EVENTS = "/api/event_logging/"
_WELCOME = msgspec.json.encode({"service": "karkhana gateway"})


class Aside:
    """Answers everything but calls."""

    def __init__(
        self,
        configuration: Configuration,
        clients: Clients,
        insight: Insight,
        choosing: Choosing,
    ) -> None:
        self._configuration = configuration
        self._choosing = choosing
        self._clients = clients
        self._insight = insight

    async def answer(self, scope: Message, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if method == "POST" and path.rstrip("/") == counting.PATH:
            await self._count(scope, receive, send)
        elif method == "POST" and path == outcomes.PATH:
            await outcomes.take(self._choosing.notebook, self._clients, scope, receive, send)
        elif method == "POST" and path.startswith(_EVENTS):
            # Claude Code tells its maker of its use there, and tries again when nobody takes it.
            await send_whole(send, 200, b"{}", [JSON])
        elif method not in ("GET", "HEAD"):
            await _nothing(scope, send)
        elif (told := listing(path, ())) is not None:
            await self._models(told[0], scope, send)
        elif path == "/":
            # Claude Code looks whether anybody is there before it asks for more.
            await send_whole(send, 200, _WELCOME, [JSON])
        elif path == "/health":
            failing = self._insight.failing
            body = msgspec.json.encode({"status": "failing" if failing else "ok"})
            await send_whole(send, 503 if failing else 200, body, [JSON])
        elif path in ("/health/details", "/metrics"):
            await self._inside(scope, send)
        else:
            await _nothing(scope, send)

    async def _models(self, wire: str, scope: Message, send: Send) -> None:
        try:
            names = self._clients.among(key_of(scope["headers"]), sorted(self._configuration.models))
            told = listing(scope["path"], names)
            if told is None or told[1] is None:
                raise ProviderFault(Fault.UNKNOWN_MODEL, "this model is not served here")
        except ProviderFault as fault:
            await send_refusal(send, WIRES[wire], fault)
            return
        await send_whole(send, 200, msgspec.json.encode(told[1]), [JSON])

    async def _count(self, scope: Message, receive: Receive, send: Send) -> None:
        wire, headers = WIRES[counting.WIRE], scope["headers"]
        try:
            body = await body_of(receive, self._configuration.serving.largest_request_mb << 20)
            model = peek(body).model
            self._clients.admit(key_of(headers), model, 0)
            candidate = self._choosing.resident(model, headers)[0]
            count = await counting.counted(self._insight.caller, candidate, body, passed(headers))
        except ClientLeft:
            return
        except BodyTooLong as error:
            await send_refusal(send, wire, ProviderFault(Fault.TOO_LONG, str(error)))
        except BadRequest as error:
            await send_refusal(send, wire, ProviderFault(Fault.INVALID, error.message))
        except ProviderFault as fault:
            await send_refusal(send, wire, fault)
        else:
            told = msgspec.json.encode({"input_tokens": count.tokens})
            source = (b"x-karkhana-count", count.source.encode("ascii", "replace"))
            await send_whole(send, 200, told, [JSON, source])

    async def _inside(self, scope: Message, send: Send) -> None:
        headers = scope["headers"]
        if not self._operates(headers):
            fault = ProviderFault(
                Fault.UNAUTHORISED, "this is for operators: show a key that [gateway] operators names"
            )
            status, body = WIRES["openai"].server.refusal(fault)
            await send_whole(send, status, msgspec.json.encode(body), [JSON, _ASK])
        elif scope["path"] == "/metrics":
            await send_whole(send, 200, metrics(self._insight).encode(), [(b"content-type", CONTENT_TYPE)])
        else:
            told, budgets = self._insight.told(), near_end(await asyncio.to_thread(self._insight.standings))
            if b"text/html" in (value_of(headers, b"accept") or b""):
                await send_whole(send, 200, health_page(told, budgets).encode(), HEADERS)
            else:
                await send_whole(send, 200, msgspec.json.encode(told | {"budgets_near_their_end": budgets}), [JSON])

    def _operates(self, headers: Headers) -> bool:
        serving = self._configuration.serving
        if serving.open and not _asks_by_name(headers, (*LOOPBACK, serving.host)):
            return False
        try:
            return self._clients.operates(_shown(headers), serving.operators)
        except ProviderFault:
            return False


def _shown(headers: Headers) -> str:
    """The key of a program, or of a person with a browser."""
    said = value_of(headers, b"authorization") or b""
    if said[:6].lower() != b"basic ":
        return key_of(headers)
    try:
        return base64.b64decode(said[6:].strip(), validate=True).partition(b":")[2].decode("latin-1")
    except binascii.Error:
        return ""


def _asks_by_name(headers: Headers, names: tuple[str, ...]) -> bool:
    host = (value_of(headers, b"host") or b"").decode("latin-1").lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
    return name in names


async def _nothing(scope: Message, send: Send) -> None:
    fault = ProviderFault(Fault.UNKNOWN_MODEL, f"nothing is served at {scope['method']} {scope['path'][:100]}")
    await send_refusal(send, WIRES["openai"], fault, 404 if wire_at(scope["path"]) is None else 405)
