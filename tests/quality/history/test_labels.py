"""Labels of real histories, and how they are taken up again after a kill."""

import pytest

from histories import DAY, START, History
from karkhana.git import Repository
from karkhana.quality.history.labels import Bad, Labels, label
from karkhana.quality.history.reading import read_history

GOOD = "def total(prices):\n    return sum(prices)\n"
BAD = GOOD.replace("sum", "max")


@pytest.fixture
def shop(tmp_path):
    """first, slip, other, repair, experiment, revert: one a day."""
    history = History(tmp_path / "shop")
    history.commit("first", {"cart.py": GOOD})
    history.commit("Faster total", {"cart.py": BAD})
    history.commit("other", {"x.py": "x = 1\n"})
    history.commit("Fix the total", {"cart.py": GOOD})
    history.commit("Experiment", {"y.py": "y = 1\n"})
    history.commit('Revert "Experiment"', {"y.py": None})
    return history.write(), Repository.open(history.root)


def test_repaired_and_reverted_commits_are_bad_from_that_day_on(shop):
    names, opened = shop
    found = label(opened, read_history(opened, "HEAD"))
    assert found.bad == {
        names[1]: Bad(commit=names[1], known=START + 4 * DAY, because="fixed", by=names[3]),
        names[4]: Bad(commit=names[4], known=START + 6 * DAY, because="reverted", by=names[5]),
    }
    assert (found.fixes, found.reverts) == (1, 1)


def test_what_is_known_depends_on_the_day(shop):
    names, opened = shop
    found = label(opened, read_history(opened, "HEAD"))
    made, week = START + 2 * DAY, 7 * DAY
    assert found.verdict(names[1], made, START + 3 * DAY, week) is None
    assert found.verdict(names[1], made, START + 4 * DAY, week) is True
    assert found.verdict(names[1], made, START + 90 * DAY, 1 * DAY) is False
    assert found.verdict(names[2], START + 3 * DAY, START + 4 * DAY, week) is None
    assert found.verdict(names[2], START + 3 * DAY, START + 10 * DAY, week) is False


def test_only_the_window_is_labelled(shop):
    names, opened = shop
    commits = read_history(opened, "HEAD")
    assert set(label(opened, commits, first=2).bad) == {names[4]}


def test_what_was_found_is_kept_and_told(shop, tmp_path):
    _, opened = shop
    commits = read_history(opened, "HEAD", tmp_path / "kept")
    seen = []
    first = label(opened, commits, folder=tmp_path / "kept", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 1), (1, 1)]
    journal = next((tmp_path / "kept").glob("origins-*"))
    size = journal.stat().st_size
    seen.clear()
    again = label(opened, commits, folder=tmp_path / "kept", progress=lambda done, total: seen.append((done, total)))
    assert (again, seen, journal.stat().st_size) == (first, [(1, 1)], size)


def test_a_journal_that_looked_less_far_back_is_not_enough(shop, tmp_path):
    names, opened = shop
    commits = read_history(opened, "HEAD")
    assert set(label(opened, commits, first=2, folder=tmp_path).bad) == {names[4]}
    assert set(label(opened, commits, first=1, folder=tmp_path).bad) == {names[1], names[4]}
    assert set(label(opened, commits, first=2, folder=tmp_path).bad) == {names[4]}


def test_a_torn_journal_is_read_as_far_as_it_goes(shop, tmp_path):
    _, opened = shop
    whole = read_history(opened, "HEAD", tmp_path)
    journal = next(tmp_path.glob("commits-*"))
    raw = journal.read_bytes()
    journal.write_bytes(raw[: len(raw) - 40])
    assert read_history(opened, "HEAD", tmp_path) == whole
    assert read_history(opened, "HEAD", tmp_path) == whole


def test_a_longer_history_reads_only_what_is_new(tmp_path):
    history = History(tmp_path / "shop")
    history.commit("first", {"cart.py": GOOD})
    history.write()
    opened = Repository.open(history.root)
    seen = []
    read_history(opened, "HEAD", tmp_path / "kept")
    history.commit("second", {"cart.py": BAD})
    history.write()
    commits = read_history(opened, "HEAD", tmp_path / "kept", lambda done, total: seen.append((done, total)))
    assert [commit.title for commit in commits] == ["first", "second"]
    assert seen == [(1, 2), (2, 2)]


def test_nothing_is_bad_without_repairs():
    assert Labels(bad={}, fixes=0, reverts=0).verdict("a", 0, 10, 5) is False
