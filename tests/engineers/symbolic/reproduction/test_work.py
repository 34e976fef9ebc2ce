"""From a ticket to a failing test, or to the reason why there is none."""

import pytest
from reproduce_bench import SHOP, desk

from karkhana.engineers.symbolic.hands import Abstention
from karkhana.engineers.symbolic.reproduction import kept, reproduce
from karkhana.ports import Handover

TRACEBACK = """\
mean of nothing

Traceback (most recent call last):
  File "report.py", line 7, in <module>
    average = mean([])
  File "/usr/lib/shop/prices.py", line 7, in mean
    return sum(prices) / len(prices)
ZeroDivisionError: division by zero
"""

WRITTEN = [
    ("Wrong\n\n`total([100, 100], 10)` returns 220 instead of 180.", "assert total([100, 100], 10) == 180"),
    ("Wrong\n\n>>> total([100, 100], 10)\n220\n\nIt should be 180.", "assert total([100, 100], 10) == 180"),
    ("Wrong\n\n```python\nfrom shop import total\nassert total([50], 10) == 45\n```", "assert total([50], 10) == 45"),
    ("Wrong\n\n    print(total([50], 10))  # expected 45, got 55\n", "assert total([50], 10) == 45"),
    (
        "mean([]) raises ZeroDivisionError, it should raise ValueError",
        "with pytest.raises(ValueError):\n        mean([])",
    ),
    ("Wrong\n\n```python\nlist(pairs([1, 2, 3]))  # -> [(1, 2), (2, 3)]\n```\nraises IndexError", "[(1, 2), (2, 3)]"),
    ("`pairs([1, 2])` should give `[(1, 2)]` but raises IndexError", "assert list(pairs([1, 2])) == [(1, 2)]"),
    (
        "Cents are lost: `Label(1.5).text()` gives '1 EUR' instead of '1.50 EUR'",
        "assert Label(1.5).text() == '1.50 EUR'",
    ),
    (TRACEBACK, "    mean([])\n"),
    ("`total([10], 10) == 9` is False.", "assert (total([10], 10) == 9) is True"),
    ("A call like `mean([])` makes no sense. I think a ValueError should be raised.", "with pytest.raises(ValueError)"),
    ("Cents are lost: Label(1.5).text() gives 1 EUR, I would've expected '1.50 EUR'.", "== '1.50 EUR'"),
    ("`total([10], 10)` gives me 11. PEP 440 does not allow that, expected 9.", "assert total([10], 10) == 9"),
    (
        "| call | now | should be |\n|---|---|---|\n| `Label(1.5).text()` | `1 EUR` | `1.50 EUR` |",
        "assert Label(1.5).text() == '1.50 EUR'",
    ),
    (
        "Take `prices = [10]` and do `prices.append(20)`. Then `total(prices, 10)` is 33, and should be 27.",
        "    prices.append(20)\n    assert total(prices, 10) == 27",
    ),
    (
        TRACEBACK.replace("average = mean([])", "if mean(prices) > 1:") + "\nHere `prices` is a `list()`.",
        "    prices = list()\n    mean(prices)",
    ),
    (TRACEBACK + "\nIt should be 0.", "assert mean([]) == 0"),
]


@pytest.mark.parametrize(("ticket", "line"), WRITTEN)
def test_the_test_holds_what_the_ticket_asks_for(ticket: str, line: str) -> None:
    with desk(ticket) as d:
        written = reproduce(d.hands)
        assert written is not None
        (path,) = d.changed()
        assert path == written.path
        assert path.startswith("tests/test_ticket_")
        assert line in d.changed()[path]


NO_CALL = TRACEBACK.replace("average = mean([])", "average = mean(prices)")
ELSEWHERE = """\
checkout crashes

Traceback (most recent call last):
  File "/srv/web/checkout.py", line 3, in pay
    send(order)
TypeError: 'NoneType' object is not callable
"""

