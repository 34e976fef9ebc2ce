"""Steps of recordings as functions of a file's text, and when two patches are the same."""

import pytest

from karkhana.engineers.recorded.recording import Insert, Put, Rewrite, Splice, Swap, Unreadable, same_patch, without

TEXT = "one\ntwo\nthree\n"
PATCH = "diff --git a/x.py b/x.py\nindex 11..22 100644\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@ def f():\n-a\n+b\n"


@pytest.mark.parametrize(
    ("step", "text", "expected"),
    [
        (Splice(path="a", first=2, last=2, text="2\n"), TEXT, "one\n2\nthree\n"),
        (Splice(path="a", first=2, last=3, text=""), TEXT, "one\n"),
        (Splice(path="a", first=1, last=1, text="x\n"), "\n", "x\n"),
        (Splice(path="a", first=2, last=1, text="x\n"), TEXT, "one\nx\ntwo\nthree\n"),
        (Splice(path="a", first=1, last=1, text="x\n"), "no\nend", "x\nend\n"),
        (Insert(path="a", after=1, text="x"), TEXT, "one\nx\ntwo\nthree\n"),
        (Insert(path="a", after=0, text="x"), TEXT, "x\none\ntwo\nthree\n"),
        (Swap(path="a", old="two", new="2"), TEXT, "one\n2\nthree\n"),
        (Swap(path="a", old="o", new="0", everywhere=True), TEXT, "0ne\ntw0\nthree\n"),
        (Put(path="a", content="x"), TEXT, "x"),
    ],
)
def test_what_a_step_makes_of_a_text(step: Splice, text: str, expected: str) -> None:
    assert step.applied(text) == expected


@pytest.mark.parametrize("step", [Swap(path="a", old="e", new=""), Swap(path="a", old="four", new="")])
def test_a_text_that_is_not_there_once_is_not_replaced(step: Swap) -> None:
    with pytest.raises(Unreadable, match="occurs"):
        step.applied(TEXT)


SOURCE = "class A:\n    def f(self):\n        return 1\n"


def test_lines_are_found_whatever_their_indentation() -> None:
    step = Rewrite(path="a.py", old="def f(self):\n    return 1", new="def f(self):\n    return 2")
    assert step.applied(SOURCE) == SOURCE.replace("1", "2")


def test_only_the_first_line_may_be_off() -> None:
    step = Rewrite(path="a.py", old="def f(self):\n        return 1", new="def f(self):\n        return 2\n    x = 1")
    assert step.applied(SOURCE) == SOURCE.replace("1", "2") + "    x = 1\n"


def test_a_form_feed_ends_no_line() -> None:
    step = Rewrite(path="a.txt", old="two", new="2")
    assert step.applied("one\x0c\ntwo\n") == "one\x0c\n2\n"


def test_what_is_not_there_or_no_python_is_refused() -> None:
    with pytest.raises(Unreadable, match="do not occur"):
        Rewrite(path="a.py", old="def g():", new="x").applied(SOURCE)
    with pytest.raises(Unreadable, match="no Python"):
        Rewrite(path="a.py", old="class A:", new="class A(:").applied(SOURCE)


def test_patches_that_say_the_same() -> None:
    assert same_patch(PATCH, PATCH.replace("11..22", "1111..2222").replace(" def f():", ""))
    assert same_patch(PATCH, "\r\n" + PATCH.replace("\n", "\r\n"))
    other = PATCH.replace("x.py", "y.py")
    assert same_patch(PATCH + other, other + PATCH)


@pytest.mark.parametrize("change", [("+b", "+c"), ("+b", "+b "), ("-1 +1", "-2 +2"), ("100644", "100644\nnew file")])
def test_patches_that_do_not(change: tuple[str, str]) -> None:
    assert not same_patch(PATCH, PATCH.replace(*change))


def test_a_file_is_taken_out_of_a_patch() -> None:
    other = PATCH.replace("x.py", "y.py")
    assert without(PATCH + other, {"x.py"}) == other
