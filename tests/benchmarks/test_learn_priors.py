"""Human fixes that templates would have made, and what they teach; on texts made here."""

import json
from pathlib import Path

import pytest
from benchmarks.learn_priors import Fix, compared, cutoffs, fix_of, lessons_of, only_function, place_of, rank_of

from karkhana.domain.lessons import Lesson

BEFORE = '''"""Shop, before."""


class Cart:
    @property
    def total(self):
        if self.count < 3:
            return self.price
        return 0


def rate():
    return 19
'''
AFTER = BEFORE.replace("before", "after").replace("< 3", "<= 3")


def fix(date: str, right: dict[str, float], **ideas: list[float]) -> Fix:
    return Fix(library="o/shop", commit=date, date=date, ideas=ideas, right=right)


def test_a_method_is_found_with_its_decorators() -> None:
    where = place_of(BEFORE, "Cart.total")
    assert where is not None
    assert (where.top, where.start, where.end, where.classes) == (5, 6, 9, ("Cart",))
    assert place_of(BEFORE, "Cart.rate") is None
    assert place_of(BEFORE, "Basket.total") is None


def test_the_template_that_makes_the_human_fix_is_known() -> None:
    found = fix_of("shop.py", BEFORE, AFTER)
    assert found is not None
    assert "comparison-operator" in found.right
    assert all(score in found.ideas[kind] for kind, score in found.right.items())


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        BEFORE.replace("before", "after"),
        AFTER.replace("19", "20"),
        BEFORE.replace("def rate", "RATE = 1\n\n\ndef rate"),
        BEFORE.replace("def rate", "def tax"),
    ],
)
def test_a_change_of_more_or_less_than_a_function_is_no_fix(after: str) -> None:
    assert fix_of("shop.py", BEFORE, after) is None


def test_only_the_function_is_compared() -> None:
    wanted = only_function(BEFORE, AFTER, "Cart.total")
    assert "before" in wanted
    assert "<= 3" in wanted


def test_a_fix_is_shared_and_every_other_candidate_is_a_lost_trial() -> None:
    found = [fix("2020", {"a": 1.0, "b": 0.5}, a=[1.0, 0.2], b=[0.5], c=[0.1, 0.1]), fix("2021", {}, c=[0.3])]
    assert lessons_of(found) == (
        Lesson(subject="template:a", circumstance="", good=0.5, bad=1.0, here=False),
        Lesson(subject="template:b", circumstance="", good=0.5, bad=0.0, here=False),
        Lesson(subject="template:c", circumstance="", good=0.0, bad=2.0, here=False),
    )


def test_the_rank_follows_the_factors() -> None:
    one = fix("2020", {"b": 0.5}, a=[1.0, 0.7, 0.2], b=[0.5, 0.6])
    assert rank_of(one, {}) == 4
    assert rank_of(one, {"a": 0.1}) == 2
    assert rank_of(fix("2020", {}, a=[1.0]), {}) is None


def test_lessons_are_tried_on_newer_fixes_than_they_come_from() -> None:
    found = [fix(f"20{n}", {"sign": 0.5}, negation=[1.0] * 50, sign=[0.5]) for n in range(10, 20)]
    report = compared(found)
    assert report["held_out"] == 2
    assert report["median_rank_before"] == 51
    assert report["median_rank_after"] < 51


@pytest.mark.parametrize("half", ["develop", "blind"])
def test_only_develop_tickets_set_the_date(tmp_path: Path, half: str) -> None:
    (tmp_path / half).mkdir()
    for number, date in enumerate(("2019-02-07", "2021-01-01")):
        ticket = {"library": "o/shop", "date": date}
        (tmp_path / half / f"{number}.json").write_text(json.dumps(ticket))
    assert cutoffs(tmp_path) == ({"o/shop": "2021-01-01"} if half == "develop" else {})
