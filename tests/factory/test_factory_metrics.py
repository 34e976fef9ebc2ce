"""What Prometheus is told: names, labels, how often the database is asked, and who may read it."""

import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import CollectorRegistry
from short_lines import ShortRun, repository, settings

from components import need
from karkhana.domain import events as ev
from karkhana.domain.errors import InvalidInput
from karkhana.domain.policy import Decision, Verdict
from karkhana.factory.metrics import MOST, Bounded, FactoryMetrics, WorkerMetrics, new_registry
from karkhana.factory.metrics_access import allowed
from karkhana.factory.metrics_server import serving_metrics
from karkhana.factory.stores import Stores, open_stores
from karkhana.factory.watching import Watches

PROMTOOL = Path("/usr/bin/promtool")
TOKEN = "t" * 20


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    with open_stores(settings()) as opened:
        yield opened


def watched(registry: CollectorRegistry, *events: ev.AnyEvent) -> WorkerMetrics:
    metrics = WorkerMetrics(registry)
    with Watches([metrics]).run("run_1", "BUILD-1") as seen:
        assert registry.get_sample_value("karkhana_worker_runs") == 1
        with seen.step("verify"):
            for event in events:
                seen.event(event)
    return metrics


def test_a_worker_tells_gates_decisions_models_and_steps(stores: Stores, tmp_path: Path) -> None:
    run = ShortRun(stores, repository(tmp_path / "repository"))
    registry = new_registry()
    decision = ev.DecisionMade(decision=Decision(verdict=Verdict.REVIEW, needs_approval=True, reason="low"))
    gates = [ev.GateFinished(result=result) for result in run.done["verify"].evidence.gates]
    answered = ev.ModelAnswered(turn=1, purpose="work", model="m", answer={}, duration_s=3.0)
    metrics = watched(registry, *gates, decision, answered, ev.StepRetried(step="verify", attempt=1, error="x"))
    metrics.taken_over()
    value = registry.get_sample_value
    assert value("karkhana_gate_seconds_count", {"gate": gates[0].result.gate}) == 1
    assert value("karkhana_gate_results_total", {"gate": gates[0].result.gate, "status": "passed"}) == 1
    assert value("karkhana_decisions_total", {"verdict": "review"}) == 1
    assert value("karkhana_model_answer_seconds_sum", {"model": "m"}) == 3.0
    assert value("karkhana_step_seconds_count", {"step": "verify"}) == 1
    assert value("karkhana_step_retries_total", {"step": "verify"}) == 1
    assert value("karkhana_lease_takeovers_total") == 1
    assert value("karkhana_worker_runs") == 0
    assert value("process_resident_memory_bytes") is not None


def test_the_number_of_names_is_bounded() -> None:
    registry = CollectorRegistry()
    answers = [
        ev.ModelAnswered(turn=1, purpose="work", model=f"model-{number}", answer={}) for number in range(3 * MOST)
    ]
    watched(registry, *answers)
    names = {
        sample.labels["model"]
        for metric in registry.collect()
        if metric.name == "karkhana_model_answer_seconds"
        for sample in metric.samples
    }
    assert len(names) == MOST + 1
    assert registry.get_sample_value("karkhana_model_answer_seconds_count", {"model": "other"}) == 2 * MOST
    assert Bounded(1)("a") == "a"


def test_the_factory_is_counted_and_nothing_that_was_written_to_it_is_told(stores: Stores, tmp_path: Path) -> None:
    run = ShortRun(stores, repository(tmp_path / "secret-place"), by="asha")
    run.go()
    registry = CollectorRegistry()
    registry.register(FactoryMetrics(stores.database))
    text = generate_latest(registry).decode()
    assert 'karkhana_tasks{status="waiting_for_review"} 1.0' in text
    assert 'karkhana_runs_started_total{type="bugfix"} 1.0' in text
    assert 'karkhana_runs_open{lease="held"} 1.0' in text
    assert "karkhana_database_up 1.0" in text
    for untold in ("asha", "total() is wrong", "secret-place", run.run_id):
        assert untold not in text


def test_the_database_is_not_asked_at_every_scrape(stores: Stores, tmp_path: Path) -> None:
    now = [0.0]
    registry = CollectorRegistry()
    registry.register(FactoryMetrics(stores.database, lambda: now[0]))
    assert registry.get_sample_value("karkhana_runs_started_total", {"type": "bugfix"}) is None
    ShortRun(stores, repository(tmp_path / "repository"))
    assert registry.get_sample_value("karkhana_runs_started_total", {"type": "bugfix"}) is None
    now[0] = 16.0
    assert registry.get_sample_value("karkhana_runs_started_total", {"type": "bugfix"}) == 1


def test_a_database_that_is_away_is_told_as_such(stores: Stores) -> None:
    registry = CollectorRegistry()
    registry.register(FactoryMetrics(stores.database))
    with stores.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE webhook_feed RENAME TO gone")
    stores.database.engine.dispose()
    Path(stores.database.where).write_bytes(b"no database at all, " * 1000)
    assert registry.get_sample_value("karkhana_database_up") == 0
    assert registry.get_sample_value("karkhana_tasks", {"status": "queued"}) is None


def test_prometheus_finds_nothing_wrong_with_it(stores: Stores, tmp_path: Path) -> None:
    need(PROMTOOL.exists(), "the Debian package prometheus")
    ShortRun(stores, repository(tmp_path / "repository")).go()
    registry = new_registry()
    registry.register(FactoryMetrics(stores.database))
    watched(registry)
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def fetched(port: int, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_worker_serves_its_figures_to_this_machine() -> None:
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    with serving_metrics(registry, "127.0.0.1", 0, token="") as port:
        status, text = fetched(port)
        assert (status, "karkhana_lease_takeovers_total 0.0" in text) == (200, True)
        assert fetched(port, "/healthz") == (200, "ok\n")
        assert fetched(port, "/other")[0] == 404
        assert fetched(port, Host="evil.example")[0] == 403
        with (
            pytest.raises(InvalidInput, match="cannot be used"),
            serving_metrics(registry, "127.0.0.1", port, token=""),
        ):
            pass


def test_a_token_is_asked_for_when_there_is_one() -> None:
    with serving_metrics(CollectorRegistry(), "127.0.0.1", 0, token=TOKEN) as port:
        assert fetched(port)[0] == 403
        assert fetched(port, Authorization=f"Bearer {TOKEN}x")[0] == 403
        assert fetched(port, Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize(
    ("headers", "peer", "right"),
    [
        ({"host": "localhost:8321"}, "127.0.0.1", True),
        ({"host": "[::1]:8321"}, "::1", True),
        ({"host": "127.0.0.1"}, "127.0.0.1", True),
        ({"host": "127.0.0.1:8321"}, "10.0.0.9", False),
        ({"host": "127.0.0.1:8321", "x-forwarded-for": "10.0.0.9"}, "127.0.0.1", False),
        ({"host": "factory.example"}, "127.0.0.1", False),
        ({}, "127.0.0.1", False),
        ({"host": "127.0.0.1:8321"}, "", False),
    ],
)
def test_who_may_read_without_a_token(headers: dict[str, str], peer: str, right: bool) -> None:
    assert allowed(headers, peer, token="") is right
