import pytest

from karkhana.workspace.nearest import SHOWN_MAX, describe_miss, line_numbers, moved_edit

TEXT = "\n".join(f"def function_{n}(a, b):\n    return a + b * {n}\n" for n in range(200))


def test_lines_of_overlapping_occurrences() -> None:
    assert line_numbers("aaa\naa", "aa") == [1, 1, 2]
    assert line_numbers("a\n" * 50, "a") == list(range(1, 21))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("def function_7(a, b):\n    return a - b * 7\n", "the nearest lines are 22-23:\n22|def function_7(a, b):"),
        ("def function_7(a,b):\n    return a+b*7", "with other white space, at lines 22-23:\n22|def function_7"),
        ("return  a + b * 9", "with other white space, at lines 29-29"),
        ("import numpy as np\nfrom scipy import stats", "nothing in the file is like it"),
    ],
)
def test_what_is_said_about_a_miss(wanted: str, expected: str) -> None:
    assert expected in describe_miss(TEXT, wanted)


def test_an_empty_file_is_said_to_be_empty() -> None:
    assert describe_miss("\n \n", "x") == "the file is empty"


def test_a_long_answer_is_cut() -> None:
    wanted = "\n".join(TEXT.split("\n")[:60]).replace("a + b", "a+b")
    assert describe_miss(TEXT, wanted).count("\n") == SHOWN_MAX + 1


def test_blank_and_huge_texts_are_no_trouble() -> None:
    assert describe_miss("x\n" * 100_000, "\n\n")
    assert describe_miss("y" * 1_000_000, "x" * 10_000) == "nothing in the file is like it; read the file first"


@pytest.mark.parametrize(
    ("old", "new", "edit"),
    [
        ("x = 1\nreturn x", "y = 1\nreturn y", ("    x = 1\n    return x", "    y = 1\n    return y")),
        ("        x = 1\n        return x", "        return 1", ("    x = 1\n    return x", "    return 1")),
        ("    x = 1  \n    return x\n", "    return 1\n", ("    x = 1\n    return x", "    return 1")),
        ("x = 1\nreturn x", "if y:\n    return 1", ("    x = 1\n    return x", "    if y:\n        return 1")),
        ("x = 1\n    return x", "return 1", None),
        ("        x = 1", "  return 1", None),
        ("\tx = 1", "\treturn 1", None),
        ("pass", "return 1", None),
        ("z = 1", "z = 2", None),
        ("\n \n", "z = 2", None),
    ],
)
def test_an_edit_is_moved_by_one_indentation_or_not_at_all(old: str, new: str, edit: tuple[str, str] | None) -> None:
    text = "def f():\n    x = 1\n    return x\ndef g():\n    pass\ndef h():\n  pass\n"
    assert moved_edit(text, old, new) == edit


def test_lines_that_end_in_another_way_are_left_alone() -> None:
    assert moved_edit("def f():\r\n    return x\r\n", "return x \r\n", "return 1") is None
