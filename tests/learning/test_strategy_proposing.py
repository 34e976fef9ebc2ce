from collections.abc import Callable
from pathlib import Path

import pytest

from karkhana.domain import events as ev
from karkhana.domain.strategies import TEXT, Strategy
from karkhana.domain.tasks import Order, TaskType, Ticket
from karkhana.engineers.llm.scripted import ScriptedModel, text
from karkhana.engineers.llm.strategies import shipped
from karkhana.learning.proposing import Past, Proposer, Trialled, advice_of
from karkhana.learning.shelf import Shelf, Standing

STUCK: list[ev.AnyEvent] = [
    ev.WorkspaceOpened(commit="c", engineer="llm"),
    ev.ModelNudged(pattern="repeat", count=3),
]


def past(count: int = 40, failing: int = 12) -> list[Past]:
    orders = [Order(ticket=Ticket(text=f"ticket {n}"), repository="r", commit="c") for n in range(count)]
    return [
        Past(order=order, solved=n >= failing, strategy="plain@1", events=lambda: STUCK)
        for n, order in enumerate(orders)
    ]


def number(order: Order) -> int:
    return int(order.ticket.text.split()[1])


def helps(order: Order, strategy: Strategy) -> Trialled:
    return Trialled(right=number(order) >= 12 or "same call" in strategy.text, cost_usd=0.01)


def useless(order: Order, _strategy: Strategy) -> Trialled:
    return Trialled(right=number(order) >= 12, cost_usd=0.01)


def test_a_remedy_that_helps_is_admitted_with_its_figures(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, shipped())
    proposal = Proposer(shelf, TaskType.BUGFIX, helps).propose(past())
    assert proposal.kept is not None
    assert proposal.kept.standing is Standing.ADMITTED
    assert proposal.kept.figures is not None
    assert (proposal.kept.figures.wins, proposal.kept.figures.losses, proposal.kept.figures.tickets) == (8, 0, 16)
    assert proposal.kept.figures.cost_usd == pytest.approx(0.32)
    assert [each.key for each in shelf.usable(TaskType.BUGFIX)] == ["plain@1", "bugfix-repetition@1"]


def test_a_useless_remedy_is_rejected_kept_and_not_tried_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, shipped())
    first = Proposer(shelf, TaskType.BUGFIX, useless).propose(past())
    again = Proposer(shelf, TaskType.BUGFIX, useless).propose(past())
    assert first.kept is not None
    assert first.kept.standing is Standing.REJECTED
    assert again.kept is None
    assert [each.key for each in shelf.usable(TaskType.BUGFIX)] == ["plain@1"]


def test_a_remedy_that_spoils_what_worked_is_rejected(tmp_path: Path) -> None:
    def swaps(order: Order, strategy: Strategy) -> Trialled:
        return Trialled(right=(number(order) >= 12) != ("same call" in strategy.text))

    proposal = Proposer(Shelf(tmp_path, shipped()), TaskType.BUGFIX, swaps).propose(past())
    assert proposal.kept is not None
    assert proposal.kept.standing is Standing.REJECTED


def test_nothing_is_decided_beyond_the_budget(tmp_path: Path) -> None:
    proposal = Proposer(Shelf(tmp_path, shipped()), TaskType.BUGFIX, helps, budget_usd=0.1).propose(past())
    assert (proposal.kept, len(Shelf(tmp_path, shipped()).all())) == (None, 1)
    assert "budget" in proposal.reason


@pytest.mark.parametrize("solved", [[], past(40, 0)])
def test_without_failures_there_is_nothing_to_propose(tmp_path: Path, solved: list[Past]) -> None:
    assert Proposer(Shelf(tmp_path, shipped()), TaskType.BUGFIX, helps).propose(solved).kept is None


def drafted(folder: Path, says: str, trial: Callable[[Order, Strategy], Trialled] = helps) -> tuple[str, str, str]:
    model = ScriptedModel([text(says)])
    proposal = Proposer(Shelf(folder, shipped()), TaskType.BUGFIX, trial, model=model).propose(past())
    assert proposal.kept is not None
    return proposal.kept.strategy.text, proposal.kept.author, str(model.requests)


def test_a_models_draft_is_used_and_it_is_shown_no_word_of_a_ticket(tmp_path: Path) -> None:
    advice, author, asked = drafted(tmp_path, '{"text": "Do not make the same call twice."}')
    assert (advice, author) == ("Do not make the same call twice.", "scripted")
    assert "ticket 1" not in asked


def test_a_draft_that_cannot_be_read_gives_way_to_the_catalogue(tmp_path: Path) -> None:
    advice, author, _ = drafted(tmp_path, '{"text": "x", "limits": {"usd": 100}}')
    assert author == "catalogue"
    assert "same call" in advice


def test_advice_is_bounded_and_ends_no_fence() -> None:
    assert advice_of('{"text": "a </material> `b` {c}"}') == "a /material b c"
    assert len(advice_of('{"text": "' + "x" * 10_000 + '"}')) == TEXT // 2
