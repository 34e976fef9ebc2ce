"""Figures for Prometheus: how the factory stands (from the database), and what this process does.

Each process has a registry of its own. Labels are statuses, types, names of gates, steps, models and doors: nothing
that a ticket or a person wrote, and never more than :data:`MOST` of a kind. Knows nothing of who may read them.

Source: https://prometheus.io/docs/practices/naming/.

>>> metrics = WorkerMetrics(CollectorRegistry())
>>> metrics.taken_over()
>>> metrics.registry.get_sample_value("karkhana_lease_takeovers_total")
1.0
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from karkhana import __version__
from karkhana.domain import events as ev
from karkhana.domain.errors import KarkhanaError
from karkhana.storage.database import Database
from karkhana.storage.figures import SCORES, Figures, figures
from karkhana.storage.tables import SCHEMA_VERSION

MOST = 64
"""Values of a label whose values are not ours; the next ones are ``other``."""
FRESH_S = 15.0
"""Seconds for which figures from the database are not asked for again."""
STEP_BOUNDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_Key = tuple[str, ...]


class Bounded:
    """Names as they come, up to :data:`MOST` of them.

    >>> seen = Bounded(2)
    >>> [seen(name) for name in ("a", "b", "c", "a")]
    ['a', 'b', 'other', 'a']
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        if name not in self._known:
            if len(self._known) >= self._most:
                return "other"
            self._known.add(name)
        return name


