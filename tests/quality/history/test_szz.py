"""Origins of repairs in real histories."""

from collections import Counter

import pytest

from histories import History
from karkhana.git import Repository
from karkhana.git.log import LoggedCommit, TouchedFile, read_log
from karkhana.git.patches import FilePatch, Hunk, read_patches
from karkhana.quality.history.szz import (
    LARGEST_FIX,
    LARGEST_ORIGIN,
    ignored_commits,
    origins,
    plausible,
    removed_lines,
)

GOOD = 'def total(prices):\n    """Adds up."""\n    # all of them\n    return sum(prices)\n'


def origins_of_last(history, **options):
    history.write()
    opened = Repository.open(history.root)
    last = list(read_log(opened, "HEAD"))[-1]
    ((_, patch),) = read_patches(opened, [last.commit])
    names = {commit.commit: commit.title for commit in read_log(opened, "HEAD")}
    return {names[name]: lines for name, lines in origins(opened, last, patch, **options).items()}


@pytest.fixture
def history(tmp_path):
    made = History(tmp_path / "shop")
    made.commit("first", {"cart.py": GOOD})
    return made


def test_the_commit_that_wrote_the_removed_line_is_found(history):
    history.commit("slip", {"cart.py": GOOD.replace("sum(prices)", "max(prices)")})
    history.commit("words", {"cart.py": GOOD.replace("sum(prices)", "max(prices)").replace("all", "each")})
    history.commit("Fix the total", {"cart.py": GOOD})
    assert origins_of_last(history) == {"slip": 1}


def test_indenting_after_the_slip_hides_nothing(history):
    slip = GOOD.replace("return sum(prices)", "return max(prices) + a_long_enough_name_of_something")
    history.commit("slip", {"cart.py": slip})
    history.commit("indent", {"cart.py": slip.replace("    return", "    if True:\n        return")})
    history.commit("Fix the total", {"cart.py": GOOD})
    assert origins_of_last(history).get("slip") == 1


@pytest.mark.parametrize(
    "fixed",
    [
        GOOD.replace("# all of them", "# every one"),
        GOOD.replace("Adds up.", "Adds all up."),
        GOOD.replace("    return sum(prices)", "    return sum(\n        prices,\n    )"),
        GOOD + "\n\ndef tax():\n    return 0\n",
        "import math\n" + GOOD,
    ],
    ids=["comment", "docstring", "reflowed", "added", "import"],
)
def test_cosmetic_and_added_lines_have_no_origin(history, fixed):
    history.commit("Fix the total", {"cart.py": fixed})
    assert origins_of_last(history) == {}


def test_moved_lines_have_no_origin(history):
    moved = {
        "cart.py": GOOD.replace("    return sum(prices)\n", "    return 0\n"),
        "till.py": "if 1:\n    return sum(prices)\n",
    }
    history.commit("Fix the total", moved)
    assert origins_of_last(history) == {}


def test_tests_and_documents_have_no_origin(history):
    history.commit("slip", {"tests/test_cart.py": "assert 1 == 2\n", "README.md": "wrong\n"})
    history.commit("Fix the total", {"tests/test_cart.py": "assert 1 == 1\n", "README.md": "right\n"})
    assert origins_of_last(history) == {}


def test_looking_no_further_back_than_asked(history):
    history.commit("slip", {"cart.py": GOOD.replace("sum", "max")})
    history.commit("other", {"x.py": "x = 1\n"})
    history.commit("Fix the total", {"cart.py": GOOD})
    names = history.write()
    assert origins_of_last(history, since=names[2]) == {}
    assert origins_of_last(history, since=names[0]) == {"slip": 1}


def test_commits_that_the_repository_asks_to_look_through(history):
    slip = GOOD.replace("sum(prices)", "max(prices)")
    history.commit("slip", {"cart.py": slip})
    history.commit("format", {"cart.py": slip.replace("max(prices)", "(max(prices))")})
    names = history.write()
    history.commit("ignore", {".git-blame-ignore-revs": f"# formatting\n{names[2]}\n{'0' * 40}\n-x\n"})
    history.commit("Fix the total", {"cart.py": GOOD})
    names = history.write()
    opened = Repository.open(history.root)
    ignored = ignored_commits(opened, "HEAD", dict.fromkeys(names))
    assert ignored == (names[2],)
    assert ignored_commits(opened, names[0], {}) == ()
    assert origins_of_last(history, ignored=ignored) == {"slip": 1}


def test_a_sweep_is_no_repair(history):
    files = {f"m{number}.py": "x = 1\n" for number in range(LARGEST_FIX + 1)}
    history.commit("many", files)
    history.commit("Fix all", dict.fromkeys(files, "x = 2\n"))
    assert origins_of_last(history) == {}


def test_first_commits_and_sweeps_are_no_origins():
    def commit(parents, files):
        touched = tuple(TouchedFile(f"f{n}.py", 1, 0) for n in range(files))
        return LoggedCommit("a" * 40, parents, "ann", 0, 0, "x", touched)

    assert plausible(commit(("b" * 40,), 1))
    assert not plausible(commit((), 1))
    assert not plausible(commit(("b" * 40,), LARGEST_ORIGIN + 1))
    assert not plausible(None)


def test_line_numbers_are_those_before_the_repair():
    patch = FilePatch("a.py", "a.py", (Hunk(5, ("x = 1", "", "y = 2"), 5, ("z = 3",)),))
    assert removed_lines(patch, Counter(["z=3"])) == [5, 7]
    assert removed_lines(patch, Counter(["y=2"])) == [5]
