"""From rewritten functions to small changes."""

import pytest

from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.rewriting import (
    fitted,
    function_in,
    import_edit,
    parts,
    selections,
    touches_head,
)

ORIGINAL = '''\
    def total(self, prices: list[int], rate: float = 0.5) -> float:
        """What is to be paid."""
        found = 0  # so far

        # every price once
        for price in prices:
            found += price["net"]

        return found - 1
'''


def test_only_what_differs_is_taken_from_the_rewritten_text() -> None:
    written = """\
    def total(self, prices, rate=0.5):
        found = 0
        for price in prices:
            found += price['net']  # add it
        # FIXED: nothing is taken off
        return found
"""
    assert fitted(ORIGINAL, written) == ORIGINAL.replace("found - 1", "found")


def test_another_signature_is_kept_as_it_was_written() -> None:
    written = "def f(a, b=None):\n    return a\n"
    assert (
        fitted("def f(a, b=[]):\n    # why\n    return a\n", written) == "def f(a, b=None):\n    # why\n    return a\n"
    )


def test_new_lines_come_without_the_comments_for_the_reader() -> None:
    written = "def f(a):\n    # guard\n    if a is None:  # new\n        return 0\n    return a\n"
    assert fitted("def f(a):\n    return a\n", written) == (
        "def f(a):\n    if a is None:\n        return 0\n    return a\n"
    )


def test_another_width_of_indentation_is_no_difference() -> None:
    original = "    def f(a):\n        # one\n        if a:\n            return 1\n        return a\n"
    written = "    def f(a):\n      if a:\n        return 1\n      return -a\n"
    assert fitted(original, written) == original.replace("return a", "return -a")


def test_a_hash_in_a_text_is_no_comment() -> None:
    written = "def f(a):\n    return '#' + a\n"
    assert fitted("def f(a):\n    return a\n", written) == written


@pytest.mark.parametrize("written", ["x = 1\n", "def f(:\n", "def f(a): return a\n"])
def test_what_cannot_be_fitted_stays_as_it_is(written: str) -> None:
    assert fitted("def f(a):\n    return -a\n", written) == written


def test_a_text_over_several_lines_is_not_torn() -> None:
    original = 'def f(a):\n    b = """\n    # no comment\n    """\n    return a\n'
    written = original.replace("return a", "return b")
    assert fitted(original, written) == written


def test_parts_are_whole_lines_and_make_the_other_text() -> None:
    other = ORIGINAL.replace("found = 0 ", "found = 1 ").replace("found - 1", "found")
    edits = parts(ORIGINAL, other)
    assert len(edits) == 2
    assert apply(ORIGINAL, edits) == other
    assert parts(ORIGINAL, ORIGINAL) == ()


def test_each_part_is_tried_alone_and_all_but_each() -> None:
    original = "def f(a):\n    b = 1\n    print(b)\n    c = 2\n    print(c)\n    d = 3\n    return a\n"
    edits = parts(original, original.replace("1", "7").replace("2", "8").replace("3", "9"))
    chosen = [apply(original, some) for some in selections(original, edits)]
    assert len(chosen) == 7
    assert chosen[1] == original.replace("1", "7")
    assert chosen[4] == original.replace("2", "8").replace("3", "9")


def test_a_part_that_is_no_program_is_left_out() -> None:
    original = "def f(a):\n    b = 1\n    return b\n"
    written = "def f(a):\n    if a:\n        b = 1\n    print(a)\n    return a\n"
    for some in selections(original, parts(original, written)):
        assert function_in(apply(original, some)) is not None


def test_a_changed_signature_needs_a_new_interpreter() -> None:
    other = ORIGINAL.replace("rate: float = 0.5", "rate: float = 0.6")
    assert touches_head(ORIGINAL, parts(ORIGINAL, other))
    assert not touches_head(ORIGINAL, parts(ORIGINAL, ORIGINAL.replace("found - 1", "found")))
    assert touches_head("x = 1\n", parts("x = 1\n", "x = 2\n"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""Doc."""\n\nimport os\n\nx = 1\n', '"""Doc."""\n\nimport os\nimport math\n\nx = 1\n'),
        ("def f():\n    pass\n", "import math\n\n\ndef f():\n    pass\n"),
        ('"""Doc."""\nx = 1\n', '"""Doc."""\nimport math\n\n\nx = 1\n'),
    ],
)
def test_an_import_stands_below_the_others(before: str, after: str) -> None:
    edit = import_edit(before, ["import math"])
    assert edit is not None
    assert apply(before, [edit]) == after


def test_an_import_that_is_there_is_not_made_again() -> None:
    assert import_edit("import math\n", ["import math"]) is None
    assert import_edit("import (\n", ["import math"]) is None
