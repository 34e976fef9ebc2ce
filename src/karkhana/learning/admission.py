"""Whether a strategy that was drafted is better than the one in use: on past tickets that it was not drafted from.

A one-sided exact sign test on the held-out tickets that only one of the two got right. The level falls with each
proposal for the same type of task, so that however often somebody proposes, a useless strategy is admitted with a
probability below :data:`LEVEL` altogether. Knows nothing of how a ticket is worked on.

>>> sign_test(6, 0)
0.015625
>>> [level(n) for n in (1, 2, 3)]
[0.025, 0.008333333333333333, 0.004166666666666667]
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

LEVEL = 0.05
"""Chance of admitting any useless strategy for one type of task, at most."""
T = TypeVar("T")


def sign_test(wins: int, losses: int) -> float:
    """Chance of so many wins or more if the two were equally good. Source: Dixon and Mood, JASA 41 (1946)."""
    pairs = wins + losses
    better: int = sum(math.comb(pairs, k) for k in range(wins, pairs + 1))
    return better / float(2**pairs)


def level(proposal: int) -> float:
    """Of the n-th proposal (from 1) for a type of task; those of all proposals add up to :data:`LEVEL`."""
    return LEVEL / (proposal * (proposal + 1))


def split(failed: Sequence[T], solved: Sequence[T], seed: int = 0) -> tuple[list[T], list[T]]:
    """(to draft from, held out): a third of the failed ones to draft from; the others held out, and as many solved ones
    as failed ones among them, because a strategy may also spoil what works.
    """
    chance = random.Random(seed)  # noqa: S311 - the same split whenever it is asked for
    mixed = chance.sample(list(failed), len(failed))
    first = max(1, len(mixed) // 3)
    held = mixed[first:]
    return mixed[:first], held + chance.sample(list(solved), min(len(solved), len(held)))


class Tally(NamedTuple):
    """What the comparison came to."""

    tickets: int
    wins: int
    losses: int
    p_value: float


def compared(held: Sequence[T], new: Callable[[T], bool | None], old: Callable[[T], bool | None]) -> Iterator[Tally]:
    """The tally after each ticket. ``new`` and ``old`` say whether a strategy gets it right, ``None`` if that could not
    be found out.

    How many tickets are looked at must not depend on the tally: take the last one.
    """
    wins = losses = tickets = 0
    for each in held:
        better, worse = new(each), old(each)
        if better is not None and worse is not None:
            tickets += 1
            wins += better and not worse
            losses += worse and not better
        yield Tally(tickets, wins, losses, sign_test(wins, losses))
