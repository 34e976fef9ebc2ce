"""Values as texts: equal for what a caller could not tell apart, different for the rest."""

import collections
import datetime
import decimal
import enum
import pathlib
import re

import pytest

from karkhana.behaviour.probes.outcomes import canonical, settled


class Plain:
    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return "always the same"


class Slotted:
    __slots__ = ("_cost", "name")

    def __init__(self, name: str) -> None:
        self.name = name


class Rows(list):  # type: ignore[type-arg]
    title = ""


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Plain(a=1), Plain(a=2)),
        (Slotted("a"), Slotted("b")),
        (Rows([1]), Rows([2])),
        (Rows([1]), [1]),
        (1, True),
        (1, 1.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (collections.Counter("a"), collections.Counter("b")),
        (ValueError("a"), ValueError("b")),
        (datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)),
        (float("nan"), float("inf")),
    ],
)
def test_what_differs_has_another_text(one: object, other: object) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({3, 1, 2}, {2, 3, 1}),
        (0.1 + 0.2, 0.3),
        (Plain(a=Plain(b=1)), Plain(a=Plain(b=1))),
        (object(), object()),
        (pathlib.PurePath("a/b"), pathlib.PurePath("a") / "b"),
        (re.compile("a"), re.compile("a")),
    ],
)
def test_what_is_alike_has_the_same_text(one: object, other: object) -> None:
    assert canonical(one) == canonical(other)


def test_attributes_of_containers_count() -> None:
    rows = Rows([1])
    before = canonical(rows)
    rows.title = "new"
    assert canonical(rows) != before


def test_cycles_depth_and_size_are_bounded() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert canonical(loop) == "[<again 1>]"
    wide: object = 0
    for _ in range(6):
        wide = [wide] * 300
    assert len(canonical(wide)) < 200_000


def test_numbers_too_long_for_decimals_have_a_text() -> None:
    assert canonical(10**5000) != canonical(10**5000 + 1)


def test_plain_forms() -> None:
    assert canonical(decimal.Decimal("1.50")) == "Decimal('1.50')"
    assert canonical(Colour.RED) == "Colour.RED"
    assert canonical(len) == "len"


def test_endless_generators_are_cut() -> None:
    assert len(settled(n for n in iter(int, 1))) < 500
