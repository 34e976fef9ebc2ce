"""The parts of a change."""

from karkhana.behaviour.parts import parts
from karkhana.behaviour.validation import apply

OLD = """def area(a, b, c):
    '''The area of a triangle.'''
    if a + b < c:
        return -1
    s = a + b + c
    return (s * (s - a)) ** 2
"""


def told(old: str, new: str) -> list[tuple[int, str]]:
    return [(one.line, one.told) for one in parts(old, new, first_line=1)]


def test_words_within_lines_and_what_came_and_went() -> None:
    new = OLD.replace("< c", "<= c").replace("+ c\n", "+ c\n    s /= 2\n").replace(" ** 2", "")
    assert told(OLD, new) == [(3, "`<=` in place of `<`"), (6, "`s /= 2`"), (7, "that `** 2` is gone")]


def test_each_taken_back_alone_parses_and_is_another_program() -> None:
    new = OLD.replace("return -1", "raise ValueError(a)").replace("a + b + c", "(a + b + c) / 2")
    found = parts(OLD, new, first_line=1)
    assert len(found) == 2
    texts = {apply(new, [one.edit]) for one in found}
    assert texts == {OLD.replace("return -1", "raise ValueError(a)"), OLD.replace("a + b + c", "(a + b + c) / 2")}


def test_brackets_go_together() -> None:
    new = OLD.replace("return (s * (s - a)) ** 2", "return max(s, (s * (s - a)) ** 2)")
    assert [apply(new, [one.edit]) for one in parts(OLD, new, first_line=1)] == [OLD]


def test_statements_that_came_are_parts_of_their_own() -> None:
    new = OLD.replace("    s = a", "    if not a:\n        return 0\n    b = abs(b)\n    s = a")
    assert told(OLD, new) == [(5, "`if not a: return 0`"), (7, "`b = abs(b)`")]


def test_lines_that_are_not_alike_go_as_a_whole() -> None:
    new = OLD.replace("    s = a + b + c\n", "    for side in sorted((x, y, z)):\n        total.append(side)\n")
    assert len(parts(OLD, new, first_line=1)) == 1


def test_comments_documentation_and_what_cannot_be_read_have_no_parts() -> None:
    assert parts(OLD, OLD.replace("triangle", "three-cornered figure").replace("-1", "-1  # no"), first_line=1) == []
    assert parts(OLD, OLD.replace("-1", "-"), first_line=1) == []
    assert parts("def f(:\n", OLD, first_line=1) == []


def test_of_a_large_change_the_first_parts_are_found_and_of_a_huge_one_the_whole() -> None:
    old = "def f(a):\n    return a\n"
    new = old.replace("    return", "".join(f"    x{n} = a + {n}\n" for n in range(300)) + "    return")
    assert [one.told for one in parts(old, new, first_line=1, most=3)] == [f"`x{n} = a + {n}`" for n in range(3)]
    other = new.replace("x", "y").replace("+", "*")
    assert [apply(other, [one.edit]) for one in parts(new, other, first_line=1)] == [new]  # too many words to compare
    huge = old.replace("    return", "    a += 1\n" * 1000 + "    return")
    assert [apply(huge, [one.edit]) for one in parts(old, huge, first_line=1)] == [old]
