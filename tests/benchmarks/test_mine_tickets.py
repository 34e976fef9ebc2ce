import sys
from pathlib import Path

import pytest
from benchmarks.mine import index_text, libraries, mine
from benchmarks.mine_commits import commit_of
from benchmarks.mine_tickets import History, halves, load, make, store
from tests_benchmarks_data import FIX, START

PYTHON = Path(sys.executable)


def ticket_of(git_dir: Path, fix: str):
    history, commit = History(git_dir), commit_of(git_dir, fix)
    assert commit is not None
    nature = history.nature(commit)
    assert not isinstance(nature, str)
    return make(history, "shop/basket", commit, nature, PYTHON)


def test_a_fix_becomes_a_ticket(fixed: tuple[Path, str]):
    ticket = ticket_of(*fixed)
    assert ticket["failing"] == ["tests/test_basket.py::test_rebate"]
    assert ticket["command"] == "python -m pytest tests/test_basket.py"
    assert ticket["sources"] == ["basket.py"]
    assert (ticket["kind"], ticket["changed_lines"]) == ("operator", 2)
    assert ticket["ticket"] == "Fix the rebate, which was added\n\nSee"


def test_the_report_tells_what_the_test_says_and_not_the_fix(fixed: tuple[Path, str]):
    report = ticket_of(*fixed)["report"]
    assert report.startswith("tests/test_basket.py::test_rebate fails")
    assert "assert 14 == 10" in report
    assert "added" not in report


def test_what_passes_before_is_no_ticket(repository):
    folder, commit = repository
    commit("start", START)
    fix = commit("Fix", {**FIX, "tests/test_basket.py": START["tests/test_basket.py"] + "\n# more\n"})
    assert ticket_of(folder / ".git", fix) == "passes before"


def test_what_fails_after_is_no_ticket(repository):
    folder, commit = repository
    commit("start", START)
    test = FIX["tests/test_basket.py"].replace("== 10", "== 11")
    fix = commit("Fix", {**FIX, "tests/test_basket.py": test})
    assert ticket_of(folder / ".git", fix) == "fails after"


def test_tests_that_fail_in_both_states_are_left_out_of_the_suite(repository):
    folder, commit = repository
    commit("start", START)
    test = FIX["tests/test_basket.py"] + "\n\ndef test_of_another_time():\n    assert False\n"
    ticket = ticket_of(folder / ".git", commit("Fix", {**FIX, "tests/test_basket.py": test}))
    assert ticket["failing"] == ["tests/test_basket.py::test_rebate"]
    assert ticket["command"].endswith("--deselect tests/test_basket.py::test_of_another_time")


def test_a_test_that_cannot_be_collected_before_is_no_ticket(repository):
    folder, commit = repository
    commit("start", START)
    files = {
        "basket.py": START["basket.py"] + "\n\ndef dearest(prices):\n    return max(prices)\n",
        "tests/test_basket.py": "from basket import dearest\n\n\ndef test_dearest():\n    assert dearest([1]) == 1\n",
    }
    assert ticket_of(folder / ".git", commit("Fix the missing dearest", files)) == "other failures before"


def test_the_older_half_is_for_developing(tmp_path: Path):
    tickets = [{"library": "a/b", "fix": f"{n:040}", "date": f"2020-01-0{n}"} for n in (3, 1, 2)]
    found = halves(tickets)
    assert [(t["date"], t["half"]) for t in found] == [
        ("2020-01-01", "develop"),
        ("2020-01-02", "develop"),
        ("2020-01-03", "blind"),
    ]
    for ticket in found:
        store(tmp_path, ticket)
    assert load(tmp_path, "blind") == found[2:]


def test_mining_a_folder_of_repositories(fixed: tuple[Path, str], capsys: pytest.CaptureFixture[str]):
    git_dir, fix = fixed
    assert libraries(git_dir.parents[2]) == {"shop/basket": git_dir}
    tickets, reasons = mine("shop/basket", git_dir, 5, PYTHON, "2000-01-01")
    assert [t["fix"] for t in tickets] == [fix]
    assert reasons == {}
    assert f'fix = "{fix}"' in index_text(tickets)
    assert "rebate" not in index_text(tickets)
