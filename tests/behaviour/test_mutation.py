"""Mutants: each is a program, and another one."""

import ast

import pytest

from karkhana.behaviour.mutation import Mutant, mutants, operators, sample, unchanged
from karkhana.behaviour.validation import apply

METHOD = '''\
    def take(self, größe, items=None):
        """Take some."""
        if not (größe < 3 and items is not None):
            self.left += 1
            return "é" + größe[1:]
        for one in items:  # all of them
            if one == 7 or one in self.seen:
                break
        while self.left > 0:
            self.left -= 1
        yield one
        raise ValueError("nothing left")
'''


def every(text: str, first: int = 1) -> list[Mutant]:
    return mutants(text, first_line=first, lines=range(1000))


def test_each_mutant_is_another_program_that_can_be_read() -> None:
    found = every(METHOD, 40)
    texts = [apply(METHOD, [m.edit]) for m in found]
    assert len(set(texts)) == len(texts) > 25
    for text in texts:
        assert ast.dump(ast.parse("if 1:\n" + text)) != ast.dump(ast.parse("if 1:\n" + METHOD))


def test_lines_and_words() -> None:
    told = {(m.line, m.told) for m in every(METHOD, 40)}
    assert (42, "`<` → `<=`") in told
    assert (42, "`and` → `or`") in told
    assert (42, "`is not` → `is`") in told
    assert (42, "`not` is gone") in told
    assert (43, "`+=` → `-=`") in told
    assert (44, "`+` → `-`") in told
    assert (46, "`in` → `not in`") in told
    assert (47, "`break` → `continue`") in told
    assert (51, '`raise ValueError("nothing left")` → `pass`') in told
    # Neither documentation, nor what an error says, nor an endless loop, nor the only yield.
    assert not {line for line, _ in told} & {41, 50}
    assert not {(line, text) for line, text in told if line == 48 and text.endswith("`True`")}
    assert not [text for line, text in told if line == 51 and "''" in text]


def test_only_the_lines_that_are_asked_for() -> None:
    assert {m.line for m in mutants(METHOD, first_line=40, lines={43})} == {43}
    assert mutants("x = 1\n", first_line=1, lines={1}) == []
    assert mutants("def f(:\n", first_line=1, lines={1}) == []


@pytest.mark.parametrize("sign", [*operators().compare, *operators().arithmetic])
def test_every_operator_has_a_mutant(sign: str) -> None:
    found = every(f"def f(a, b):\n    return (a) {sign} (b)\n")
    assert {m.told for m in found if m.told.startswith(f"`{sign}` → ")}


def test_a_sample_leaves_no_line_out() -> None:
    found = every(METHOD)
    lines = {m.line for m in found}
    chosen = sample(found, len(lines), seed=1)
    assert {m.line for m in chosen} == lines
    assert chosen == sample(found, len(lines), seed=1)
    assert len(sample(found, 3, seed=1)) == 3
    assert sample([], 3, seed=1) == []


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (METHOD, '"""Take some."""\n        _mutant_ = None\n        if not'),
        ("def f():\n    return 1\n", "    _mutant_ = None\n    return 1"),
        ("def f(): return 1\n", "def f(): _mutant_ = None; return 1"),
    ],
)
def test_the_same_program_in_other_words(text: str, inside: str) -> None:
    edit = unchanged(text, 1)
    assert edit is not None
    changed = apply(text, [edit])
    assert inside in changed
    ast.parse(("if 1:\n" if text[0] == " " else "") + changed)


def test_no_place_for_the_same_program() -> None:
    assert unchanged('def f():\n    """Only words."""\n', 1) is None
    assert unchanged("class A: pass\n", 1) is None
