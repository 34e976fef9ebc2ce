"""When a measurement of speed goes on."""

import pytest

from karkhana.behaviour.probes.speed import _unsure
from karkhana.behaviour.speed import Timing, slower


def rounds(*ratios: float) -> list[list[list[int]]]:
    return [[[1000, round(1000 * ratio)]] * 8 for ratio in ratios]


@pytest.mark.parametrize(
    ("ratios", "unsure"),
    [
        ([1.08] * 12, False),
        ([1.0] * 12, False),
        # One round that something else disturbed, far more than what is looked for.
        ([1.08] * 11 + [0.7], True),
        ([1.08] * 23 + [0.7], False),
        ([1.08, 1.0] * 6 + [1.08] * 2, True),
    ],
)
def test_it_goes_on_while_the_verdict_is_open(ratios: list[float], unsure: bool) -> None:
    found = rounds(*ratios)
    assert _unsure(found) == unsure
    whole = tuple(tuple((a, b) for a, b in row) for row in found)
    proved = slower(Timing(rounds=whole, memory=(0, 0)), ratio=1.04, tolerance=1.02, p=0.005)
    assert proved == (ratios[0] > 1.04 and not unsure)
