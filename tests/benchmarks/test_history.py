import sys
from pathlib import Path

import pytest
from benchmarks.history import kept_rows, localised, outcome_of, spread, summary
from benchmarks.history_judge import Judge, differing, patch_between, replay, same_answer, same_code
from benchmarks.history_limits import bounded
from benchmarks.mine_commits import commit_of
from benchmarks.mine_tickets import History
from tests_benchmarks_data import FIX, START

PYTHON = Path(sys.executable)
BUG = START["basket.py"]


@pytest.fixture
def judge(fixed: tuple[Path, str]) -> Judge:
    git_dir, fix = fixed
    commit = commit_of(git_dir, fix)
    assert commit is not None
    ticket = {
        "fix": fix,
        "parent": commit.parent,
        "sources": list(commit.sources),
        "tests": list(commit.tests),
        "command": "python -m pytest tests/test_basket.py",
    }
    return Judge(History(git_dir), git_dir, ticket, PYTHON)


def change(text: str) -> dict[str, bytes | None]:
    return {"basket.py": text.encode()}


def test_the_same_code_is_right(judge: Judge):
    verdict = judge.verdict(change("# a remark\n" + FIX["basket.py"]))
    assert verdict == {"passing": True, "right": True, "judged": "same code"}


@pytest.mark.slow
def test_other_code_with_the_same_answers_is_right(judge: Judge):
    verdict = judge.verdict(change(BUG.replace("sum(prices) + rebate", "sum((*prices, -rebate))")))
    assert verdict["right"], verdict
    assert verdict["compared"] == ["basket.py::total"]
    assert verdict["showing"] > 0


def test_what_fails_the_tickets_own_tests_is_not_passing(judge: Judge):
    verdict = judge.verdict(change(BUG.replace("+ rebate", "")))
    assert (verdict["passing"], verdict["right"]) == (False, False)


@pytest.mark.slow
def test_what_only_the_later_tests_find_is_wrong(judge: Judge):
    verdict = judge.verdict(change(BUG.replace("+ rebate", "- rebate * (len(prices) < 3)")))
    assert (verdict["passing"], verdict["right"]) == (True, False)
    assert verdict["later_failing"] == ["tests/test_basket.py::test_free"]


@pytest.mark.slow
def test_what_no_test_finds_is_found_by_made_inputs(judge: Judge):
    verdict = judge.verdict(change(BUG.replace("+ rebate", "- (rebate if rebate < 4 else 0)")))
    assert verdict["later_failing"] == []
    assert verdict["judged"] == "answers differently"
    assert verdict["examples"][0][0] == "basket.py::total"


@pytest.mark.slow
def test_a_repair_in_another_place_is_compared_where_callers_are(repository):
    folder, commit = repository
    shop = "def net(price):\n    return price\n\n\ndef label(price):\n    return str(net(price))\n"
    head = "from shop import label\n\n\ndef test_label():\n    assert label(1) == '1'\n"
    more = "\n\ndef test_negative():\n    for n in range(1, 9):\n        assert label(-n) == str(n)\n"
    commit("start", {"shop.py": shop, "tests/test_shop.py": head})
    theirs = shop.replace("str(net(price))", "str(abs(net(price)))")
    fix = commit("Fix", {"shop.py": theirs, "tests/test_shop.py": head + more})
    parent = commit_of(folder / ".git", fix).parent
    ticket = {"fix": fix, "parent": parent, "sources": ["shop.py"], "tests": ["tests/test_shop.py"]}
    ticket["command"] = "python -m pytest tests"
    found = Judge(History(folder / ".git"), folder / ".git", ticket, PYTHON).verdict(
        {"shop.py": shop.replace("return price", "return abs(price)").encode()}
    )
    assert found["right"], found
    assert found["compared"] == ["shop.py::label"]


def test_changed_tests_are_refused(judge: Judge):
    assert judge.verdict({"tests/test_basket.py": b""}) == {"right": False, "judged": "changes tests"}


def test_differing_functions():
    one = {"a.py": b"X = 1\n\n\ndef f():\n    return X\n\n\ndef g():\n    return 2\n", "test_a.py": b"1"}
    assert differing(one, {**one, "a.py": one["a.py"].replace(b"2", b"3"), "test_a.py": b"2"}) == [("a.py", "g")]
    assert differing(one, {**one, "a.py": one["a.py"].replace(b"1", b"3")}) == [("a.py", "f"), ("a.py", "g")]
    assert same_code(one, {**one, "a.py": one["a.py"] + b"# end\n"})


def test_a_patch_can_be_replayed():
    before = {"a.py": b"x = 1\n", "b.py": b"y = 1\n"}
    patch = patch_between(before, {**before, "a.py": b"x = 2\n"})
    assert replay(before, patch) == {"a.py": b"x = 2\n"}


def test_a_command_ends_at_its_cpu_limit_with_all_it_started():
    loop = "while True: pass"
    started = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {loop!r}])"
    ended = bounded([sys.executable, "-c", started], cpu_s=0.5, wall_s=120)
    assert ended.stopped == "cpu"
    assert ended.cpu_s >= 0.5


def test_a_command_within_its_limits_gives_its_output():
    ended = bounded([sys.executable, "-c", "print(input()[::-1])"], stdin="abc", cpu_s=60, wall_s=60)
    assert (ended.stdout, ended.stopped) == ("cba\n", "")


