"""Features against histories small enough to count by hand."""

import pytest

from histories import History
from karkhana.git import Repository
from karkhana.git.log import LoggedCommit, TouchedFile, read_log
from karkhana.quality.history.features import CLASSIC, DAY, NAMES, Past, features, vector

ONE = "def total():\n    return 1\n"


def commit(number, *files, message="change", author="ann", day=0.0):
    name = f"{number:040x}"
    when = int(1_600_000_000 + day * DAY)
    return LoggedCommit(name, (f"{number - 1:040x}",), author, when, when, message, tuple(files))


def rows(*commits):
    return list(features(commits))


def test_the_fourteen_of_the_paper_come_first():
    assert CLASSIC == (
        "ns", "nd", "nf", "entropy", "la", "ld", "lt", "fix", "ndev", "age", "nuc", "exp", "rexp", "sexp",
    )  # fmt: skip
    assert len(NAMES) == len(set(NAMES)) > 14


def test_size_and_spread():
    (row,) = rows(
        commit(1, TouchedFile("shop/a.py", 6, 0), TouchedFile("shop/in/b.py", 1, 1), TouchedFile("c.py", 0, 0))
    )
    assert (row.ns, row.nd, row.nf, row.la, row.ld) == (2, 3, 3, 7, 1)
    assert row.entropy == pytest.approx(0.8113, abs=1e-4)
    assert vector(row)[:3] == [2, 3, 3]


def test_the_past_of_files_and_people():
    first = commit(1, TouchedFile("a.py", 10, 0, new=True), author="ann", day=0)
    second = commit(2, TouchedFile("a.py", 2, 1), message="Fix crash", author="ben", day=10)
    third = commit(3, TouchedFile("a.py", 1, 1), TouchedFile("b.py", 5, 0, new=True), author="ann", day=30)
    one, two, three = rows(first, second, third)
    assert (one.ndev, one.nuc, one.lt, one.age, one.exp, one.new_files, one.owned) == (1, 0, 0, 0, 0, 1, 0)
    assert (two.ndev, two.nuc, two.lt, two.age, two.exp, two.fix, two.owned) == (2, 1, 10, 10, 0, 1, 0)
    assert (three.ndev, three.nuc, three.lt, three.age, three.exp) == (2, 2, 11, 20, 1)
    assert (three.past_fixes, three.churn, three.owned, three.idle, three.new_files) == (1, 13, 0.5, 30, 0.5)
    assert 0.9 < three.recent_fixes < 1
    assert 0.9 < three.rexp <= 1


def test_experience_fades_with_the_years():
    late = rows(
        commit(1, TouchedFile("a.py", 1, 0), day=0),
        commit(2, TouchedFile("a.py", 1, 0), day=365 * 3),
    )[1]
    assert (late.exp, late.churn) == (1, 0)
    assert late.rexp == pytest.approx(0.25, abs=0.03)


def test_a_renamed_file_keeps_its_past_and_a_deleted_one_loses_it():
    made = commit(1, TouchedFile("a.py", 10, 0, new=True))
    moved = commit(2, TouchedFile("b.py", 0, 0, before="a.py"), day=1)
    changed = commit(3, TouchedFile("b.py", 1, 0), day=2)
    gone = commit(4, TouchedFile("b.py", 0, 11, gone=True), day=3)
    again = commit(5, TouchedFile("b.py", 3, 0, new=True), day=4)
    found = rows(made, moved, changed, gone, again)
    assert [row.nuc for row in found] == [0, 1, 2, 3, 0]
    assert [row.lt for row in found] == [0, 10, 10, 11, 0]


def test_nothing_of_the_future_is_known():
    past = Past()
    early = commit(1, TouchedFile("a.py", 10, 0), day=0)
    before = past.features(early)
    past.add(early)
    past.add(commit(2, TouchedFile("a.py", 2, 1), message="Fix crash", author="ben", day=10))
    assert before == rows(early)[0]


def test_commits_without_code_are_no_rows_and_tests_are_told_apart():
    found = rows(
        commit(1, TouchedFile("README.md", 1, 0)),
        commit(2, TouchedFile("a.py", 3, 0), TouchedFile("tests/test_a.py", 1, 0)),
    )
    assert [row.commit for row in found] == [f"{2:040x}"]
    assert found[0].tests == 0.25
    assert found[0].exp == 0


def test_a_container_is_no_subsystem():
    (row,) = rows(commit(1, TouchedFile("src/shop/a.py", 1, 0), TouchedFile("src/till/b.py", 1, 0)))
    assert row.ns == 2


def test_a_real_history(tmp_path):
    history = History(tmp_path / "shop")
    history.commit("first", {"cart.py": ONE})
    history.commit("Fix the total", {"cart.py": ONE.replace("1", "2")}, author="ben", days=3)
    history.write()
    one, two = features(read_log(Repository.open(history.root), "HEAD"))
    assert (one.la, one.ld) == (2, 0)
    assert (two.la, two.ld, two.lt, two.age, two.ndev, two.fix) == (1, 1, 2, 3, 2, 1)
