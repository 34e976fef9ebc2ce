"""How processes that run for long write their log: one line an event, on stderr, as text or as JSON.

What other libraries log through ``logging`` takes the same way. Every line is redacted as a whole, whatever was put
into it; what is bound to the request or the run stands in each of its lines. Knows nothing of what is logged.

>>> # configure(settings.log, stores.redactor); structlog.get_logger().info("delivery.read", door="forge")
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from karkhana.domain import events as ev
from karkhana.domain.settings import LogSettings
from karkhana.storage.redaction import Redactor

QUIET = ("dbos", "opentelemetry", "urllib3", "httpx", "uvicorn.access")
"""Libraries of which only errors are of interest."""


def configure(settings: LogSettings, redactor: Redactor, stream: TextIO | None = None) -> None:
    """Let this process log so, from now on. ``stream`` in place of stderr."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.threshold.upper()]
    as_json = settings.format == "json"
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _redacted(redactor),
        structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else _line,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processors=last
        )
    )
    root = logging.getLogger()
    for old in [each for each in root.handlers if getattr(each, "karkhana", False)]:
        root.removeHandler(old)
    handler.karkhana = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.ERROR))


def _redacted(redactor: Redactor) -> Processor:
    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: _clean(redactor, value) for key, value in event.items()}

    return redact


def _clean(redactor: Redactor, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    # an error, a path, whatever it is: it is its text that is written
    return redactor.text(value if isinstance(value, str) else str(value))


def _line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """One line for a person; nothing in it can drive the terminal or begin another line."""
    rest = dict(event)
    head = [str(rest.pop("timestamp", "")), f"{rest.pop('level', ''):<8}", _visible(str(rest.pop("event", "")))]
    trace = rest.pop("exception", None)
    rest.pop("logger", None)
    words = [f"{key}={_quoted(value)}" for key, value in rest.items() if value is not None and value != ""]
    text = " ".join([*head, *words])
    return text if trace is None else "\n    ".join([text, *map(_visible, str(trace).splitlines())])


def _quoted(value: object) -> str:
    text = _visible(str(value))
    return text if text and " " not in text and '"' not in text else '"' + text.replace('"', '\\"') + '"'


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class RunLog:
    """Logs what a worker does (:class:`karkhana.factory.watching.Watch`); its lines name the run."""

    def __init__(self, worker: str = "") -> None:
        self._worker = worker
        self._log = structlog.get_logger("karkhana.run")

    def taken_over(self) -> None:
        """A run of a worker that died was taken over."""
        self._log.warning("run.taken_over")

    @contextmanager
    def run(self, run_id: str, task_id: str) -> Iterator["RunLog"]:
        """Around one execution of a run: whatever is logged in its thread names it."""
        with bound_contextvars(run=run_id, task=task_id):
            self._log.info("run.begun")
            try:
                yield self
            finally:
                self._log.info("run.left")

    def event(self, event: ev.AnyEvent) -> None:
        """The events that say how a run goes; never what people or models wrote."""
        match event:
            case ev.StatusChanged(status=status):
                self._log.info("run.status", status=status.value)
            case ev.GateFinished(result=result):
                self._log.info("gate.finished", gate=result.gate, status=result.status.value)
            case ev.DecisionMade(decision=decision):
                self._log.info("decision.made", verdict=decision.verdict.value, approval=decision.needs_approval)
            case ev.StepRetried(step=step, attempt=attempt, error=error):
                self._log.warning("step.retried", step=step, attempt=attempt, error=error)
            case ev.RunFinished(status=status, code=code):
                self._log.info("run.finished", status=status.value, code=code)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Around a step: whatever is logged within names it."""
        with bound_contextvars(step=name):
            yield
