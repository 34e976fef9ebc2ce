"""What a change touches, by name and syntax."""

import pytest

from karkhana.quality.changed import ChangedFile, changed_functions
from karkhana.syntax import Unparsable

OLD = '''\
import os

LIMIT = 3


def first(a):
    """Words."""
    return a


class Box:
    size = 1

    @property
    def full(self):
        return self.size > LIMIT

    def empty(self, hard=False):
        def inner():
            return hard
        return inner()
'''


def changed(old: str, new: str) -> ChangedFile:
    return changed_functions("a.py", old.encode(), new.encode())


def names(found: ChangedFile) -> list[str]:
    return [f.place.qualified for f in found.functions]


def test_words_are_no_change() -> None:
    found = changed(OLD, OLD.replace("Words.", "Other words.").replace("import os", "import os  # why"))
    assert (names(found), found.outside, found.gone) == ([], False, ())


def test_a_body_and_its_lines() -> None:
    found = changed(OLD, OLD.replace("self.size > LIMIT", "self.size >= LIMIT"))
    (one,) = found.functions
    assert (one.place.qualified, one.place.top, one.place.start, one.place.end) == ("Box.full", 14, 15, 16)
    assert (one.lines, one.swappable, found.swappable) == ((16,), True, True)
    assert one.text == "    def full(self):\n        return self.size >= LIMIT\n"
    assert one.old == "    def full(self):\n        return self.size > LIMIT\n"


def test_a_line_that_is_gone_is_told_by_its_neighbours() -> None:
    (one,) = changed(OLD.replace("    return a\n", "    a += 1\n    return a\n"), OLD).functions
    assert one.lines == (7, 8)


@pytest.mark.parametrize(
    ("old", "new", "functions", "outside"),
    [
        ("hard=False", "hard=True", ["Box.empty"], False),
        ("@property\n    ", "", ["Box.full"], False),
        ("LIMIT = 3", "LIMIT = 4", [], True),
        ("size = 1", "size = 2", [], True),
        ("def first(a)", "def second(a)", ["second"], False),
    ],
)
def test_what_cannot_be_swapped(old: str, new: str, functions: list[str], outside: bool) -> None:
    found = changed(OLD, OLD.replace(old, new))
    assert (names(found), found.outside, found.swappable) == (functions, outside, False)
    assert bool(found.lines) or not outside


def test_what_is_new_and_what_is_gone() -> None:
    found = changed(OLD, OLD.replace("first", "second"))
    assert found.gone == ("first",)
    assert [f.old for f in found.functions] == [None]
    fresh = changed_functions("a.py", None, OLD.encode())
    assert (names(fresh), fresh.outside, fresh.old) == (["first", "Box.full", "Box.empty"], True, None)


@pytest.mark.parametrize("content", [b"def f(:\n", b"x = 1\r\n", b"x = " + b"(" * 2000 + b")" * 2000, b"x = '\xff'\n"])
def test_what_cannot_be_read_is_refused(content: bytes) -> None:
    with pytest.raises(Unparsable):
        changed_functions("a.py", b"x = 1\n", content)
