"""Review: leftovers."""

import pytest
from quality_reviews import reviewed, rules_of

BASE = "def total(items):\n    return sum(items)\n"


@pytest.mark.parametrize(
    "line",
    [
        "    breakpoint()",
        "    import pdb; pdb.set_trace()",
        "    print(items)",
        "    # items = [i for i in items if i]",
        "    # return 0",
        "    # if not items:",
        "    # log(items)",
        "    x = 1  # TODO: finish",
    ],
)
def test_python_leftovers(line: str) -> None:
    found = [
        f for f in reviewed({"cart.py": BASE}, {"cart.py": f"def total(items):\n{line}\n    return sum(items)\n"})
        if f.rule == "debug-leftover"
    ]  # fmt: skip
    assert [(f.path, f.line) for f in found] == [("cart.py", 2)]


@pytest.mark.parametrize(
    "line",
    [
        "    # the sum of all items (prices include tax)",
        "    # see also: other()",
        "    # noqa: E501",
        "    # type: ignore[misc]",
        "    # items may be empty",
        "    # e.g. total([1, 2]) is 3",
        "    # Note: important",
        "    self.breakpoints()",
        "    reprint(items)",
    ],
)
def test_ordinary_lines(line: str) -> None:
    after = f"def total(items):\n{line}\n    return sum(items)\n"
    assert "debug-leftover" not in rules_of({"cart.py": BASE}, {"cart.py": after})


def test_a_program_that_prints_may_print_more() -> None:
    old = "print('hello')\n"
    assert rules_of({"cli.py": old}, {"cli.py": old + "print('world')\n"}) == []


def test_tests_may_print() -> None:
    assert "debug-leftover" not in rules_of({}, {"tests/test_a.py": "def test_a():\n    print(1)\n"})


@pytest.mark.parametrize(("path", "line"), [("a.js", "console.log(x)"), ("a.ts", "  debugger;"), ("a.rs", "dbg!(x);")])
def test_other_languages(path: str, line: str) -> None:
    assert "debug-leftover" in rules_of({path: "x\n"}, {path: f"x\n{line}\n"})


def test_merge_markers_but_not_headings() -> None:
    conflict = "<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> other\n"
    assert "merge-marker" in rules_of({"notes.txt": ""}, {"notes.txt": conflict})
    assert "merge-marker" not in rules_of({"notes.rst": ""}, {"notes.rst": "Title\n=======\n"})
