"""Ages of lines, against histories made by the user's own git."""

from karkhana.git import Repository
from karkhana.git.recency import recent_lines

ONE = "def total():\n    return 1\n"


def ages(tree, **options):
    opened = Repository.open(tree.root)
    return recent_lines(opened, opened.head(), **options)


def test_lines_know_how_many_commits_ago_they_changed(tree):
    tree.write("src/cart.py", ONE + "\n\ndef tax():\n    return 2\n")
    tree.commit("add tax")
    tree.write("README", "bye\n")
    tree.commit("words")
    tree.write("src/cart.py", "import os\n" + ONE + "\n\ndef tax():\n    return 3\n")
    tree.commit("raise tax")
    assert ages(tree) == {"src/cart.py": {1: 0, 4: 2, 5: 2, 6: 2, 7: 0}}


def test_a_first_commit_says_nothing(tree):
    assert ages(tree) == {}


def test_lines_from_before_the_last_commits_are_left_out(tree):
    for number in range(4):
        tree.write("src/cart.py", ONE + "".join(f"x{n} = {n}\n" for n in range(number + 1)))
        tree.commit(f"x{number}")
    assert ages(tree, commits=2) == {"src/cart.py": {5: 1, 6: 0}}


def test_a_merge_counts_as_one_commit(tree):
    tree.git("checkout", "-q", "-b", "side")
    tree.write("src/cart.py", ONE + "side = 1\n")
    tree.commit("side one")
    tree.write("src/cart.py", ONE + "side = 2\n")
    tree.commit("side two")
    tree.git("checkout", "-q", "main")
    tree.write("README", "bye\n")
    tree.commit("words")
    tree.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert ages(tree) == {"src/cart.py": {3: 0}}


def test_odd_names_deleted_files_links_and_large_files(tree):
    tree.write("od\td \n-x.py", "a = 1\n")
    tree.write("gone.py", "a = 1\n")
    tree.write("large.py", "#" * 1_000_001)
    (tree.root / "link.py").symlink_to("README")
    tree.commit("more")
    (tree.root / "gone.py").unlink()
    tree.write("src/cart.py", ONE + "\tlooks = 'like'\n" + "a" * 40 + " 1 2 3\n")
    tree.commit("fewer")
    assert ages(tree) == {"od\td \n-x.py": {1: 1}, "src/cart.py": {3: 0, 4: 0}}
