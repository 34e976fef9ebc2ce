"""Runs of the LLM engineer: real line, stores and calling, a fake provider on loopback behind them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.common import small_repository
from model_provider import PRICE, Provider, asked, events_of, provider_at

from karkhana.domain import events as ev
from karkhana.domain.errors import InvalidInput
from karkhana.domain.tasks import Status
from karkhana.factory.approvals import answer, resume, rewind
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order
from karkhana.factory.results import RunResult, exit_code
from karkhana.factory.stores import open_stores
from karkhana.storage.ledger_reading import LedgerReader
from karkhana.storage.replay import replay

FILES = {
    "area.py": "def area(width, height):\n    return width + height\n",
    "test_area.py": "from area import area\n\n\ndef test_oblong():\n    assert area(2, 5) == 10\n",
}
SCRIPT = (
    PRICE
    + """
[[answer]]
says = "What its author says"
text = '{"findings": [{"severity": "warning", "path": "area.py", "line": 2, "message": "no test of zero"}]}'
[[answer]]
turn = 5
calls = [{ name = "push_changes", arguments = { title = "Multiply the sides", summary = "Zero is no case." } }]
[[answer]]
turn = 1
calls = [{ name = "read_file", arguments = { path = "area.py" } }]
[[answer]]
turn = 2
calls = [{ name = "edit_file", arguments = { path = "area.py", old = "width + height", new = "width * height" } }]
[[answer]]
turn = 3
calls = [{ name = "run_tests", arguments = {} }]
[[answer]]
turn = 4
calls = [{ name = "push_changes", arguments = { title = "Multiply the sides", summary = "area() added them." } }]
"""
)


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with provider_at(tmp_path, monkeypatch, SCRIPT) as made:
        made.start()
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return small_repository(tmp_path / "repository", FILES)


def work(repository: Path, engineer: str = "llm", *, max_turns: int | None = None, attempts: int = 1) -> RunResult:
    order, settings = make_order(
        "area() is wrong", repository, engineer=engineer, max_turns=max_turns, attempts=attempts
    )
    return work_in_foreground(order, settings, lambda _event: None)


@pytest.mark.slow
def test_a_model_does_a_ticket_and_every_cent_is_counted(provider: Provider, repository: Path) -> None:
    result = work(repository)
    assert result.status == "waiting_for_review"
    assert "+    return width * height" in result.diff
    assert [finding.message for finding in result.self_review if finding.rule == "critique"] == ["no test of zero"]
    assert provider.program is not None
    charged = provider.program.account.told()
    with open_stores() as stores:
        entries = list(LedgerReader(stores.database).entries())
        assert len(entries) == 7, "five answers of work and two reviews"
        assert {entry.account.task_id for entry in entries} == {result.run_id}
        spent = sum(float(entry.cost or 0) for entry in entries)
        assert replay(stores.events, result.run_id) == result.diff
    assert result.cost_usd == pytest.approx(spent) == pytest.approx(float(str(charged["usd"])))


@pytest.mark.slow
def test_a_used_up_budget_pauses_and_the_work_goes_on_where_it_was(provider: Provider, repository: Path) -> None:
    paused = work(repository, max_turns=3)
    assert paused.status == "waiting_for_review"
    assert exit_code(paused) == 3
    assert "all 3 tool calls are used up" in paused.reason
    assert paused.run_id in paused.next
    with pytest.raises(InvalidInput, match="is paused"):
        answer(paused.run_id, approved=True, comment="", by="me", observer=lambda _event: None)
    asked = len([e for e in events_of(paused.run_id) if isinstance(e, ev.ModelAnswered)])
    done = resume(paused.run_id, turns=10, usd=0.0, by="me", observer=lambda _event: None)
    assert done.decision is not None
    assert "+    return width * height" in done.diff
    found = events_of(paused.run_id)
    assert len([e for e in found if isinstance(e, ev.ModelAnswered) and not e.recalled]) == 7
    assert asked == 3
    assert len([e for e in found if isinstance(e, ev.SuiteMeasured)]) == 2
    with pytest.raises(InvalidInput, match="not paused"):
        resume(paused.run_id, turns=1, usd=0.0, by="me", observer=lambda _event: None)


@pytest.mark.slow
def test_attempts_that_the_budget_ended_go_on_where_they_were(provider: Provider, repository: Path) -> None:
    paused = work(repository, max_turns=4, attempts=2)
    assert (paused.status, exit_code(paused)) == ("waiting_for_review", 3)
    assert "all 2 tool calls are used up" in paused.reason
    assert f"karkhana runs resume {paused.run_id}" in paused.next
    assert [event.turn for event in asked(paused.run_id)] == [1, 2, 1, 2]
    done = resume(paused.run_id, turns=20, usd=0.0, by="me", observer=lambda _event: None)
    assert done.decision is not None, done.reason
    assert "+    return width * height" in done.diff
    turns = [event.turn for event in asked(paused.run_id) if event.purpose == "work"]
    assert turns == [1, 2, 1, 2, 3, 4, 5, 3, 4, 5], "nothing is asked twice"
    (compared,) = [event for event in events_of(paused.run_id) if isinstance(event, ev.AttemptsCompared)]
    assert [each.group for each in compared.attempts] == [1, 1]


@pytest.mark.slow
def test_a_provider_that_is_away_pauses_the_run(provider: Provider, repository: Path) -> None:
    provider.end()
    paused = work(repository)
    assert paused.status == "waiting_for_review"
    assert "does not answer" in paused.reason
    provider.start()
    done = resume(paused.run_id, turns=0, usd=0.0, by="me", observer=lambda _event: None)
    assert "+    return width * height" in done.diff


@pytest.mark.slow
def test_a_run_is_taken_back_to_an_earlier_answer(provider: Provider, repository: Path) -> None:
    first = work(repository)
    again = rewind(first.run_id, 2, lambda _event: None)
    assert again.run_id != first.run_id
    assert again.diff == first.diff
    answers = [e for e in events_of(again.run_id) if isinstance(e, ev.ModelAnswered)]
    assert [e.recalled for e in answers] == [True, True, False, False, False, False, False]
    with pytest.raises(InvalidInput, match="5 answers"):
        rewind(first.run_id, 6, lambda _event: None)


@pytest.mark.slow
def test_the_free_engineer_is_asked_first(provider: Provider, repository: Path) -> None:
    result = work(repository, "auto")
    assert result.engineer == "symbolic"
    assert not [e for e in events_of(result.run_id) if isinstance(e, ev.ModelAnswered)]
    assert Status(result.status) is Status.WAITING_FOR_REVIEW