REFUSED = [
    ("total loses one\n\n>>> total([1, 5])\n6\n\nI get 5 here.", "so already", "which version"),
    (NO_CALL, "with what `mean` (shop/prices.py) was called", "ZeroDivisionError"),
    (ELSEWHERE, "no frame of the ticket's traceback is in this repository", "another project"),
    ("`total([1, 2])` should be 3", "so already", "still"),
    ("make it nice", "nothing to check", "Which call"),
    ("`median([1, 2])` should be 1.5", "`median`", "Where does"),
    ("Wrong\n\n```python\ntotal([5], 10)\n```\n\nI do not like this.", "does not say", "What should"),
    (
        "Wrong\n\n```python\nimport subprocess\nassert total([5], 10) == subprocess\n```",
        "imports subprocess",
        "without",
    ),
    ("Please add a voucher\n\nSomething for our customers.", "something new", "which call"),
    ("`total([1, 2])` should be 4", "contradicts a test that passes", "Which is right"),
]


@pytest.mark.parametrize(("ticket", "reason", "question"), REFUSED)
def test_what_cannot_be_reproduced_is_refused_with_a_question(ticket: str, reason: str, question: str) -> None:
    with desk(ticket) as d:
        with pytest.raises(Abstention) as refused:
            reproduce(d.hands)
        assert reason in refused.value.reason
        assert question in refused.value.question
        assert d.changed() == {}


def test_unittest_suites_get_a_class() -> None:
    old = (
        "import unittest\n\nfrom shop import total\n\n\nclass Prices(unittest.TestCase):\n"
        "    def test_total(self):\n        self.assertEqual(total([1, 2]), 3)\n"
    )
    with desk("`total([100], 10)` returns 110 instead of 90", {**SHOP, "tests/test_prices.py": old}) as d:
        written = reproduce(d.hands)
        assert written is not None
        assert "(unittest.TestCase):" in d.changed()[written.path]
        assert "self.assertEqual(total([100], 10), 90)" in d.changed()[written.path]


def test_a_command_that_names_its_files_gets_the_test_in_one_of_them() -> None:
    command = ("python", "-m", "pytest", "tests/test_prices.py")
    with desk("`total([100], 10)` returns 110 instead of 90", command=command) as d:
        written = reproduce(d.hands)
        assert written is not None
        text = d.changed()["tests/test_prices.py"]
        assert text.startswith(SHOP["tests/test_prices.py"].rstrip("\n"))
        assert "assert total([100], 10) == 90" in text


RED = {
    **SHOP,
    "tests/test_mean.py": "from shop.prices import mean\n\n\ndef test_mean():\n    assert mean([1, 3]) == 3\n",
}


def test_failing_tests_that_fit_the_ticket_are_its_target() -> None:
    with desk("mean is off: `mean([1, 3])` should be 3", RED) as d:
        assert reproduce(d.hands) is None
        assert d.changed() == {}


def test_an_example_about_something_else_than_the_failing_tests_decides() -> None:
    with desk("`total([100], 10)` returns 110 instead of 90", RED) as d:
        written = reproduce(d.hands)
        assert written is not None
        assert "total([100], 10) == 90" in d.changed()[written.path]


def test_a_request_for_something_new_does_not_repair_another_bug() -> None:
    with desk("Add support for vouchers", RED) as d, pytest.raises(Abstention, match="something else"):
        reproduce(d.hands)


def test_what_was_reproduced_is_told_even_when_it_is_not_repaired() -> None:
    with desk("`total([100], 10)` returns 110 instead of 90") as d:
        written = reproduce(d.hands)
        handover = kept(Handover(solved=False, reason="nothing helped"), written)
        assert written is not None
        assert handover.reproduction == written.names[0]
        assert "reproduced but not repaired" in handover.reason
        assert handover.reason.endswith("nothing helped")
    assert kept(Handover(solved=False, reason="x"), None).reproduction == ""