TICKET = {"failing": ["t::a"], "functions": ["src/a.py::f"]}
ROW = {"right": False, "abstained": True, "stopped": "", "crashed": False, "reason": "", "failing_before": ["t::a"]}


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        ({**ROW, "right": True, "abstained": False}, "right"),
        ({**ROW, "abstained": False, "judged": "answers differently"}, "wrong: answers differently"),
        ({**ROW, "stopped": "cpu"}, "abstained: cpu limit"),
        ({**ROW, "crashed": True}, "abstained: crashed"),
        ({**ROW, "failing_before": []}, "abstained: environment"),
        ({**ROW, "events": [], "localised": False}, "abstained: not localised"),
        ({**ROW, "events": [], "localised": True}, "abstained: nothing passes"),
        ({**ROW, "events": [{"type": "candidates.compared"}], "localised": True}, "abstained: not convinced"),
        ({**ROW, "failing_before": None}, "abstained"),
    ],
)
def test_classes_of_outcome(row, outcome: str):
    assert outcome_of(row, TICKET) == outcome


def test_localised_by_function():
    files = {"a.py": b"X = 1\n\n\ndef f():\n    return 1\n\n\ndef g():\n    return 2\n"}
    assert localised([{"place": "a.py:5"}], ["a.py::f"], files)
    assert not localised([{"place": "a.py:9"}, {"place": ""}, {}], ["a.py::f"], files)
    assert localised([{"place": "a.py:9"}], ["a.py::"], files)


def test_the_summary_counts_what_is_disputed_as_wrong():
    def row(**own):
        base = {"passing": True, "right": False, "abstained": False, "cpu_s": 1.0, "score": None, "probability": None}
        return {**base, "outcome": "x", **own}

    rows = [row(right=True, probability=0.95), row(probability=0.92), row(abstained=True, passing=False)]
    found = summary(rows)
    assert (found["total"], found["passing"], found["right"], found["abstained"]) == (3, 2, 1, 1)
    assert found["precision"] == 0.5
    assert found["over_0_9"] == {"delivered": 2, "right": 1}


def test_a_sample_is_spread_over_libraries_and_years():
    tickets = [{"library": name, "date": n} for name in "ab" for n in range(5)]
    assert [(t["library"], t["date"]) for t in spread(tickets, 2)] == [("a", 0), ("a", 2), ("b", 0), ("b", 2)]
    assert spread(tickets, None) == tickets


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path):
    tickets = [{"library": "a/b", "fix": "1" * 40}, {"library": "a/b", "fix": "2" * 40}]
    file = tmp_path / "rows"
    assert kept_rows(file, tickets) == []
    file.write_text('{"name": "a/b@1111111111"}\n{"name": "c/d@1111111111"}\n')
    assert kept_rows(file, tickets) == [{"name": "a/b@1111111111"}]


@pytest.mark.parametrize(
    ("expected", "found", "before", "same"),
    [
        ("=1", "=1", "=2", True),
        ("=1", "=2", "=2", False),
        ("!ValueError: no", "!ValueError: not at all", "=1", True),
        ("!ValueError: no", "!TypeError: no", "=1", False),
        ("!ValueError: no", "!ValueError: yes", "!ValueError: yes", False),
        ("=1", "!ValueError: no", "=2", False),
    ],
)
def test_the_wording_of_an_exception_counts_where_the_bug_was_in_it(expected: str, found: str, before: str, same: bool):
    assert same_answer(expected, found, before) is same


@pytest.mark.slow
def test_functions_inside_of_functions_are_watched_while_tests_call_them(repository):
    folder, commit = repository
    shop = "def maker(table):\n    def forget(key):\n        table.pop(key)\n\n    return forget\n"
    head = "from shop import maker\n\n\ndef test_forget():\n    maker({1: 2})(1)\n"
    more = "".join(f"\n\ndef test_{n}():\n    assert maker({{{n}: 0}})({n + 1}) is None\n" for n in range(3))
    commit("start", {"shop.py": shop, "tests/test_shop.py": head})
    fix = commit("Fix", {"shop.py": shop.replace("(key)\n\n", "(key, None)\n\n"), "tests/test_shop.py": head + more})
    parent = commit_of(folder / ".git", fix).parent
    ticket = {"fix": fix, "parent": parent, "sources": ["shop.py"], "tests": ["tests/test_shop.py"]}
    ticket["command"] = "python -m pytest tests"
    ours = shop.replace("table.pop(key)", "if key in table:\n            table.pop(key)")
    verdict = Judge(History(folder / ".git"), folder / ".git", ticket, PYTHON).verdict({"shop.py": ours.encode()})
    assert verdict["right"], verdict
    assert verdict["showing"] == 3


@pytest.mark.slow
def test_where_a_tree_stands_is_no_difference(repository):
    folder, commit = repository
    shop = "def label(n):\n    return f'{__file__} {n + 1}'\n"
    head = "from shop import label\n\n\ndef test_label():\n    assert label(1)\n"
    more = "".join(f"\n\ndef test_{n}():\n    assert label({n}).endswith('py {n}')\n" for n in range(3))
    commit("start", {"shop.py": shop, "tests/test_shop.py": head})
    fix = commit("Fix", {"shop.py": shop.replace("n + 1", "n"), "tests/test_shop.py": head + more})
    parent = commit_of(folder / ".git", fix).parent
    ticket = {"fix": fix, "parent": parent, "sources": ["shop.py"], "tests": ["tests/test_shop.py"]}
    ticket["command"] = "python -m pytest tests"
    judge = Judge(History(folder / ".git"), folder / ".git", ticket, PYTHON)
    verdict = judge.verdict({"shop.py": shop.replace("n + 1", "n + 0").encode()})
    assert verdict["right"], verdict
