"""What the benchmark of change risk learns from and forecasts."""

import random

from benchmarks.change_risk import SPELT, _judge

from karkhana.quality.history.features import CLASSIC

HEAD = ["date", "bug", *(SPELT.get(name, name) for name in CLASSIC)]


def table(count: int, bad: set[int], seed: int = 0) -> str:
    chance = random.Random(seed)
    rows = [[1000 * n, int(n in bad), *(chance.randrange(1, 50) for _ in CLASSIC)] for n in range(count)]
    return "\n".join([",".join(HEAD), *(",".join(map(str, row)) for row in rows)]) + "\n"


def test_the_newest_fifth_is_forecast() -> None:
    found = _judge(table(200, {3, 60, 150, 170, 190}), 1)
    assert (found["learned"], found["forecast"]) == (160, 40)
    assert found["bad_share"] == 0.05


def test_validation_never_looks_at_the_newest_fifth() -> None:
    bad = {3, 60, 130, 140, 150}
    found = _judge(table(200, bad), 1, validate=True)
    assert (found["learned"], found["forecast"]) == (128, 32)
    assert found == _judge(table(200, bad | set(range(160, 200))), 1, validate=True)
