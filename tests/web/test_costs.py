"""What runs did cost, for lists: each answer counts once, whenever it came."""

from decimal import Decimal

import pytest

from karkhana.domain import events as ev
from karkhana.storage.run_lists import RunLists
from karkhana.web.costs import Costs


def answer(usd: str, *, recalled: bool = False) -> ev.ModelAnswered:
    return ev.ModelAnswered(turn=1, purpose="work", model="m", answer={}, cost_usd=usd, recalled=recalled)


@pytest.fixture
def lists(stores) -> RunLists:
    return RunLists(stores.database)


def test_an_answer_that_comes_after_the_row_was_read_counts_once(lists, line):
    claim, costs = line.begin("one"), Costs(lists)
    row = lists.get(claim.run_id)
    line.record(claim, answer("0.25"))
    assert costs.of(row) == Decimal("0.25")
    line.record(claim, answer("0.5"), answer("9", recalled=True))
    assert costs.of(lists.get(claim.run_id)) == costs.of(lists.get(claim.run_id)) == Decimal("0.75")


def test_a_price_that_nobody_knows_is_not_nothing(lists, line):
    claim, costs = line.begin("one"), Costs(lists)
    line.record(claim, answer(""))
    assert costs.of(lists.get(claim.run_id)) is None
    line.record(claim, answer("1"))
    assert costs.of(lists.get(claim.run_id)) is None


def test_many_runs_are_asked_for_at_once(lists, line, monkeypatch):
    claims = [line.begin(f"ticket {number}") for number in range(3)]
    for number, claim in enumerate(claims):
        line.record(claim, answer(f"0.{number}"))
    keyless = line.delivered("no model")
    costs, asked = Costs(lists), []
    spent = lists.spent
    monkeypatch.setattr(lists, "spent", lambda ids, after=0: asked.append(len(ids)) or spent(ids, after))
    rows = [lists.get(run_id) for run_id in (*(claim.run_id for claim in claims), keyless)]
    assert list(costs.of_all(rows).values()) == [Decimal(0), Decimal("0.0"), Decimal("0.1"), Decimal("0.2")]
    costs.of_all(rows)
    assert asked == [3]
