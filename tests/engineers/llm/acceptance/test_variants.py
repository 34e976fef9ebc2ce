import ast
import difflib

from karkhana.engineers.llm.acceptance.variants import hunks, variants

OLD = "import os\n\n\ndef a(x):\n    return x\n" + "\n" * 9 + "def b(x):\n    y = x\n    return y\n"
NEW = OLD.replace("return x", "if x > 2:\n        log(x)\n        raise ValueError\n    return x + 1").replace(
    "y = x", "y = x * 2"
)


def patch(old: str, new: str, path: str = "m.py") -> str:
    lines = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}")
    return f"diff --git a/{path} b/{path}\n{''.join(lines)}"


def test_each_hunk_is_taken_back_on_its_own() -> None:
    changed = hunks(patch(OLD, NEW))
    assert len(changed["m.py"]) == 2
    back = [each for each in variants("m.py", NEW, changed["m.py"]) if each.what.endswith("taken back")]
    assert back[0].content == OLD.replace("y = x", "y = x * 2")
    assert back[1].content == NEW.replace("y = x * 2", "y = x")


def test_statements_of_the_new_code_are_made_wrong_and_no_others() -> None:
    found = [each for each in variants("m.py", NEW, hunks(patch(OLD, NEW))["m.py"]) if "taken back" not in each.what]
    assert [each.what.rpartition(": ")[2] for each in found] == ["not (x > 2)", "pass", "pass", "return None", "pass"]
    for each in found:
        ast.parse(each.content)
        assert each.content != NEW
    assert "return y" in found[-1].content


def test_a_new_file_taken_back_is_empty() -> None:
    (made,) = variants("notes.txt", "a\nb\n", hunks(patch("", "a\nb\n", "notes.txt"))["notes.txt"])
    assert made.content == ""


def test_several_files_and_lines_that_look_like_headers_are_kept_apart() -> None:
    text = patch("-- a\n", "++ b\n", "q.sql") + patch(OLD, NEW)
    found = hunks(text)
    assert list(found) == ["q.sql", "m.py"]
    assert (found["q.sql"][0].old, found["q.sql"][0].new) == (("-- a",), ("++ b",))


def test_code_that_does_not_stand_as_the_patch_says_is_left_alone() -> None:
    assert list(variants("m.txt", "other\n", hunks(patch(OLD, NEW, "m.txt"))["m.txt"])) == []
