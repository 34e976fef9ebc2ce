"""Patches as git writes them, read for a side-by-side view."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.domain.changes import REGULAR
from karkhana.git import make_patch
from karkhana.web.diffs import read_patch


def patch(before: str | None, after: str | None, path: str = "a.py") -> str:
    def side(text: str | None) -> tuple[int, bytes] | None:
        return None if text is None else (REGULAR, text.encode("utf-8", "surrogateescape"))

    return make_patch({path: (side(before), side(after))})


def sides(text: str) -> tuple[list[str], list[str]]:
    """The lines of each side that the pairs show."""
    pairs = [pair for file in read_patch(text) for hunk in file.hunks for pair in hunk.pairs]
    return [p.old.text for p in pairs if p.old], [p.new.text for p in pairs if p.new]


def test_lines_that_changed_stand_beside_each_other_with_the_part_that_differs():
    (file,) = read_patch(patch("x = 1\nif tins > least:\n", "x = 1\nif tins >= least:\n"))
    same, changed = file.hunks[0].pairs
    assert (same.changed, same.old.number, same.new.number) == (False, 1, 1)
    assert changed.old.parts == ("if tins >", "", " least:")
    assert changed.new.parts == ("if tins >", "=", " least:")
    assert (file.added, file.removed, file.kind) == (1, 1, "changed")


def test_lines_with_little_in_common_are_not_marked_in_part():
    (file,) = read_patch(patch("alpha beta\n", "x\n"))
    assert file.hunks[0].pairs[0].new.parts == ("", "", "x")


def test_numbers_go_on_after_a_longer_block():
    (file,) = read_patch(patch("a\nb\nc\n", "a\n1\n2\n3\nc\n"))
    last = file.hunks[0].pairs[-1]
    assert (last.old.number, last.new.number) == (3, 5)


def test_added_deleted_and_binary_files_are_told():
    assert read_patch(patch(None, "a\n"))[0].kind == "added"
    deleted = read_patch(patch("a\n", None))[0]
    assert (deleted.kind, deleted.removed, deleted.path) == ("deleted", 1, "a.py")
    binary = read_patch(patch("a\0", "b\0"))[0]
    assert (binary.binary, binary.path) == (True, "a.py")


@pytest.mark.parametrize("path", ["a b.py", "sub/ü.py", 'quo"te.py', "tab\t.py", "raw\udcff.py"])
def test_names_are_read_as_git_quotes_them(path):
    assert [file.path for file in read_patch(patch("a\n", "b\n", path))] == [path]


LINES = st.lists(
    st.sampled_from(["a", "b", "", "  c", "--- x", "+++ y", "@@ -1 +1 @@", "diff --git a/x b/x"]), max_size=12
)


@settings(max_examples=30, deadline=None)
@given(LINES, LINES)
def test_whatever_the_lines_are_both_sides_come_back(before, after):
    old, new = ("".join(f"{line}\n" for line in lines) for lines in (before, after))
    if old == new:
        return
    shown = sides(patch(old, new))
    assert (len(shown[0]) <= len(before), len(shown[1]) <= len(after)) == (True, True)
    removed = [line for line in before if line not in shown[0]]
    added = [line for line in after if line not in shown[1]]
    # what is not shown is context, and so the same on both sides
    assert set(removed) <= set(after)
    assert set(added) <= set(before)


def test_a_patch_of_git_itself_is_read(tmp_path: Path):
    (tmp_path / "a").write_text("one\ntwo\n")
    (tmp_path / "b").write_text("one\n2")
    words = ["git", "diff", "--no-index", "a", "b"]
    made = subprocess.run(words, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert sides(made.stdout) == (["one", "two"], ["one", "2"])
