"""Who wrote a line, in histories made by the user's own git."""

from karkhana.git import Repository
from karkhana.git.lineage import BYTES, who_wrote


def test_lines_know_their_commit(tree):
    first = tree.git("rev-parse", "HEAD")
    tree.write("src/cart.py", "def total():\n    return 2\n")
    second = tree.commit()
    opened = Repository.open(tree.root)
    assert who_wrote(opened, second, "src/cart.py", [(1, 2)]) == {1: first, 2: second}
    assert who_wrote(opened, second, "src/cart.py", [(2, 2)]) == {2: second}


def test_indenting_and_moving_write_nothing(tree):
    long = "    total_of_everything = price_of_one * number_of_them + delivery_and_taxes\n"
    tree.write("src/cart.py", "def total():\n" + long + "    return 1\n")
    wrote = tree.commit()
    tree.write("src/cart.py", "def total():\n    if True:\n    " + long + "    return 1\n")
    head = tree.commit("indent")
    assert who_wrote(Repository.open(tree.root), head, "src/cart.py", [(3, 3)]) == {3: wrote}


def test_what_is_as_old_as_the_bound_is_left_out(tree):
    first = tree.git("rev-parse", "HEAD")
    tree.write("src/cart.py", "def total():\n    return 2\n")
    second = tree.commit()
    assert who_wrote(Repository.open(tree.root), second, "src/cart.py", [(1, 2)], since=first) == {2: second}
    assert who_wrote(Repository.open(tree.root), second, "src/cart.py", [(1, 2)], since=second) == {}
    assert who_wrote(Repository.open(tree.root), first, "src/cart.py", [(1, 2)], since=second) == {}


def test_ignored_commits_are_looked_through(tree):
    first = tree.git("rev-parse", "HEAD")
    tree.write("src/cart.py", "def total():\n    return (1)\n")
    second = tree.commit("reformat")
    found = who_wrote(Repository.open(tree.root), second, "src/cart.py", [(2, 2)], ignored=[second])
    assert found == {2: first}


def test_files_that_are_absent_or_huge_say_nothing(tree):
    opened = Repository.open(tree.root)
    assert who_wrote(opened, opened.head(), "gone.py", [(1, 1)]) == {}
    tree.write("huge.py", "x = 1\n" * (BYTES // 6 + 1))
    assert who_wrote(opened, tree.commit(), "huge.py", [(1, 1)]) == {}


def test_a_path_is_never_a_pattern(tree):
    tree.write("a*.py", "x = 1\n")
    tree.write("ab.py", "y = 1\n")
    head = tree.commit()
    assert who_wrote(Repository.open(tree.root), head, "a*.py", [(1, 1)]) == {1: head}
