"""From the decision to the delivery through the real line: who is asked, whose word counts, and what a fall changes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from short_lines import Prepared, ShortRun, git, incident, repository, settings

from homes import ready_home
from karkhana.domain import events as ev
from karkhana.domain.autonomy import Cause
from karkhana.domain.policy import Autonomy
from karkhana.domain.tasks import Status
from karkhana.factory.autonomy import autonomy_book
from karkhana.factory.engine import DurableEngine
from karkhana.factory.engine_control import EndingKind
from karkhana.factory.line import ship
from karkhana.factory.stores import Stores, open_stores

IN, ON, OUT = (level.value for level in Autonomy)
Opening = Callable[..., Stores]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opening]:
    """Stores of a factory with a policy."""
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(tmp_path / "home")))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    closing: list[Any] = []

    def make(**policy: Any) -> Stores:
        for name, value in ({"audit_share": 0.0} | policy).items():
            monkeypatch.setenv(f"KARKHANA_POLICY_{name.upper()}", str(value))
        opening = open_stores(settings(**policy))
        closing.append(opening)
        return opening.__enter__()

    yield make
    for opening in closing:
        opening.__exit__(None, None, None)


def branches(folder: Path) -> str:
    return git(folder, "branch", "--list", "karkhana/*")


def test_out_of_the_loop_it_goes_ahead_alone(opened: Opening, shop: Path) -> None:
    run = ShortRun(opened(autonomy=OUT, autonomy_limit=OUT), shop)
    answered = ev.ModelAnswered(turn=1, purpose="work", model="m", answer={}, cost_usd="0.0125")
    run.job().trail.record(answered)
    ending = run.go()
    assert ending is not None
    assert ending.status is Status.DELIVERED
    assert run.stores.runs.get(run.run_id).cost_usd == 0.0125
    assert run.engine.waited == []
    assert branches(shop)
    assert len(run.events(ev.DecisionMade)) == 1


def test_in_the_loop_it_waits_unless_the_run_was_ordered_to_go_ahead(opened: Opening, shop: Path) -> None:
    stores = opened()
    run = ShortRun(stores, shop)
    assert run.go() is None
    assert [topic for topic, _ in run.engine.waited] == ["approval"]
    assert not branches(shop)
    ordered = ShortRun(stores, shop, auto=True).go()
    assert ordered is not None
    assert ordered.status is Status.DELIVERED


def test_an_audited_run_asks_a_person_although_it_could_go_alone(opened: Opening, shop: Path) -> None:
    run = ShortRun(opened(autonomy=OUT, autonomy_limit=OUT, audit_share=1.0), shop)
    assert run.go() is None
    assert "audit" in run.events(ev.DecisionMade)[-1].decision.reason
    run.answer()
    ending = run.go()
    assert ending is not None
    assert ending.status is Status.DELIVERED


def test_a_protected_path_asks_a_person_for_the_exact_diff_whatever_is_ordered(opened: Opening, tmp_path: Path) -> None:
    path = "shop/payments/total.py"
    folder = repository(tmp_path / "protected", path)
    run = ShortRun(opened(autonomy=OUT, autonomy_limit=OUT), folder, path=path, auto=True)
    assert run.go() is None
    assert [event.patch_sha256 for event in run.events(ev.ApprovalRequested)] == [run.built.digest]
    run.answer(sha256="0" * 64)
    run.answer(by="scripted")
    assert run.go() is None
    refused = run.events(ev.ApprovalRefused)
    assert [event.because for event in refused] == ["it was given for a different diff", "scripted made the change"]
    assert run.events(ev.ApprovalGiven) == []
    assert not branches(folder)
    run.answer()
    ending = run.go()
    assert ending is not None
    assert ending.status is Status.DELIVERED
    assert [(event.by, event.patch_sha256) for event in run.events(ev.ApprovalGiven)] == [("ravi", run.built.digest)]


def test_a_suspicious_ticket_asks_a_person_however_far_the_factory_may_go_alone(opened: Opening, shop: Path) -> None:
    run = ShortRun(opened(autonomy=OUT, autonomy_limit=OUT), shop, suspicions=("asks for secrets",))
    assert run.go() is None
    assert "asks for secrets" in run.events(ev.DecisionMade)[-1].decision.reason
    assert not branches(shop)


def test_with_four_eyes_an_answer_past_the_command_line_does_not_count_either(opened: Opening, shop: Path) -> None:
    run = ShortRun(opened(four_eyes=True), shop, by="asha")
    run.answer(by="asha")
    assert run.go() is None
    assert "asha ordered it" in run.events(ev.ApprovalRefused)[0].because
    run.answer(by="asha", approved=False)
    ending = run.go()
    assert ending is not None
    assert ending.status is Status.REJECTED


def test_after_a_bad_outcome_the_same_order_asks(opened: Opening, shop: Path) -> None:
    stores = opened(autonomy=OUT, autonomy_limit=OUT)
    first = ShortRun(stores, shop)
    assert first.go() is not None
    incident(stores, first.run_id)
    second = ShortRun(stores, shop)
    assert second.go() is None
    assert second.events(ev.AutonomyConsulted)[-1].standing.level is Autonomy.IN_THE_LOOP


def test_a_level_that_falls_between_decision_and_delivery_asks_a_person(opened: Opening, shop: Path) -> None:
    stores = opened(autonomy=OUT, autonomy_limit=OUT)
    first = ShortRun(stores, shop)
    first.go()
    run = ShortRun(stores, shop)
    fallen: list[bool] = []

    def fall(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.DecisionMade) and not fallen:
            fallen.append(True)
            incident(stores, first.run_id)

    run.react = fall
    assert run.go() is None
    decided = [(event.decision.needs_approval) for event in run.events(ev.DecisionMade)]
    assert decided == [False, True]
    history = autonomy_book(stores).store.history(str(shop), "bugfix")
    assert [(c.level, c.cause, c.run_id) for c in history] == [(Autonomy.IN_THE_LOOP, Cause.BAD_OUTCOME, first.run_id)]
    assert [event.change for event in first.events(ev.AutonomyChanged)] == history
    run.answer()
    assert run.go() is not None


def test_a_level_that_falls_to_the_one_with_a_veto_asks_a_person_too(opened: Opening, shop: Path) -> None:
    stores = opened(autonomy=OUT, autonomy_limit=OUT)
    run = ShortRun(stores, shop)
    told: list[bool] = []

    def hold(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.DecisionMade) and not told:
            told.append(True)
            policy = settings(autonomy=OUT, autonomy_limit=OUT).policy
            autonomy_book(stores).set(str(shop), "bugfix", Autonomy.ON_THE_LOOP, policy, by="ravi", because="a launch")

    run.react = hold
    assert run.go() is None
    assert [topic for topic, _ in run.engine.waited] == ["approval"]
    assert "so a person is asked" in run.events(ev.DecisionMade)[-1].decision.reason


def test_on_the_loop_it_is_announced_and_goes_ahead_when_nobody_stops_it(opened: Opening, shop: Path) -> None:
    run = ShortRun(opened(autonomy=ON, veto_s=600), shop)
    ending = run.go()
    assert ending is not None
    assert ending.status is Status.DELIVERED
    ((topic, seconds),) = run.engine.waited
    assert topic == "veto"
    assert seconds is not None
    assert 0 < seconds <= 600
    assert [event.patch_sha256 for event in run.events(ev.DeliveryAnnounced)] == [run.built.digest]
    assert "10 minutes" in run.events(ev.DecisionMade)[0].decision.reason


def test_on_the_loop_a_person_stops_it(opened: Opening, shop: Path) -> None:
    run = ShortRun(opened(autonomy=ON), shop)
    run.answer("veto", by="scripted")
    run.answer("veto", approved=False)
    ending = run.go()
    assert ending is not None
    assert ending.status is Status.REJECTED
    assert len(run.events(ev.ApprovalRefused)) == 1
    assert not branches(shop)


def test_a_level_that_falls_while_it_could_be_stopped_asks_a_person(opened: Opening, shop: Path) -> None:
    stores = opened(autonomy=ON)
    first = ShortRun(stores, shop)
    first.go()
    run = ShortRun(stores, shop)
    run.react = lambda event: incident(stores, first.run_id) if isinstance(event, ev.DeliveryAnnounced) else None
    assert run.go() is None
    assert [topic for topic, _ in run.engine.waited] == ["veto", "approval"]
    assert stores.runs.get(run.run_id).status is Status.WAITING_FOR_REVIEW


def test_without_time_for_a_veto_on_the_loop_goes_ahead_at_once(opened: Opening, shop: Path) -> None:
    run = ShortRun(opened(autonomy=ON, veto_s=0), shop)
    assert run.go() is not None
    assert run.events(ev.DeliveryAnnounced) == []


def test_the_time_for_a_veto_survives_the_death_of_its_worker(opened: Opening, shop: Path, tmp_path: Path) -> None:
    stores = opened(autonomy=ON, veto_s=600)
    run, now = ShortRun(stores, shop), [time.time()]

    def worker(epoch: int) -> EndingKind:
        """A process of its own, as far as the run can tell: nothing is left in memory."""
        endings: list[EndingKind] = []

        def line(_run_id: str, engine: DurableEngine) -> None:
            ship(run.job(epoch), Prepared(engine, run.done))

        with DurableEngine(
            line, stores.messages, home=tmp_path / "home", executor="node", clock=lambda: now[0]
        ) as engine:
            engine.ended = lambda _control, ending: endings.append(ending.kind)
            engine.start(run.run_id, epoch)
            assert engine.join([run.run_id], timeout_s=60)
        return endings[0]

    assert worker(1) is EndingKind.PARKED
    for epoch in (2, 3):
        stores.runs.release(run.run_id, epoch - 1)
        assert stores.runs.take_over(run.run_id, "worker", 3600.0) is not None
        if epoch == 3:
            now[0] += 601.0
        assert worker(epoch) is (EndingKind.PARKED if epoch == 2 else EndingKind.FINISHED)
    assert len(run.events(ev.DeliveryAnnounced)) == 1
    assert branches(shop)


def test_a_question_that_nobody_answers_in_time_ends_the_run_and_teaches_nothing(opened: Opening, shop: Path) -> None:
    stores = opened(approval_days=3)
    run = ShortRun(stores, shop)
    assert run.go() is None
    (asked,) = run.events(ev.ApprovalRequested)
    assert 3 * 86_400 - 60 < asked.until - time.time() <= 3 * 86_400
    run.engine.longest_s = 3 * 86_400.0
    ending = run.go()
    assert ending is not None
    assert (ending.status, ending.reason) == (Status.CANCELLED, "nobody answered within 3 days")
    assert [event.patch_sha256 for event in run.events(ev.ApprovalExpired)] == [run.built.digest]
    assert run.events(ev.LessonsLearned) == []
    assert not branches(shop)
    assert stores.runs.get(run.run_id).status is Status.CANCELLED


def test_an_answer_in_time_counts_and_without_a_time_the_question_stands(opened: Opening, shop: Path) -> None:
    run = ShortRun(opened(approval_days=0), shop)
    run.engine.longest_s = float("inf")
    assert run.go() is None
    assert run.events(ev.ApprovalRequested)[0].until is None
    run.answer()
    ending = run.go()
    assert ending is not None
    assert ending.status is Status.DELIVERED
