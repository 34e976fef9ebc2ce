"""Failing tests that have nothing to do with a ticket are not repaired in its name."""

import pytest
from reproduce_bench import SHOP, desk

from karkhana.engineers.symbolic.hands import Abstention
from karkhana.engineers.symbolic.reproduction import reproduce

RED = {
    **SHOP,
    "tests/test_mean.py": "from shop.prices import mean\n\n\ndef test_mean():\n    assert mean([1, 3]) == 3\n",
}

GOES_ON = [
    "make it work",
    "CI is red since Monday, nobody can merge any branch",
    "The mean of two numbers is rounded somewhere",
    "test_mean fails after Monday's merge of the currency branch",
]
REFUSED = [
    "Currency symbol missing at checkout\n\nCustomers from Sweden complain.",
    "Label is shown without cents\n\nSee `Label`.",
]


@pytest.mark.parametrize("ticket", GOES_ON)
def test_failing_tests_are_the_target_of_vague_tickets_and_of_those_about_them(ticket: str) -> None:
    with desk(ticket, RED) as d:
        assert reproduce(d.hands) is None


@pytest.mark.parametrize("ticket", REFUSED)
def test_a_ticket_about_something_else_is_asked_about(ticket: str) -> None:
    with desk(ticket, RED) as d:
        with pytest.raises(Abstention, match="not what the ticket tells of") as refused:
            reproduce(d.hands)
        assert "tests/test_mean.py::test_mean" in refused.value.reason
        assert "name them" in refused.value.question
