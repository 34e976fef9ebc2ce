"""The view of a function: spans, parentheses, scopes, and what failing tests ran."""

import libcst as cst
import pytest

from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.generation.declarations import declarations
from karkhana.engineers.symbolic.generation.scene import Scene, family, written_types
from karkhana.engineers.symbolic.generation.source import FunctionView, Unreadable, tightness_of

METHOD = '''\
    def total(self, prices, *, rate=2):
        """Sum."""
        seen = set()
        best = [p * (rate + 1) for p in prices if not p < 0]
        for index, price in enumerate(best):
            if (price
                    > rate):
                self.last = price
        return -sum(best)
'''


def view() -> FunctionView:
    return FunctionView(
        METHOD, 10, module_text="import os as system\nLIMIT = 3\n\ndef helper():\n    pass\n", classes=("C",)
    )


def test_names_and_lines() -> None:
    v = view()
    assert v.parameters == ("self", "prices", "rate")
    assert v.locals == ("self", "prices", "rate", "seen", "best", "p", "index", "price")
    assert v.globals == ("system", "LIMIT", "helper")
    assert [v.line(n) for n in v.all(cst.Return)] == [18]
    assert METHOD[v.body_start :].startswith('"""Sum."""')


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("rate + 1", "rate", "p * rate for"),
        ("rate + 1", "rate * 2", "p * (rate * 2) for"),
        ("rate + 1", "a if b else c", "p * (a if b else c) for"),
        ("p < 0", "p", "if not p]"),
        ("p < 0", "p or rate", "if not (p or rate)]"),
        ("sum(best)", "a + b", "return -(a + b)"),
        ("sum(best)", "max(best)", "return -max(best)"),
    ],
)
def test_parentheses_only_where_needed(old: str, new: str, expected: str) -> None:
    v = view()
    node = next(n for n in v.all(cst.BinaryOperation, cst.Comparison, cst.Call) if v.text_of(n) == old)
    assert expected in apply(METHOD, [v.replace(node, new)])


def test_stores_and_loads_are_told_apart() -> None:
    v = view()
    stores = [n.value for n in v.all(cst.Name) if v.is_store(n)]
    assert stores == ["total", "self", "prices", "rate", "seen", "best", "p", "index", "price"]
    loads = {n.value for n in v.all(cst.Name) if v.is_load(n)}
    assert loads == {"p", "rate", "prices", "set", "enumerate", "best", "price", "self", "sum"}


def test_only_what_failing_tests_ran_is_suspicious() -> None:
    v = view()
    v.hot = frozenset({18})
    assert [v.text_of(n) for n in v.suspicious(cst.Call)] == ["sum(best)"]
    assert len(list(v.all(cst.Call))) == 3
    v.hot = frozenset({16})
    assert [v.text_of(n) for n in v.suspicious(cst.Comparison)] == ["price\n                    > rate"]


def test_scopes_and_hints() -> None:
    scene = Scene(view(), types={"prices": frozenset({"list"}), "rate": frozenset({"int"})})
    back = next(scene.view.all(cst.Return))
    assert scene.in_scope(back) == ("self", "prices", "rate", "seen", "best", "index", "price")
    condition = next(scene.view.all(cst.CompIf))
    assert "p" in scene.in_scope(condition)
    assert "index" not in scene.in_scope(condition)
    assert scene.never_filled == {"seen"}
    assert scene.unused == {"seen", "index"}
    assert not scene.alike("prices", "rate")
    assert written_types(scene.view)["seen"] == {"set"}


def test_text_that_is_no_python() -> None:
    with pytest.raises(Unreadable):
        FunctionView("def f(:\n    pass\n", 1)


def test_tightness_of_texts() -> None:
    order = ["a if b else c", "a or b", "a and b", "not a", "a < b", "a + b", "a * b", "-a", "a(b)[c].d"]
    assert [tightness_of(text) for text in order] == sorted(tightness_of(text) for text in order)


def test_words_that_are_mistaken_for_each_other() -> None:
    assert "all" in family("functions", "any")
    assert "any" not in family("functions", "any")
    assert family("methods", "no_such_method") == ()


def test_declarations_of_modules_and_classes() -> None:
    text = (
        "A = 1\nB: int = (\n    2\n)\n\n\nclass C:\n    A = 3\n    other = 4\n\n\ndef f():\n    A = 5\n    return A\n"
    )
    found = declarations(text, {"A": 1.0, "B": 1.0})
    assert [d.text for d in found] == ["A = 1\n", "B: int = (\n    2\n)\n", "    A = 3\n"]
    assert all(text[d.offset :].startswith(d.text) for d in found)
    assert declarations("def f(:\n", {"A": 1.0}) == ()


def test_source_that_is_nested_too_deeply_is_refused_before_the_parser_dies_of_it() -> None:
    with pytest.raises(Unreadable, match="nested"):
        FunctionView("def f():\n    return " + "(" * 5000 + ")" * 5000 + "\n", 1)


def test_a_default_that_is_a_constant_is_a_value_and_a_name_there_is_none_of_the_functions() -> None:
    view = FunctionView("def f(a: bool = True, b=a):\n    return a\n", 1)
    loads = [(name.value, view.span(name)[0]) for name in view.all(cst.Name) if view.is_load(name)]
    assert loads == [("True", 16), ("a", 39)]
