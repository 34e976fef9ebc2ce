"""Periods follow UTC's calendar; budgets and accounts that make no sense are refused."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.money import usd
from karkhana.domain.spending import Account, Budget, Period, Standing, next_start, start_of

PERIODS = st.sampled_from(list(Period))


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), PERIODS)
def test_a_period_ends_the_day_before_the_next_one_begins(day: date, period: Period) -> None:
    start = start_of(period, day.isoformat())
    following = next_start(period, start)
    if period == Period.TOTAL:
        assert (start, following) == ("", "")
        return
    first = date.fromisoformat(following)
    assert first > day
    assert start_of(period, (first - timedelta(days=1)).isoformat()) == start
    assert start_of(period, following) != start


def test_an_account_has_a_scope_for_each_of_its_names() -> None:
    assert Account("a1", "web", "BUILD-1").scopes == ("key:a1", "team:web", "task:BUILD-1")
    assert Account(team="web").scopes == ("team:web",)
    assert Account().scopes == ()
    assert Account("a", scopes=("key:another",)).scopes == ("key:a",)


@pytest.mark.parametrize("name", ["a\0b", "line\nbreak", "\ud800", "ü", "x" * 201])
def test_names_that_no_database_takes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="the name of a task"):
        Account(task_id=name)


@pytest.mark.parametrize(
    ("scope", "limits"),
    [
        ("key", {"hard": usd(1)}),
        ("user:a", {"hard": usd(1)}),
        ("team:", {"hard": usd(1)}),
        ("team:a", {}),
        ("team:a", {"soft": usd(2), "hard": usd(1)}),
        ("team:a", {"hard": usd(-1)}),
    ],
)
def test_budgets_that_make_no_sense_are_refused(scope: str, limits) -> None:
    with pytest.raises(ValueError, match=r"limit|must be written"):
        Budget(scope=scope, period=Period.DAY, **limits)


def test_a_standing_says_how_much_is_used_and_when() -> None:
    budget = Budget(scope="team:a", period=Period.MONTH, hard=usd(10))
    standing = Standing(budget=budget, start="2026-11", spent=usd("1.5"), reserved=usd("0.25"))
    assert standing.used == usd("1.75")
    assert str(standing) == "team:a has used $1.75 in the month 2026-11 (UTC)"
