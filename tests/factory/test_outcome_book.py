"""Outcomes from the trail to the next score: kept once, spread once, made again from the trails."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from karkhana.domain import events as ev
from karkhana.domain.autonomy import Cause, LevelChange
from karkhana.domain.changes import Change
from karkhana.domain.confidence import Component, Confidence
from karkhana.domain.errors import InvalidInput, UnknownRun
from karkhana.domain.lessons import Credit, Role, Verdict, taught
from karkhana.domain.outcomes import Label, ScoredChange, SignKind
from karkhana.domain.policy import Autonomy, Policy
from karkhana.domain.routes import RouteOutcome
from karkhana.domain.settings import OutcomeSettings
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import Order, Status, TaskType, Ticket
from karkhana.factory.configuration import load_settings
from karkhana.factory.outcomes import OutcomeBook, make_sign, outcome_book
from karkhana.factory.stores import Stores, open_stores
from karkhana.factory.trials import past_tickets
from karkhana.learning.failure_patterns import recurring
from karkhana.learning.outcomes.track_record import Kind

IN, ON, _ = Autonomy
CREDITS = (Credit(subject="template:a", circumstance="KeyError", role=Role.USED),)
CONFIDENCE = Confidence(
    score=0.8,
    raw=0.82,
    components=(Component(name="coverage", value=1.0, weight=1.0, because=""),),
    weights_version="1",
)
KIND = Kind(type="bugfix", engineer="llm", model="large", strategy="plain@1")


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    settings = msgspec.structs.replace(load_settings({}), outcomes=OutcomeSettings(window_days=0.001))
    with open_stores(settings) as opened:
        yield opened


@pytest.fixture
def book(stores: Stores) -> OutcomeBook:
    return outcome_book(stores)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, "def total():\n    return 1\n", "start")
    return folder


def git(folder: Path, *words: str) -> str:
    who = {f"GIT_{role}_{key}": "t@localhost" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | who
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env=env)
    return done.stdout.decode().strip()


def commit(folder: Path, text: str, message: str) -> str:
    (folder / "cart.py").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def run(stores: Stores, repository: Path, *ending: ev.AnyEvent, trial: str = "") -> str:
    """The trail of a run that a model worked on by a strategy."""
    order = Order(ticket=Ticket(text="t"), repository=str(repository), commit="a" * 40, trial=trial)
    claim = stores.tasks.add_and_claim(order, "worker", 20.0)[1]
    trail = stores.events.trail(claim.run_id)
    for event in (
        ev.RunStarted(task_id=claim.task_id, order=order, version="1"),
        ev.WorkspaceOpened(commit="a" * 40, engineer="llm", attempt=2),
        ev.StrategyChosen(
            engineer="llm", attempt=2, strategy=Strategy(name="plain"), model="large", propensity=1.0, options=()
        ),
        ev.ModelAnswered(turn=1, purpose="work", model="large", place="cloud/large-1", answer={}),
        ev.ChangeHandedOver(
            change=Change(base="a" * 40, files=(), patch="", summary="", engineer="llm", title="Mend total()")
        ),
        ev.ScoreComputed(confidence=CONFIDENCE),
        ev.LessonsLearned(verdict=Verdict.GOOD, lessons=taught(CREDITS, Verdict.GOOD), credits=CREDITS),
        *ending,
    ):
        trail.record(event)
    return claim.run_id


def delivered(stores: Stores, book: OutcomeBook, repository: Path) -> tuple[str, str]:
    """A run whose change stands in the main line."""
    name = commit(repository, "def total():\n    return 2\n", "Mend total()")
    run_id = run(stores, repository, ev.Delivered(branch="karkhana/x", commit=name))
    book.keep(run_id)
    return run_id, name


def labels(book: OutcomeBook) -> list[Label]:
    return [outcome.label for outcome in book.all()]


def told(book: OutcomeBook) -> dict[str, tuple[str, str, bool]]:
    return {o.reference.split(":")[0]: (o.pool, o.rung, o.passed) for _, o in book.routes.outcomes()}


def test_a_delivered_change_is_pending_then_good(stores: Stores, book: OutcomeBook, repository: Path) -> None:
    run_id, name = delivered(stores, book, repository)
    (outcome,) = book.all()
    assert (outcome.label, outcome.change.model, outcome.change.strategy) == (Label.PENDING, "large", "plain@1")
    assert (outcome.change.raw, outcome.change.components) == (0.82, {"coverage": 1.0})
    later = outcome.change.at + 1000
    assert book.sync(str(repository), now=later).landed == 1
    assert labels(book) == [Label.GOOD]
    assert book.sync(str(repository), now=later).landed == 0
    landed = [e.event for e in stores.events.entries(run_id) if isinstance(e.event, ev.ChangeLanded)]
    assert [event.commit for event in landed] == [name]
    assert book.record(KIND).good == 1
    assert book.record(KIND).mean > book.record(Kind(type="deps", engineer="symbolic")).mean


def test_a_revert_is_found_once_and_told_to_everybody(stores: Stores, book: OutcomeBook, repository: Path) -> None:
    run_id, name = delivered(stores, book, repository)
    assert told(book) == {
        "run": ("", "llm", True),
        "strategy": ("strategy:large", "plain@1", True),
        "place": ("", "cloud/large-1", True),
    }
    commit(repository, "def total():\n    return 1\n", f"Undo\n\nThis reverts commit {name}.")
    assert [sign.kind for sign in book.sync(str(repository)).signs] == [SignKind.REVERTED]
    assert book.sync(str(repository)).signs == ()
    assert labels(book) == [Label.BAD]
    assert told(book) == {
        "run": ("", "llm", False),
        "strategy": ("strategy:large", "plain@1", False),
        "place": ("", "cloud/large-1", False),
    }
    assert [(x.good, x.bad) for x in book.lessons.recall(str(repository))] == [(0.0, 1.0)]
    assert len(book.routes.outcomes()) == 3
    observed = [e.event for e in stores.events.entries(run_id) if isinstance(e.event, ev.OutcomeObserved)]
    assert len(observed) == 1
    assert stores.events.verify(run_id) == []


def test_a_sign_that_is_taken_back_takes_its_consequences_back(
    stores: Stores, book: OutcomeBook, repository: Path
) -> None:
    run_id, _ = delivered(stores, book, repository)
    incident = make_sign(run_id, SignKind.INCIDENT, reference="INC-1", comment="requests time out", by="eve")
    assert book.add(incident)
    assert not book.add(incident)
    assert (labels(book), book.all()[0].cause) == ([Label.BAD], "performance")
    assert book.add(make_sign(run_id, SignKind.CLEARED, reference=incident.sign_id, comment="was not it", by="eve"))
    assert labels(book) == [Label.PENDING]
    assert told(book)["strategy"] == ("strategy:large", "plain@1", True)


def test_a_refused_change_is_bad_at_once(stores: Stores, book: OutcomeBook, repository: Path) -> None:
    refused = ev.ApprovalGiven(approved=False, by="eve", comment="this is hard-coded")
    book.keep(run(stores, repository, refused, ev.RunFinished(status=Status.REJECTED)))
    (outcome,) = book.all()
    assert (outcome.label, outcome.cause, outcome.change.commit) == (Label.BAD, "overfit", "")
    assert (book.record(KIND).good, book.record(KIND).bad) == (0, 1)


def test_what_has_no_ending_and_trials_have_no_outcome(stores: Stores, book: OutcomeBook, repository: Path) -> None:
    unfinished = run(stores, repository)
    book.keep(unfinished)
    book.keep(run(stores, repository, ev.Delivered(branch="b", commit="c" * 40), trial="{}"))
    assert book.all() == ()
    sign = make_sign(unfinished, SignKind.INCIDENT, reference="INC-1", comment="", by="eve")
    with pytest.raises(InvalidInput, match="no change"):
        book.add(sign)
    with pytest.raises(UnknownRun):
        book.add(msgspec.structs.replace(sign, run_id="run_none"))


def test_the_store_is_made_again_from_the_trails(stores: Stores, book: OutcomeBook, repository: Path) -> None:
    _, name = delivered(stores, book, repository)
    later = book.all()[0].change.at + 1000
    commit(repository, "def total():\n    return 1\n", f"This reverts commit {name}")
    book.sync(str(repository), now=later)
    other, _ = delivered(stores, book, repository)
    book.add(make_sign(other, SignKind.FINDING_DISMISSED, reference="ruff:S101", comment="fine", by="eve"))
    book.sync(str(repository), now=later)
    before, signs, known = book.all(), book.store.signs(), told(book)
    assert book.rebuild() == 2
    book.sync(str(repository), now=later)
    assert book.all() == before
    assert (book.store.signs(), told(book)) == (signs, known)


def on_the_loop(book: OutcomeBook, repository: Path) -> None:
    """A person has granted the level before."""
    word = LevelChange(
        repository=str(repository), task_type="bugfix", at=0.0, level=ON, previous=IN, cause=Cause.PERSON, by="asha"
    )
    book.levels.store.add(word)


def test_a_bad_outcome_takes_the_level_away_in_the_same_search(
    stores: Stores,
    book: OutcomeBook,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("KARKHANA_POLICY_AUTONOMY_LIMIT", ON.value)
    on_the_loop(book, repository)
    run_id, name = delivered(stores, book, repository)
    assert len(book.levels.store.history()) == 1
    commit(repository, "def total():\n    return 1\n", f"This reverts commit {name}.")
    book.sync(str(repository))
    fallen = book.levels.store.history(str(repository), "bugfix")[-1]
    assert (fallen.previous, fallen.level, fallen.cause, fallen.run_id) == (ON, IN, Cause.BAD_OUTCOME, run_id)
    assert [e.event.change for e in stores.events.entries(run_id) if isinstance(e.event, ev.AutonomyChanged)] == [
        fallen
    ]
    (line,) = [r for r in caplog.records if r.name == "karkhana.autonomy"]
    assert line.levelname == "WARNING"
    assert run_id in line.getMessage()
    book.sync(str(repository))
    book.rebuild()
    book.sync(str(repository))
    assert book.levels.store.history(str(repository))[-1] == fallen
    assert stores.events.verify(run_id) == []


def test_a_worker_that_died_before_the_event_is_made_up_for(
    stores: Stores, book: OutcomeBook, repository: Path
) -> None:
    on_the_loop(book, repository)
    run_id, _ = delivered(stores, book, repository)
    row = LevelChange(
        repository=str(repository),
        task_type="bugfix",
        at=5.0,
        level=IN,
        previous=ON,
        cause=Cause.BAD_OUTCOME,
        run_id=run_id,
    )
    assert book.levels.store.add(row)
    book.add(make_sign(run_id, SignKind.ROLLED_BACK, reference="deployment 7", comment="", by="eve"))
    assert [e.event.change for e in stores.events.entries(run_id) if isinstance(e.event, ev.AutonomyChanged)] == [row]


def test_the_drift_alarm_is_told_though_the_level_has_fallen_before(
    stores: Stores, book: OutcomeBook, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(33):
        order = Order(ticket=Ticket(text="t"), repository=str(repository), commit="a" * 40)
        run_id = stores.tasks.add_and_claim(order, "worker", 20.0)[1].run_id
        at = float(number)
        change = ScoredChange(
            run_id=run_id, repository=str(repository), type="bugfix", engineer="llm", score=0.95, commit="b" * 40, at=at
        )
        book.store.keep(change)
        book.store.land(run_id, "b" * 40, at)
        if number == 29:
            book.store.watched(str(repository), 1e9)
            book.levels.look(str(repository), "bugfix", book.all(), Policy())
        if number >= 30:
            book.add(make_sign(run_id, SignKind.INCIDENT, reference="INC", comment="", by="eve"))
    history = book.levels.store.history(str(repository), "bugfix")
    assert [(c.previous, c.level, c.cause) for c in history] == [
        (IN, ON, Cause.GUARANTEE),
        (ON, IN, Cause.BAD_OUTCOME),
        (IN, IN, Cause.DRIFT),
    ]
    assert history[-1].run_id == run_id
    assert [e.event.change for e in stores.events.entries(run_id) if isinstance(e.event, ev.AutonomyChanged)] == [
        history[-1]
    ]
    assert [r.levelname for r in caplog.records if r.name == "karkhana.autonomy"] == ["WARNING", "WARNING"]
    book.levels.look(str(repository), "bugfix", book.all(), Policy())
    assert book.levels.store.history(str(repository), "bugfix") == history


def test_every_kind_of_sign_comes_again_from_the_trails(stores: Stores, book: OutcomeBook, repository: Path) -> None:
    _, name = delivered(stores, book, repository)
    git(repository, "checkout", "--quiet", "-b", "karkhana/x", name)
    commit(repository, "def total():\n    return 5\n", "Better so")
    git(repository, "checkout", "--quiet", "main")
    fix = commit(repository, "def total():\n    return 3\n", "Fix total()")
    commit(repository, "def total():\n    return 2\n", f"This reverts commit {fix}.")
    refused = ev.ApprovalGiven(approved=False, by="eve", comment="no")
    book.keep(run(stores, repository, refused, ev.RunFinished(status=Status.REJECTED)))
    sent = ev.Delivered(branch="karkhana/y", commit="c" * 40)
    taken_back = run(stores, repository, sent, ev.RunFinished(status=Status.ROLLED_BACK, reason="errors"))
    book.keep(taken_back)
    for kind, reference in (("rolled_back", "deployment 7"), ("incident", "INC-1"), ("finding_dismissed", "ruff:S101")):
        sign = make_sign(taken_back, SignKind(kind), reference=reference, comment="", by="eve")
        assert book.add(sign)
        assert not book.add(sign)
    book.add(make_sign(taken_back, SignKind.CLEARED, reference=sign.sign_id, comment="", by="eve"))
    later = book.all()[0].change.at + 1000
    book.sync(str(repository), now=later)
    before, signs, known = book.all(), book.store.signs(), told(book)
    assert {sign.kind for some in signs.values() for sign in some} == set(SignKind) - {SignKind.REVERTED}
    for _ in range(2):
        book.rebuild()
        book.sync(str(repository), now=later)
        assert (book.all(), book.store.signs(), told(book)) == (before, signs, known)


def test_an_outcome_that_others_recorded_stays(stores: Stores, book: OutcomeBook, repository: Path) -> None:
    name = commit(repository, "def total():\n    return 2\n", "Mend total()")
    run_id = run(stores, repository, ev.Delivered(branch="karkhana/x", commit=name))
    recorded = RouteOutcome(reference=f"run:{run_id}:llm", at=5.0, pool="", task_type="bugfix", rung="llm", passed=True)
    book.routes.record(recorded)
    book.keep(run_id)
    assert book.routes.outcome(recorded.reference) == recorded


def test_a_repository_that_is_gone_is_told_and_others_are_searched(
    stores: Stores, book: OutcomeBook, repository: Path, tmp_path: Path
) -> None:
    delivered(stores, book, repository)
    book.keep(run(stores, tmp_path / "gone", ev.Delivered(branch="b", commit="c" * 40)))
    found = {Path(synced.repository).name: synced for synced in book.sync_all()}
    assert (found["shop"].landed, found["shop"].problem) == (1, "")
    assert "gone" in found["gone"].problem
    with pytest.raises(InvalidInput, match="nowhere"):
        book.sync(str(repository), branch="nowhere")


def test_an_incident_is_traced_from_its_fix_to_the_change(stores: Stores, book: OutcomeBook, repository: Path) -> None:
    run_id, name = delivered(stores, book, repository)
    fix = commit(repository, "def total():\n    return 3\n", "Mend orders, INC-7")
    assert book.traced(str(repository), fix) == (run_id,)
    with pytest.raises(InvalidInput, match="no line"):
        book.traced(str(repository), name)


def test_causes_and_references_are_checked() -> None:
    with pytest.raises(InvalidInput, match="bad luck"):
        make_sign("run_1", SignKind.INCIDENT, reference="INC-1", comment="", by="eve", cause="bad luck")
    with pytest.raises(InvalidInput, match="false alarm"):
        make_sign("run_1", SignKind.FINDING_DISMISSED, reference="", comment="", by="eve")
    with pytest.raises(InvalidInput, match="taken back"):
        make_sign("run_1", SignKind.CLEARED, reference="", comment="", by="eve")


def test_a_ticket_whose_change_was_reverted_is_not_solved_and_the_cause_is_a_pattern(
    stores: Stores, book: OutcomeBook, repository: Path
) -> None:
    run_id, name = delivered(stores, book, repository)
    stores.runs.finish(run_id, 1, Status.DELIVERED, b"{}")
    assert [past.solved for past in past_tickets(stores, TaskType.BUGFIX)] == [True]
    commit(repository, "def total():\n    return 1\n", f"Hard-coded\n\nThis reverts commit {name}.")
    book.sync(str(repository))
    (past,) = past_tickets(stores, TaskType.BUGFIX)
    assert not past.solved
    assert [pattern.name for pattern, _ in recurring([past.events()], least=1)] == ["overfit"]
