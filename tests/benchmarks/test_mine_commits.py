from pathlib import Path

import pytest
from benchmarks.mine_commits import Nature, candidates, commit_of, in_order, is_source, is_test, ticket_text
from benchmarks.mine_tickets import History
from tests_benchmarks_data import FIX, START


def natures(folder: Path) -> dict[str, Nature | str]:
    history = History(folder / ".git")
    return {c.message: history.nature(c) for c in candidates(folder / ".git", "2000-01-01")}


@pytest.mark.parametrize(
    ("path", "test", "source"),
    [
        ("src/shop/basket.py", False, True),
        ("tests/helpers.py", True, False),
        ("tests/data/prices.json", True, False),
        ("shop/test_basket.py", True, False),
        ("docs/conf.py", False, False),
        ("setup.py", False, False),
        ("conftest.py", True, False),
        ("README.md", False, False),
    ],
)
def test_tests_sources_and_the_rest(path: str, test: bool, source: bool):
    assert is_test(path) is test
    assert is_source(path) is source


def test_a_commit_needs_a_test_and_a_source(repository):
    folder, commit = repository
    commit("start", START)
    commit("source only", {"basket.py": FIX["basket.py"]})
    commit("test only", {"tests/test_basket.py": FIX["tests/test_basket.py"]})
    assert natures(folder) == {}


def test_a_fix_is_told_from_features_words_and_big_changes(repository):
    folder, commit = repository
    commit("start", START)
    commit("Fix the rebate", FIX)
    test = FIX["tests/test_basket.py"]
    commit(
        "Say more",
        {"basket.py": FIX["basket.py"].replace("Sum of", "The sum of"), "tests/test_basket.py": test + "\n#\n"},
    )
    feature = FIX["basket.py"] + "\n\ndef dearest(prices):\n    return max(prices)\n"
    commit("Dearest", {"basket.py": feature, "tests/test_basket.py": test + "\n\nfrom basket import dearest\n"})
    big = feature + "".join(f"\nX{n} = {n}" for n in range(30))
    commit("Fix a lot", {"basket.py": big, "tests/test_basket.py": test + "\n# 2\n"})
    found = natures(folder)
    assert found["Fix the rebate"] == Nature(2, "operator", ("basket.py::total",))
    assert found["Say more"] == "no change of code"
    assert found["Dearest"] == "feature"
    assert found["Fix a lot"] == "too many lines"


def test_merges_are_left_out_and_fixes_come_first(repository):
    folder, commit = repository
    commit("start", START)
    commit("Neutral words", {**FIX, "basket.py": FIX["basket.py"].replace("rebate", "discount")})
    commit("Fixed it", {**FIX, "tests/test_basket.py": FIX["tests/test_basket.py"] + "\n"})
    ordered = in_order(candidates(folder / ".git", "2000-01-01"), "seed")
    assert [c.message for c in ordered] == ["Fixed it", "Neutral words"]
    assert ordered[0].sources == ("basket.py",)
    assert commit_of(folder / ".git", ordered[1].fix) == ordered[1]


def test_tickets_have_no_trailers_and_addresses():
    assert (
        ticket_text("Fix it\n\nIn (https://example.org/1) it broke\n\nCo-authored-by: A <a@b.c>")
        == "Fix it\n\nIn  it broke"
    )
