"""Drawing of bugs that tests catch, from a small library."""

import itertools
from pathlib import Path

import pytest
from benchmarks.seeded import Library, draw, drawn, figures_of, ticket_of

SHOP = """\
def rate(a, b):
    if a < 3:
        return a
    return b


def unused(a):
    return a + 1
"""
TEST = """\
from shop import rate


def test_rate():
    assert rate(2, 9) == 2
    assert rate(3, 9) == 9
"""
LIBRARY = Library(
    repository="o/shop",
    modules=["shop.py"],
    tests="python -m pytest --disable-plugin-autoload test_shop.py",
    texts={"shop.py": SHOP, "test_shop.py": TEST},
)


@pytest.mark.slow
def test_only_caught_bugs_are_drawn_and_kept(tmp_path: Path) -> None:
    kept = tmp_path / "cases.jsonl"
    first = list(itertools.islice(drawn({"o/shop": LIBRARY}, tmp_path, 1, kept), 3))
    assert len(kept.read_bytes().splitlines()) == 3
    for case in first:
        assert case.failing == ["test_shop.py::test_rate"]
        assert case.seed.function == "rate"
        assert LIBRARY.with_bug(case)["shop.py"] != LIBRARY.texts["shop.py"]
        assert "test_shop.py::test_rate" in ticket_of(case)
    assert list(itertools.islice(drawn({"o/shop": LIBRARY}, tmp_path, 1, kept), 3)) == first
    assert list(itertools.islice(draw({"o/shop": LIBRARY}, tmp_path, 1), 3)) == first


def test_figures_by_kind() -> None:
    row = {"kind": "number", "passing": True, "abstained": False, "right": True, "cpu_s": 2.0}
    wrong = {**row, "right": False, "cpu_s": 4.0}
    none = {**row, "kind": "slice", "passing": False, "right": False, "abstained": True, "cpu_s": 9.0}
    figures = figures_of([row, wrong, none])
    assert {k: figures[k] for k in ("total", "passing", "right", "abstained", "precision", "median_cpu_s")} == {
        "total": 3,
        "passing": 2,
        "right": 1,
        "abstained": 1,
        "precision": 0.5,
        "median_cpu_s": 4.0,
    }
    assert figures["by_kind"] == {"number": "1/2", "slice": "0/1"}
