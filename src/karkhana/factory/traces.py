"""Traces of runs, requests and deliveries for an OpenTelemetry collector: off unless ``OTEL_*`` says where it is.

All spans of a task are in one trace, whose identifier follows from the task's: so a delivery at a door, the run on
another node, and the run that goes on with it after a crash find each other without anything being stored. Attributes
are names and numbers of ours; nothing that a ticket, a model or a person wrote.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and the semantic conventions
for HTTP and generative AI.

>>> # with traces.run(run_id, task_id) as seen, seen.step("verify"): seen.event(event)
"""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from karkhana import __version__
from karkhana.domain import events as ev
from karkhana.domain.tasks import Status as RunStatus

FLUSH_MS = 5000
_Attributes = Mapping[str, str | int | float | bool]


class _Identifiers(RandomIdGenerator):
    """Random, unless the next span is told what it is."""

    def __init__(self) -> None:
        self.told: ContextVar[tuple[int, int] | None] = ContextVar("told", default=None)

    def generate_trace_id(self) -> int:
        told = self.told.get()
        return told[0] if told else super().generate_trace_id()

    def generate_span_id(self) -> int:
        told = self.told.get()
        return told[1] if told else super().generate_span_id()


class Traces:
    """Makes spans and sends them in the background (:class:`karkhana.factory.watching.Watch`)."""

    def __init__(self, service: str, exporter: SpanExporter | None = None, environ: Mapping[str, str] = os.environ):
        """``service`` names this process unless ``OTEL_SERVICE_NAME`` does."""
        said: dict[str, str] = {"service.version": __version__}
        if "OTEL_SERVICE_NAME" not in environ and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
            said["service.name"] = service
        self._identifiers = _Identifiers()
        self._provider = TracerProvider(
            resource=Resource.create(said),
            id_generator=self._identifiers,
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_span_attribute_length=256),
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("karkhana", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._provider.force_flush(FLUSH_MS)
        self._provider.shutdown()

    def taken_over(self) -> None:
        """A run of a worker that died was taken over."""

    @contextmanager
    def run(self, run_id: str, task_id: str) -> Iterator["RunSpans"]:
        """Around one execution of a run."""
        said = {"karkhana.run.id": run_id, "karkhana.task.id": task_id}
        span = self._tracer.start_span("run", self._of_task(task_id), attributes=said)
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield RunSpans(self, span)

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str], *, stranger: bool) -> Iterator[Span]:
        """Around a request; of a ``stranger`` the own trace is linked to, of a client it is continued."""
        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        told = self._propagator.extract(carrier, contexts.Context())
        before = get_current_span(told).get_span_context()
        links = [Link(before)] if stranger and before.is_valid else []
        span = self._tracer.start_span(
            method,
            contexts.Context() if stranger else told,
            kind=SpanKind.SERVER,
            links=links,
            attributes={"http.request.method": method},
        )
        with use_span(span, end_on_exit=True, record_exception=False):
            yield span

    def answered(self, span: Span, method: str, route: str, status: int) -> None:
        """A request was answered by a route."""
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))

    def admitted(self, door: str, task_id: str) -> None:
        """A delivery gave a task: its trace begins here, and the request's span and this one know each other."""
        request = get_current_span()
        request.set_attributes({"karkhana.door": door, "karkhana.task.id": task_id})
        request.add_link(self._first(task_id))
        token = self._identifiers.told.set(_identifiers(task_id))
        try:
            span = self._tracer.start_span(
                "task",
                contexts.Context(),
                kind=SpanKind.CONSUMER,
                links=[Link(request.get_span_context())],
                attributes={"karkhana.door": door, "karkhana.task.id": task_id},
            )
        finally:
            self._identifiers.told.reset(token)
        span.end()

    def child(self, name: str, parent: Span, seconds: float, said: _Attributes, *, failed: bool = False) -> None:
        """A span that has just ended and took so long."""
        ended = time.time_ns()
        span = self._tracer.start_span(
            name, set_span_in_context(parent), start_time=ended - int(seconds * 1e9), attributes=dict(said)
        )
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    @contextmanager
    def step(self, name: str, parent: Span) -> Iterator[Span]:
        """Around a step of the line."""
        span = self._tracer.start_span(f"step {name}", set_span_in_context(parent), attributes={"karkhana.step": name})
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield span

    def _of_task(self, task_id: str) -> contexts.Context:
        return set_span_in_context(NonRecordingSpan(self._first(task_id)), contexts.Context())

    def _first(self, task_id: str) -> SpanContext:
        """The span that a task's trace begins with, also where another process made it."""
        trace_id, span_id = _identifiers(task_id)
        # a share of traces is chosen by their identifiers, so that each process chooses the same ones
        decision = self._provider.sampler.should_sample(None, trace_id, "task").decision
        kept = decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if kept else TraceFlags.DEFAULT)
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)


class RunSpans:
    """The spans of one execution of a run, in its thread."""

    def __init__(self, traces: Traces, run: Span) -> None:
        self._traces = traces
        self._run = run
        self._open = [run]
        self._tool = ""
        self._last = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Around a step of the line."""
        self._last = time.monotonic()
        with self._traces.step(name, self._open[-1]) as span:
            self._open.append(span)
            try:
                yield
            finally:
                self._open.pop()

    def event(self, event: ev.AnyEvent) -> None:
        """Tools, gates and models are spans; what is decided stands in the run's."""
        now = time.monotonic()
        since, self._last = now - self._last, now
        match event:
            case ev.ToolCalled(call=call):
                self._tool = str(call.get("tool", ""))
            case ev.ToolReturned(duration_s=seconds, error=error):
                said = {"karkhana.tool": self._tool}
                self._child(f"tool {self._tool}", seconds, said, failed=error is not None)
            case ev.GateFinished(result=result):
                said = {"karkhana.gate": result.gate, "karkhana.gate.status": result.status.value}
                self._child(f"gate {result.gate}", since, said)
            case ev.ModelAnswered(model=model, purpose=purpose, duration_s=seconds, cost_usd=cost):
                asked = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model, "karkhana.purpose": purpose}
                self._child(f"chat {model}", seconds, asked | ({"karkhana.cost_usd": cost} if cost else {}))
            case ev.StepRetried(step=step, attempt=attempt):
                self._open[-1].add_event("step.retried", {"karkhana.step": step, "karkhana.attempt": attempt})
            case ev.ScoreComputed(confidence=confidence):
                self._run.set_attribute("karkhana.score", confidence.score)
            case ev.DecisionMade(decision=decision):
                self._run.set_attribute("karkhana.verdict", decision.verdict.value)
            case ev.RunFinished(status=status, code=code):
                self._run.set_attributes({"karkhana.status": status.value, "karkhana.error": code})
                if status is RunStatus.FAILED:
                    self._run.set_status(Status(StatusCode.ERROR))

    def _child(self, name: str, seconds: float, said: _Attributes, *, failed: bool = False) -> None:
        self._traces.child(name, self._open[-1], seconds, said, failed=failed)


def _identifiers(task_id: str) -> tuple[int, int]:
    digest = hashlib.sha256(b"karkhana task " + task_id.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])
