"""The log of histories made by the user's own git, hostile names included."""

import pytest

from karkhana.git import Repository
from karkhana.git.command import GitFailed
from karkhana.git.log import MESSAGE, list_commits, read_log


def log(tree, **options):
    return list(read_log(Repository.open(tree.root), "HEAD", **options))


def test_commits_come_oldest_first_with_what_they_touched(tree):
    tree.write("src/cart.py", "def total():\n    return 2\n\n\nx = 1\n")
    tree.commit("Raise the total\n\nSo that it adds up.")
    first, second = log(tree)
    assert first.parents == ()
    assert second.parents == (first.commit,)
    assert {file.path: (file.added, file.deleted, file.new) for file in first.files} == {
        "README": (1, 0, True),
        "src/cart.py": (2, 0, True),
        "data.bin": (0, 0, True),
    }
    (file,) = second.files
    assert (file.path, file.added, file.deleted, file.new, file.gone) == ("src/cart.py", 4, 1, False, False)
    assert second.title == "Raise the total"
    assert second.message.endswith("So that it adds up.")
    assert second.author == "a@example.org"
    assert second.committed >= first.committed > 1_000_000_000


def test_renames_keep_the_path_that_was_left(tree):
    tree.git("mv", "src/cart.py", "src/basket.py")
    tree.commit("rename")
    (file,) = log(tree)[-1].files
    assert (file.path, file.before, file.new) == ("src/basket.py", "src/cart.py", False)


def test_a_file_that_goes_is_told(tree):
    tree.git("rm", "-q", "src/cart.py")
    tree.commit("remove")
    (file,) = log(tree)[-1].files
    assert (file.path, file.deleted, file.gone) == ("src/cart.py", 2, True)


@pytest.mark.parametrize("name", ["a b.py", ":100644 100644 x.py", '3\t4\tq".py', "line\nfeed.py", "å.py"])
def test_odd_names_are_read_as_they_are(tree, name):
    tree.write(name, "x = 1\n")
    tree.commit("odd")
    tree.write("after.py", "y = 1\n")
    tree.commit("after")
    commits = log(tree)
    assert [file.path for file in commits[-2].files] == [name]
    assert [file.path for file in commits[-1].files] == ["after.py"]


def test_names_that_are_not_utf8_stay_distinct(tree):
    tree.git("commit", "-q", "--allow-empty", "-m", "nothing")
    (tree.root / "src" / "b\udcff.py").write_text("x = 1\n")
    tree.commit("bytes")
    assert [file.path for file in log(tree)[-1].files] == ["src/b\udcff.py"]
    assert log(tree)[-2].files == ()


def test_merges_are_left_out_and_what_they_bring_is_counted_once(tree):
    tree.git("checkout", "-q", "-b", "side")
    tree.write("side.py", "x = 1\n")
    side = tree.commit("side")
    tree.git("checkout", "-q", "main")
    tree.write("main.py", "y = 1\n")
    main = tree.commit("main")
    tree.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert {commit.commit for commit in log(tree)[1:]} == {side, main}
    assert [commit.commit for commit in log(tree)] == list_commits(Repository.open(tree.root), "HEAD")


def test_only_wanted_commits_are_read(tree):
    tree.write("x.py", "x = 1\n")
    wanted = tree.commit("one")
    tree.write("x.py", "x = 2\n")
    tree.commit("two")
    assert [commit.commit for commit in log(tree, wanted=frozenset({wanted}))] == [wanted]


def test_links_and_submodules_are_no_files(tree):
    (tree.root / "link.py").symlink_to("/etc/passwd")
    tree.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    tree.git("add", "link.py")
    tree.git("commit", "-q", "-m", "links")
    assert log(tree)[-1].files == ()


def test_a_message_without_end_is_cut(tree):
    tree.git("commit", "-q", "--allow-empty", "-F", "-", stdin=b"word " * 10_000)
    assert len(log(tree)[-1].message) <= MESSAGE


def test_a_damaged_repository_is_told(tree):
    for path in (tree.root / ".git" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(GitFailed):
        log(tree)
