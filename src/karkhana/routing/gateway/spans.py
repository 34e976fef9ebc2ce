"""Tells a collector of calls: a span for each, and below it one for each attempt. Knows nothing of prompts, answers
and keys, so that none can get into a span; of an error it tells the kind, never the message.

Spans are gathered in memory and sent by a thread of their own. A collector that is slow or away loses spans, never
time: beyond a bound new ones are dropped, and counted.

Source: OpenTelemetry's semantic conventions for generative AI (https://opentelemetry.io/docs/specs/semconv/gen-ai/)
and W3C Trace Context.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from karkhana.domain.chat import Usage
from karkhana.domain.money import Money, Unpriced, written
from karkhana.domain.spending import Account
from karkhana.http.messages import Headers, Url
from karkhana.routing.attempt import Attempt, Ending, Place
from karkhana.routing.configuration import LOOPBACK, ProviderEntry
from karkhana.routing.faults import ProviderFault

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

    from karkhana.routing.gateway.doors import Peek

SERVICE = "karkhana-gateway"
_BATCH = 512
_CONTINUED = (b"traceparent", b"tracestate")
_PROVIDERS = {"openai_responses": "openai", "gemini": "gcp.gemini"}
"""Wires whose name is not that of the conventions."""

_log = logging.getLogger(__name__)
_Attributes = dict[str, str | int | float | bool]


class Sending(NamedTuple):
    """How spans are sent."""

    most: int = 8192
    """Spans that may wait."""
    delay_s: float = 1.0
    """Seconds for which they are gathered."""
    timeout_s: float = 5.0
    """Seconds that the collector may take."""
    leave_s: float = 3.0
    """Seconds for what is left when the gateway ends."""


USUAL = Sending()


class Target(NamedTuple):
    """A provider as spans tell it."""

    name: str
    """As the conventions call it."""
    host: str
    port: int


class CallSpan:
    """One call."""

    def __init__(self, spans: "Spans", span: "Span", context: "Context", model: str) -> None:
        self._spans = spans
        self._span = span
        self._context = context
        self._model = model
        self._usage: Usage | None = None

    def attempt(self, attempt: Attempt, ending: Ending) -> None:
        """An attempt is over; that may be after the call."""
        self._usage = ending.usage or self._usage
        self._spans.attempted(self._context, self._model, attempt, ending)

    def answered(self, place: Place, attempts: int, hedged: bool) -> None:
        """An answer has begun."""
        target = self._spans.targets[place.provider]
        said: _Attributes = {
            "gen_ai.provider.name": target.name,
            "gen_ai.response.model": place.model,
            "server.address": target.host,
            "server.port": target.port,
            "karkhana.route": f"{place.provider}/{place.model}",
            "karkhana.attempts": attempts,
            "karkhana.hedged": hedged,
        }
        self._span.set_attributes(said)

    def end(self, cost: Money | Unpriced | None, error: BaseException | None) -> None:
        """The client got its answer, or ``error`` ended the call."""
        if self._usage is not None:
            self._span.set_attributes(_usage(self._usage))
        if cost is not None:
            self._span.set_attribute("karkhana.cost_usd", "unpriced" if isinstance(cost, Unpriced) else written(cost))
        if error is not None:
            self._spans.failed(self._span, _kind(error))
        self._span.end()


class Spans:
    """Makes spans and sends them to one collector."""

    def __init__(self, endpoint: str, providers: Mapping[str, ProviderEntry], sending: Sending = USUAL) -> None:
        """``endpoint``: where the collector listens, without ``/v1/traces``."""
        # Half a second and 25 MB, which only those pay who want spans.
        from opentelemetry import context, trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        from requests import Session

        self.endpoint = endpoint
        self._sending = sending
        self.sent = 0
        self.lost = 0
        """Because the collector did not take them."""
        self.dropped = 0
        """Because too many waited to be sent."""
        self._made = 0
        self._away = False
        self._trace = trace
        self._nothing = context.Context
        self._propagator = TraceContextTextMapPropagator()
        self.targets: dict[str, Target] = {}
        self.know(providers)
        session = Session()
        # A collector on this machine is not behind a proxy.
        session.trust_env = urlsplit(endpoint).hostname not in LOOPBACK
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=sending.timeout_s, session=session)
        processor = BatchSpanProcessor(
            _counting(exporter, self),
            max_queue_size=sending.most,
            max_export_batch_size=min(_BATCH, sending.most),
            schedule_delay_millis=sending.delay_s * 1000,
        )
        resource = Resource.create({"service.name": SERVICE})
        self._provider = TracerProvider(
            resource=resource, shutdown_on_exit=False, span_limits=SpanLimits(max_span_attribute_length=256)
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("karkhana.gateway")
        # It would tell of each lost batch; that it is so is told once, by us.
        logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)

    def know(self, providers: Mapping[str, ProviderEntry]) -> None:
        """The providers that attempts are sent to, from now on."""
        for name, entry in providers.items():
            origin = Url.parse(entry.base_url).origin
            self.targets[name] = Target(_PROVIDERS.get(entry.wire, entry.wire), origin.host, origin.port)

    def begin(self, call: str, headers: Headers, seen: "Peek", account: Account) -> CallSpan | None:
        """A call begins. The trace of a client that sent a ``traceparent`` is continued.

        ``None``: too many spans wait to be sent.
        """
        if not self._room():
            return None
        said: _Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": seen.model,
            "gen_ai.request.stream": seen.stream,
            "karkhana.call": call,
        }
        optional = {
            "gen_ai.request.max_tokens": seen.answer_tokens,
            "gen_ai.request.temperature": seen.temperature,
            "gen_ai.request.choice.count": seen.n if seen.n != 1 else None,
            "karkhana.key_id": account.key_id or None,
            "karkhana.team": account.team or None,
        }
        said |= {name: value for name, value in optional.items() if value is not None}
        carrier = {name.decode(): value.decode("latin-1") for name, value in headers if name in _CONTINUED}
        before = self._propagator.extract(carrier, self._nothing())
        kind = self._trace.SpanKind.CLIENT
        span = self._tracer.start_span(f"chat {seen.model}", context=before, kind=kind, attributes=said)
        if not span.is_recording():
            # The client's own trace is not kept.
            self._made -= 1
            return None
        return CallSpan(self, span, self._trace.set_span_in_context(span), seen.model)

    def attempted(self, context: "Context", model: str, attempt: Attempt, ending: Ending) -> None:
        """An attempt that ended just now."""
        if not self._room():
            return
        place, ended = attempt.place, time.time_ns()
        target = self.targets[place.provider]
        said: _Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": target.name,
            "gen_ai.request.model": place.model,
            "server.address": target.host,
            "server.port": target.port,
            "karkhana.place": str(place),
            "karkhana.attempt": attempt.number,
            "karkhana.hedge": attempt.hedge,
            "karkhana.outcome": ending.outcome.value,
        }
        if ending.first_s is not None:
            said["gen_ai.response.time_to_first_chunk"] = ending.first_s
        if ending.fault is not None and ending.fault.status:
            said["http.response.status_code"] = ending.fault.status
        span = self._tracer.start_span(
            f"attempt {model}",
            context=context,
            kind=self._trace.SpanKind.CLIENT,
            attributes=said,
            start_time=ended - int(ending.whole_s * 1e9),
        )
        if ending.fault is not None:
            self.failed(span, ending.fault.fault.value)
        span.end(end_time=ended)

    def failed(self, span: "Span", kind: str) -> None:
        """What a span is about failed."""
        span.set_attribute("error.type", kind)
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))

    def told(self, count: int, taken: bool) -> None:
        """The collector took a batch, or did not."""
        if taken:
            self.sent += count
        else:
            self.lost += count
        if taken is self._away:
            self._away = not taken
            _log.warning("the collector at %s %s", self.endpoint, "takes spans again" if taken else "takes no spans")

    def _room(self) -> bool:
        if self._made - self.sent - self.lost >= self._sending.most:
            self.dropped += 1
            return False
        self._made += 1
        return True

    def close(self) -> None:
        """Send what is left, for a few seconds; blocks."""
        leaving = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        leaving.start()
        leaving.join(self._sending.leave_s)


def _usage(usage: Usage) -> _Attributes:
    said: _Attributes = {"gen_ai.usage.input_tokens": usage.prompt, "gen_ai.usage.output_tokens": usage.output}
    written_to = usage.cache_write + usage.cache_write_long
    for name, count in (
        ("gen_ai.usage.cache_read.input_tokens", usage.cache_read),
        ("gen_ai.usage.cache_creation.input_tokens", written_to),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
    ):
        if count:
            said[name] = count
    return said


def _kind(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "client_left"
    return error.fault.value if isinstance(error, ProviderFault) else type(error).__name__


def _counting(exporter: "SpanExporter", spans: Spans) -> "SpanExporter":
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Counting(SpanExporter):
        def export(self, batch: "Iterable[ReadableSpan]") -> SpanExportResult:
            found = list(batch)
            result = exporter.export(found)
            spans.told(len(found), result is SpanExportResult.SUCCESS)
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Counting()
