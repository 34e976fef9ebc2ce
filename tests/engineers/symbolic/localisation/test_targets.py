"""Which failing tests a ticket means."""

import pytest

from karkhana.behaviour.spectra import Failure, Frame, Spectrum, TestRun
from karkhana.engineers.symbolic.localisation.targets import choose_targets, groups

PARSE = Frame("shop.py", 12, "parse")


def failed(name: str, kind: str = "AssertionError", message: str = "assert 1 == 2", *frames: Frame) -> TestRun:
    failure = Failure(type=kind, message=message, frames=frames)
    return TestRun(name=name, outcome="failed", seconds=0.01, failure=failure)


SUITE = Spectrum(
    tests=(
        failed("tests/test_cart.py::TestRebate::test_zero"),
        failed("tests/test_cart.py::TestRebate::test_negative"),
        failed("tests/test_parse.py::test_amounts[1,5]", "ValueError", "could not convert string: '1,5'", PARSE),
        failed("tests/test_parse.py::test_signs", "ValueError", "could not convert string: '-'", PARSE),
        failed("tests/test_parse.py::test_empty", "IndexError", "list index out of range", PARSE),
        TestRun(name="tests/test_parse.py::test_plain", outcome="passed", seconds=0.01),
    ),
    coverage={},
    functions={},
)


@pytest.mark.parametrize(
    ("ticket", "chosen"),
    [
        ("test_negative fails", (1,)),
        ("tests/test_parse.py::test_amounts[1,5] is red", (2,)),
        ("TestRebate is red since Monday", (0, 1)),
        ("test_cart.py is red", (0, 1)),
        ("everything is red", (0, 1, 2, 3, 4)),
        ("IndexError: list index out of range", (4,)),
        ("  File \"shop.py\", line 12, in parse\nValueError: could not convert string: '-'", (2, 3)),
    ],
)
def test_a_ticket_means_what_it_names_or_tells(ticket: str, chosen: tuple[int, ...]) -> None:
    found = choose_targets(SUITE, ticket)
    assert found.chosen == chosen
    assert sorted((*found.chosen, *found.others)) == [0, 1, 2, 3, 4]


def test_names_within_other_words_name_nothing() -> None:
    assert choose_targets(SUITE, "test_negatives is red").chosen == (0, 1, 2, 3, 4)


def test_only_what_failed_before_counts() -> None:
    assert choose_targets(SUITE, "all is red", {"tests/test_parse.py::test_empty"}).chosen == (4,)


def test_flaky_tests_are_no_targets() -> None:
    flaky = SUITE.tests[4]
    tests = (*SUITE.tests[:4], type(flaky)(name=flaky.name, outcome="failed", seconds=0.01, flaky=True))
    assert choose_targets(Spectrum(tests=tests, coverage={}, functions={}), "all is red").chosen == (0, 1, 2, 3)


def test_groups_by_place_else_by_test() -> None:
    assert groups(SUITE, (0, 1, 2, 3, 4)) == [(2, 3, 4), (0,), (1,)]
