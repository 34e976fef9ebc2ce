"""Traces as a real collector gets them: of a run with its steps, tools, gates and models; joined with the delivery."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from otlp_receiver import Collector, attributes, collecting
from short_lines import Parked, Prepared, ShortRun, repository, settings

from karkhana.domain import events as ev
from karkhana.domain.tasks import Status
from karkhana.factory.line import ship
from karkhana.factory.stores import Stores, open_stores
from karkhana.factory.traces import Traces
from karkhana.factory.tracing import tracing
from karkhana.factory.watching import WatchedEngine, Watches

ERROR = 2


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    with open_stores(settings()) as opened:
        yield opened


def events_of(run: ShortRun) -> list[ev.AnyEvent]:
    gate = run.done["verify"].evidence.gates[0]
    return [
        ev.RunStarted(task_id="BUILD-1", order=run.stores.tasks.order(run.claim.task_id), version="1"),
        ev.ToolCalled(turn=1, call={"tool": "run_tests", "words": "the secret plan"}),
        ev.ToolReturned(turn=1, duration_s=2.0, error="the secret plan"),
        ev.ModelAnswered(turn=1, purpose="work", model="m", answer={"text": "the secret plan"}, duration_s=3.0),
        ev.GateFinished(result=gate),
        ev.StepRetried(step="build", attempt=1, error="the secret plan"),
        ev.RunFinished(status=Status.FAILED, code="unsolved", reason="the secret plan"),
    ]


def test_a_run_is_one_trace_of_steps_tools_gates_and_models(
    stores: Stores, collector: Collector, tmp_path: Path
) -> None:
    events = events_of(ShortRun(stores, repository(tmp_path / "repository")))
    with tracing("karkhana-worker") as traces:
        assert traces is not None
        with Watches([traces]).run("run_1", "BUILD-1") as seen, seen.step("build"):
            for event in events:
                seen.event(event)
    run, step, tool = collector.named("run"), collector.named("step build"), collector.named("tool run_tests")
    assert {span.trace_id for span in collector.spans} == {run.trace_id}
    assert step.parent_span_id == run.span_id
    assert {span.parent_span_id for span in (tool, collector.named("chat m"))} == {step.span_id}
    assert tool.end_time_unix_nano - tool.start_time_unix_nano == 2_000_000_000
    assert tool.status.code == ERROR
    assert sum(span.name.startswith("gate ") for span in collector.spans) == 1
    assert [event.name for event in step.events] == ["step.retried"]
    told = attributes(run)
    assert (told["karkhana.run.id"], told["karkhana.task.id"]) == ("run_1", "BUILD-1")
    assert (told["karkhana.status"], told["karkhana.error"], run.status.code) == ("failed", "unsolved", ERROR)
    assert {each["service.name"] for each in collector.resources} == {"karkhana-worker"}
    assert "secret plan" not in str(collector.spans)


def test_the_real_line_is_seen_step_by_step(stores: Stores, collector: Collector, tmp_path: Path) -> None:
    run = ShortRun(stores, repository(tmp_path / "repository"))
    with tracing("karkhana-worker") as traces, Watches([traces] if traces else []).run(run.run_id, "BUILD-1") as seen:
        run.react = seen.event
        job, engine = run.job(), WatchedEngine(Prepared(run.engine, run.done), seen)  # type: ignore[arg-type]
        job.trail.record(ev.ChangeHandedOver(change=run.built.change))
        with pytest.raises(Parked, match="approval"):
            ship(job, engine)
    assert {"step plan", "step build", "step decide"} <= {span.name for span in collector.spans}
    assert attributes(collector.named("run"))["karkhana.verdict"] in ("review", "canary", "deploy")
    assert "total() is wrong" not in str(collector.spans)


def test_a_run_that_is_taken_over_and_its_delivery_are_in_the_same_trace(collector: Collector) -> None:
    for name in ("first", "second"):
        traces = Traces(name)
        with traces.run("run_1", "BUILD-1"):
            pass
        traces.close()
    door = Traces("door")
    with door.request("POST", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, stranger=True) as request:
        door.admitted("forge", "BUILD-1")
        door.answered(request, "POST", "/hooks/{name}", 202)
    door.close()
    first, second = [span for span in collector.spans if span.name == "run"]
    task, asked = collector.named("task"), collector.named("POST /hooks/{name}")
    assert first.trace_id == second.trace_id == task.trace_id != asked.trace_id
    assert first.parent_span_id == second.parent_span_id == task.span_id
    assert task.parent_span_id == b""
    assert [link.span_id for link in task.links] == [asked.span_id]
    assert task.span_id in [link.span_id for link in asked.links]
    assert asked.trace_id.hex() != "a" * 32, "a stranger does not choose our traces"
    assert "a" * 32 in [link.trace_id.hex() for link in asked.links]
    assert attributes(asked)["http.response.status_code"] == 202


def test_a_client_of_ours_continues_its_own_trace(collector: Collector) -> None:
    traces = Traces("serve")
    with traces.request("GET", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, stranger=False):
        pass
    traces.close()
    assert collector.named("GET").trace_id.hex() == "a" * 32


def test_a_share_of_the_tasks_is_the_same_share_in_every_process(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
    for _ in range(2):
        traces = Traces("worker")
        for number in range(40):
            with traces.run("run", f"BUILD-{number}"):
                pass
        traces.close()
    tasks = [attributes(span)["karkhana.task.id"] for span in collector.spans]
    assert 5 < len(tasks) / 2 < 35
    assert sorted(tasks) == sorted(2 * list(set(tasks)))
    assert {each["service.name"] for each in collector.resources} == {"ours"}


def test_a_collector_that_refuses_harms_nobody(collector: Collector) -> None:
    collector.refuse = True
    traces = Traces("worker")
    with traces.run("run_1", "BUILD-1"):
        pass
    traces.close()
    assert collector.spans == []


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"},
    ],
)
def test_nothing_is_made_unless_it_is_wanted(environ: dict[str, str]) -> None:
    with tracing("worker", environ) as traces:
        assert traces is None
