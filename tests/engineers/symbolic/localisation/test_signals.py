"""Each signal of localisation on its own, by hand."""

import pytest

from karkhana.behaviour.spectra import Failure, Frame, FunctionPlace, Spectrum, TestRun
from karkhana.engineers.symbolic.localisation import signals
from karkhana.engineers.symbolic.localisation.signals import Function


def function(
    name: str, start: int, *, path: str = "shop.py", text: str = "", classes: tuple[str, ...] = ()
) -> Function:
    place = FunctionPlace(name=name, classes=classes, top=start, start=start, end=start + 4)
    return Function(path=path, place=place, lines={start + 1: 0.5}, text=text)


TOTAL, LABEL, TAX = function("total", 10), function("shipping_label", 20), function("tax", 30)
ALL = (TOTAL, LABEL, TAX)


def failing(*frames: Frame, name: str = "test_shop.py::test_total") -> Spectrum:
    failure = Failure(type="KeyError", message="'zip'", frames=frames)
    return Spectrum(
        tests=(TestRun(name=name, outcome="failed", seconds=0.01, failure=failure),), coverage={}, functions={}
    )


def test_the_innermost_frame_outside_the_tests_counts_most() -> None:
    spectrum = failing(
        Frame("test_shop.py", 3, "test_total"), Frame("shop.py", 12, "total"), Frame("shop.py", 33, "tax")
    )
    assert signals.by_traceback(ALL, spectrum, [0]) == [0.6, 0.0, 1.0]


def test_no_traceback_says_nothing() -> None:
    assert signals.by_traceback(ALL, failing(), [0]) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("ticket", "named"),
    [
        ("tax() is wrong", [0.0, 0.0, 1.0]),
        ("`shop.total` is wrong", [1.0, 0.0, 0.0]),
        ("the total of the tax is wrong", [0.0, 0.0, 0.0]),
        ("shipping_label lacks the zip", [0.0, 1.0, 0.0]),
        ('File "shop.py", line 12, in total\n    File "shop.py", line 31, in tax\nKeyError', [0.0, 0.0, 1.0]),
        ("cart.total gives 3", [1.0, 0.0, 0.0]),
    ],
)
def test_a_function_is_named_as_code_names_it(ticket: str, named: list[float]) -> None:
    assert signals.by_name(ALL, ticket) == named


def test_special_methods_are_named_with_their_class_only() -> None:
    init = function("__init__", 40, classes=("Cart",))
    assert signals.by_name((init,), "Cart.__init__ raises") == [1.0]
    assert signals.by_name((init,), "__init__() raises") == [0.0]


def test_rare_words_and_words_of_the_name_count_more() -> None:
    functions = (
        function("label", 10, text="def label(order): return order.zip"),
        function("order", 20, text="def order(): pass"),
        function("other", 30, text="def other(order): return order.zip"),
    )
    values = signals.by_words(functions, "the label of an order lacks its zip")
    assert values[0] > values[2] > 0.0
    assert max(values) <= 1.0
    assert signals.by_words(functions, "") == [0.0, 0.0, 0.0]


def test_tests_are_named_after_what_they_test() -> None:
    spectrum = failing(name="tests/test_shop.py::TestLabels::test_shipping_label_of_europe[de]")
    values = signals.by_test_name(ALL, spectrum, [0])
    assert values[1] == max(values) > 0.0
    assert values[0] == values[2] == 0.0


def test_what_the_test_calls() -> None:
    init = function("__init__", 40, classes=("Cart",))
    text = "def test_cart():\n    assert Cart().total() == 3\n"
    assert signals.by_calls((TOTAL, LABEL, init), text) == [1.0, 0.0, 1.0]


def test_distinctive_literals() -> None:
    functions = (
        function("a", 10, text="return '19%' + rate(250)"),
        function("b", 20, text="return rate(250) or 1"),
        function("c", 30, text="return 1"),
    )
    assert signals.by_literals(functions, "assert '19%' == 250 and 1") == [1.0, 0.5, 0.0]


def test_influence_is_relative_to_the_strongest() -> None:
    assert signals.by_influence(ALL, {"shop.py": {11: 0.2, 31: 0.4}}) == [0.5, 0.0, 1.0]
    assert signals.by_influence(ALL, {}) == [0.0, 0.0, 0.0]


def test_newer_lines_count_more() -> None:
    assert signals.by_recency(ALL, {"shop.py": {11: 0, 22: 1, 32: 3}}) == [1.0, 0.5, 0.25]
    assert signals.by_recency(ALL, {"other.py": {11: 0}}) == [0.0, 0.0, 0.0]


def test_suspicion_spreads_to_callers_and_callees() -> None:
    caller = function("caller", 40, text="def caller():\n    return total(1)")
    assert signals.by_neighbours((TOTAL, caller, TAX), [1.0, 0.2, 0.5]) == [0.2, 1.0, 0.0]
    assert signals.by_neighbours((TOTAL, caller), [0.0, 0.0]) == [0.0, 0.0]
