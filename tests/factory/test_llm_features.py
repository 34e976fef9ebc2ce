"""A feature ticket through the real line: acceptance tests first, then the work, with a fake provider behind them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.common import git, small_repository
from killed_workers import command_under_way, eventually, killed_worker, run_of, short_leases, status, worker
from model_provider import PRICE, Provider, asked, events_of, provider_at, says

from karkhana.domain import events as ev
from karkhana.domain.tasks import Status, TaskType
from karkhana.factory.approvals import answer, rewind
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order
from karkhana.factory.results import RunResult, exit_code
from karkhana.factory.stores import open_stores
from karkhana.storage.ledger_reading import LedgerReader

pytestmark = pytest.mark.slow

FILES = {
    "cart.py": "def total(prices):\n    return sum(prices)\n",
    "test_cart.py": "from cart import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
}
TICKET = "Give a discount: discounted(prices) takes a tenth off from ten items on."
CRITERIA = "\n\nAcceptance criteria:\n- ten items cost a tenth less\n- nine items cost what they cost\n"
TESTS = """from cart import discounted


def test_a1_ten():
    assert discounted([10] * 10) == 90


def test_a2_nine():
    assert discounted([10] * 9) == 90
"""
BUILT = """def total(prices):
    return sum(prices)


def discounted(prices):
    if len(prices) >= 10:
        return total(prices) * 9 / 10
    return total(prices)
"""
READ_CRITERIA = """
[[answer]]
says = "^<[\\\\w-]+>\\\\s+Give a discount[^\\\\n]+\\\\s+</[\\\\w-]+>$"
text = '{"criteria": ["ten items cost a tenth less", "nine items cost what they cost"]}'
"""
REVIEW = """
[[answer]]
says = "What its author says"
text = '{"findings": []}'
"""
WRITE = ("write_file", {"path": "test_discount.py", "content": TESTS})
BUILD = ("write_file", {"path": "cart.py", "content": BUILT})
TRY = ("run_tests", {})
PUSH = ("push_changes", {"title": "Give a discount", "summary": "Ten items cost a tenth less."})
SCRIPT = PRICE + READ_CRITERIA + REVIEW + "".join(says(n, each) for n, each in enumerate((WRITE, BUILD, TRY, PUSH), 1))


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with provider_at(tmp_path, monkeypatch, SCRIPT) as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return small_repository(tmp_path / "repository", FILES)


def work(repository: Path, ticket: str, engineer: str) -> RunResult:
    order, settings = make_order(ticket, repository, engineer=engineer, type=TaskType.FEATURE)
    return work_in_foreground(order, settings, lambda _event: None)


def judge_acceptance(found: list[ev.AnyEvent], source: str) -> None:
    """The tests came first, failed, and then passed and could fail."""
    written = next(event for event in found if isinstance(event, ev.AcceptanceTestsWritten))
    assert (written.source, len(written.criteria)) == (source, 2)
    assert [(test.name, test.criteria) for test in written.tests] == [
        ("test_discount.py::test_a1_ten", (1,)),
        ("test_discount.py::test_a2_nine", (2,)),
    ]
    assert all("discounted" in test.failed for test in written.tests)
    paths = [event.call["path"] for event in found if isinstance(event, ev.ToolCalled) and "content" in event.call]
    assert paths[0] == "test_discount.py"
    checked = [event for event in found if isinstance(event, ev.AcceptanceTestsChecked)][-1]
    assert (checked.failing, checked.weakened) == ((), {})
    assert checked.noticed


def test_auto_gives_a_feature_to_the_model_and_it_is_delivered(provider: Provider, repository: Path) -> None:
    provider.start()
    result = work(repository, TICKET, "auto")
    assert (result.engineer, result.status, exit_code(result)) == ("llm", "waiting_for_review", 3), result.reason
    assert result.self_review == []
    judge_acceptance(events_of(result.run_id), "model")
    assert [event.purpose for event in asked(result.run_id)] == ["criteria", *["work"] * 4, "review"]
    done = answer(result.run_id, approved=True, comment="", by="me", observer=lambda _event: None)
    assert (done.status, exit_code(done)) == ("delivered", 0)
    assert done.branch is not None
    assert git(repository, "show", f"{done.branch}:cart.py") == BUILT.strip()
    assert git(repository, "show", f"{done.branch}:test_discount.py") == TESTS.strip()

    again = rewind(result.run_id, 1, lambda _event: None)
    assert again.diff == result.diff
    recalled = [event for event in events_of(again.run_id) if isinstance(event, ev.ModelAnswered) and event.recalled]
    assert [(event.purpose, event.turn) for event in recalled] == [("criteria", 1), ("work", 1)]


def test_without_a_model_it_is_said_what_is_missing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    result = work(repository, TICKET, "auto")
    assert (result.status, exit_code(result)) == ("failed", 4)
    assert "no language model is configured" in result.reason
    assert "docs/models.md" in result.next


def test_killed_workers_are_succeeded_within_the_phase(
    provider: Provider, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = ("run_command", {"command": "sleep 3; echo first"})
    other = ("run_command", {"command": "sleep 3; echo second"})
    steps = (WRITE, pause, BUILD, other, TRY, PUSH)
    provider.start(PRICE + REVIEW + "".join(says(n, each) for n, each in enumerate(steps, 1)))
    short_leases(monkeypatch)
    order, _ = make_order(TICKET + CRITERIA, repository, engineer="llm", type=TaskType.FEATURE)
    with open_stores() as stores:
        task_id = stores.tasks.add(order).task_id
    with killed_worker():
        eventually(lambda: run_of(task_id) != "" and command_under_way(run_of(task_id), "first"))
    run_id = run_of(task_id)
    assert not [event for event in events_of(run_id) if isinstance(event, ev.AcceptanceTestsWritten)]
    assert len(asked(run_id)) == 2
    with killed_worker():
        eventually(lambda: command_under_way(run_id, "second"))
    assert [event.turn for event in asked(run_id)] == [1, 2, 3, 4]
    with worker():
        eventually(lambda: status(run_id) is Status.WAITING_FOR_REVIEW)

    found = events_of(run_id)
    assert len([event for event in found if isinstance(event, ev.RunTakenOver)]) == 2
    judge_acceptance(found, "ticket")
    (change,) = [event.change for event in found if isinstance(event, ev.ChangeHandedOver)]
    assert sorted(file.path for file in change.files) == ["cart.py", "test_discount.py"]
    assert [event.turn for event in asked(run_id) if event.purpose == "work"] == [1, 2, 3, 4, 5, 6], "nothing twice"
    assert provider.requests() == 7, "six answers of work and a review"
    assert provider.program is not None
    with open_stores() as stores:
        spent = sum(float(entry.cost or 0) for entry in LedgerReader(stores.database).entries())
    assert spent == pytest.approx(float(str(provider.program.account.told()["usd"])), abs=1e-9)
