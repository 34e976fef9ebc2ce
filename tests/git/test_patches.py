"""Patches of histories made by the user's own git."""

import pytest

from karkhana.git import Repository
from karkhana.git.patches import MOST, Hunk, read_patches


def patch(tree, commit):
    ((name, files),) = read_patches(Repository.open(tree.root), [commit])
    assert name == commit
    return files


def test_removed_and_added_lines_know_where_they_stood(tree):
    tree.write("src/cart.py", "import os\ndef total():\n    return 2\n")
    (file,) = patch(tree, tree.commit())
    assert (file.path, file.before) == ("src/cart.py", "src/cart.py")
    first, second = file.hunks
    assert first == Hunk(0, (), 1, ("import os",))
    assert (second.old_start, second.removed, second.new_start) == (2, ("    return 1",), 3)


def test_the_function_around_a_hunk_is_named(tree):
    body = "def total():\n" + "".join(f"    x{n} = {n}\n" for n in range(20))
    tree.write("src/cart.py", body)
    tree.commit()
    tree.write("src/cart.py", body.replace("x15 = 15", "x15 = 16"))
    ((hunk,),) = (file.hunks for file in patch(tree, tree.commit()))
    assert hunk.within == "def total():"


def test_white_space_is_no_change(tree):
    tree.write("src/cart.py", "def total():\n        return 1\n")
    assert patch(tree, tree.commit()) == ()


def test_lines_that_look_like_headers_are_lines(tree):
    tree.write("notes.sql", "-- old\n++ old\n@@ -1 +1 @@\ndiff --git a b\n")
    tree.commit()
    tree.write("notes.sql", "-- new\n++ new\n@@ -2 +2 @@\ndiff --git c d\n")
    (file,) = patch(tree, tree.commit())
    (hunk,) = file.hunks
    assert hunk.removed == ("-- old", "++ old", "@@ -1 +1 @@", "diff --git a b")
    assert hunk.added == ("-- new", "++ new", "@@ -2 +2 @@", "diff --git c d")


@pytest.mark.parametrize(
    "name", ["a b.py", 'q".py', "tab\t.py", "line\nfeed.py", "å.py", "b\udcff.py", "back\\slash.py"]
)
def test_odd_names_are_read_as_they_are(tree, name):
    tree.write(name, "x = 1\n")
    (file,) = patch(tree, tree.commit())
    assert (file.path, file.before) == (name, None)


def test_new_gone_and_renamed_files(tree):
    tree.git("mv", "src/cart.py", "src/basket.py")
    tree.write("src/basket.py", "def total():\n    return 1\n\n\nx = 1\n")
    tree.git("rm", "-q", "README")
    files = {file.path: file.before for file in patch(tree, tree.commit())}
    assert files == {"src/basket.py": "src/cart.py", "README": "README"}


def test_many_commits_come_in_the_order_asked_for(tree):
    commits = []
    for number in range(5):
        tree.write("x.py", f"x = {number}\n")
        commits.append(tree.commit())
    asked = [commits[3], commits[0], commits[4]]
    assert [name for name, _ in read_patches(Repository.open(tree.root), asked)] == asked
    assert list(read_patches(Repository.open(tree.root), [])) == []


def test_no_more_lines_than_a_bound_are_kept(tree):
    tree.write("x.py", "".join(f"x{n} = 1\n" for n in range(MOST + 500)))
    tree.write("y.py", "y = 1\n")
    files = patch(tree, tree.commit())
    assert sum(len(hunk.added) for file in files for hunk in file.hunks) == MOST
    assert {file.path for file in files} == {"x.py", "y.py"}