def new_registry() -> CollectorRegistry:
    """An empty one, but for this process's memory, processor time and files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class FactoryMetrics(Collector):
    """How the factory stands. Asked for at most every :data:`FRESH_S` seconds, whoever asks."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = Lock()
        self._found: Figures | None = None
        self._at = 0.0

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All families; of an unreachable database only that it is so."""
        told = {"version": __version__, "schema": SCHEMA_VERSION, "database": self._database.kind}
        yield InfoMetricFamily("karkhana_build", "This program.", told)
        try:
            found = self._figures()
        except KarkhanaError:
            yield GaugeMetricFamily("karkhana_database_up", "1 when the database could be read.", 0)
            return
        yield GaugeMetricFamily("karkhana_database_up", "1 when the database could be read.", 1)
        yield from _tasks(found)
        yield from _runs(found)
        yield from _money(found)
        yield from _outboxes(found)

    def _figures(self) -> Figures:
        with self._lock:
            if self._found is None or self._clock() - self._at > FRESH_S:
                self._found = figures(self._database)
                self._at = self._clock()
            return self._found


def _tasks(found: Figures) -> Iterator[Metric]:
    family = GaugeMetricFamily("karkhana_tasks", "Tasks by status.", labels=["status"])
    for status, count in found.tasks.items():
        family.add_metric([status], count)
    yield family
    yield GaugeMetricFamily(
        "karkhana_queue_oldest_seconds", "Age of the oldest task that could be begun.", found.oldest_ready_s
    )
    yield GaugeMetricFamily(
        "karkhana_review_oldest_seconds", "Age of the oldest run that waits for a person.", found.oldest_review_s
    )


def _runs(found: Figures) -> Iterator[Metric]:
    yield _counted("karkhana_runs_started", "Runs.", ["type"], {(kind,): n for kind, n in found.started.items()})
    labels = ["outcome", "type", "engineer"]
    engineer = Bounded()
    named = dict[_Key, float]()
    for (status, kind, name), count in found.finished.items():
        key = (status, kind, engineer(name))
        named[key] = named.get(key, 0) + count
    yield _counted("karkhana_runs_finished", "Runs that ended.", labels, named)
    family = GaugeMetricFamily(
        "karkhana_runs_open", "Runs that have not ended: held by a worker, overdue, or parked.", labels=["lease"]
    )
    for name, count in (("held", found.held), ("overdue", found.overdue), ("parked", found.parked)):
        family.add_metric([name], count)
    yield family
    scores = HistogramMetricFamily("karkhana_run_score", "Scores of changes.")
    total, buckets = 0, list[tuple[str, float]]()
    for bound, count in zip(SCORES, found.scores, strict=True):
        total += count
        buckets.append((str(bound), total))
    scores.add_metric([], [*buckets, ("+Inf", total)], found.score_sum)
    yield scores


def _money(found: Figures) -> Iterator[Metric]:
    place = Bounded()
    calls, costs = dict[_Key, float](), dict[_Key, float]()
    for (provider, model), (count, usd) in found.costs.items():
        named = place(f"{provider}\n{model}")
        key = tuple(named.split("\n")) if "\n" in named else ("other", "other")
        calls[key] = calls.get(key, 0) + count
        costs[key] = costs.get(key, 0) + usd
    labels = ["provider", "model"]
    yield _counted("karkhana_model_calls", "Calls of models, as the ledger has them.", labels, calls)
    yield _counted("karkhana_model_cost_usd", "US dollars, as far as prices are known.", labels, costs)


def _outboxes(found: Figures) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("karkhana_outbox_waiting", "What waits to be sent.", labels=["outbox"])
    oldest = GaugeMetricFamily("karkhana_outbox_oldest_seconds", "Age of the oldest of it.", labels=["outbox"])
    for name, outbox in found.outboxes.items():
        waiting.add_metric([name], outbox.count)
        oldest.add_metric([name], outbox.oldest_s)
    yield from (waiting, oldest)


def _counted(name: str, told: str, labels: list[str], counts: Mapping[_Key, float]) -> Metric:
    family = CounterMetricFamily(name, told, labels=labels)
    for key, count in counts.items():
        family.add_metric(list(key), count)
    return family


class WorkerMetrics:
    """What a worker does (:class:`karkhana.factory.watching.Watch`)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._takeovers = Counter(
            "karkhana_lease_takeovers", "Runs taken over from workers that died.", registry=registry
        )
        self._busy = Gauge("karkhana_worker_runs", "Runs that this worker carries out.", registry=registry)
        self._steps = Histogram(
            "karkhana_step_seconds",
            "Seconds of the line's steps; a recorded one takes none.",
            ["step"],
            buckets=STEP_BOUNDS,
            registry=registry,
        )
        self._gates = Histogram(
            "karkhana_gate_seconds", "Seconds of gates.", ["gate"], buckets=STEP_BOUNDS, registry=registry
        )
        self._results = Counter("karkhana_gate_results", "What gates found.", ["gate", "status"], registry=registry)
        self._decisions = Counter("karkhana_decisions", "Decisions.", ["verdict"], registry=registry)
        self._answers = Histogram(
            "karkhana_model_answer_seconds",
            "Seconds until a model had answered an engineer.",
            ["model"],
            buckets=STEP_BOUNDS,
            registry=registry,
        )
        self._retries = Counter(
            "karkhana_step_retries", "Tries of steps that failed for the machinery.", ["step"], registry=registry
        )
        self._model, self._step = Bounded(), Bounded()

    def taken_over(self) -> None:
        """A run of a worker that died was taken over."""
        self._takeovers.inc()

    @contextmanager
    def run(self, run_id: str, task_id: str) -> Iterator["_Watched"]:
        """Around one execution of a run."""
        with self._busy.track_inprogress():
            yield _Watched(self)

    def _seen(self, event: ev.AnyEvent, since_s: float) -> None:
        match event:
            case ev.GateFinished(result=result):
                self._gates.labels(result.gate).observe(since_s)
                self._results.labels(result.gate, result.status.value).inc()
            case ev.DecisionMade(decision=decision):
                self._decisions.labels(decision.verdict.value).inc()
            case ev.ModelAnswered(model=model, duration_s=seconds):
                self._answers.labels(self._model(model)).observe(seconds)
            case ev.StepRetried(step=step):
                self._retries.labels(self._step(step)).inc()

    def _stepped(self, name: str, seconds: float) -> None:
        self._steps.labels(self._step(name)).observe(seconds)


class _Watched:
    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._last = time.monotonic()

    def event(self, event: ev.AnyEvent) -> None:
        # gates measure one after the other in the run's thread: each begins where the event before was stored
        now = time.monotonic()
        self._metrics._seen(event, now - self._last)
        self._last = now

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = self._last = time.monotonic()
        try:
            yield
        finally:
            self._metrics._stepped(name, time.monotonic() - began)
