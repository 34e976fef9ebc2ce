"""Paired timing of a function before and after a change."""

import math
import random

import pytest

from karkhana.behaviour.difference import Revised
from karkhana.behaviour.spectra import measure
from karkhana.behaviour.speed import Timing, signed_rank, slower, timings

CODE = "def total(values):\n    found = 0\n    for v in values:\n        found += v\n    return found\n"
SLOW = CODE.replace("    return found", "    for v in values:\n        found += v - v\n    return found")
TESTS = (
    "from m import total\n\n\ndef test_it():\n"
    "    assert total(list(range(50))) == 1225\n    assert total([1, 2]) == 3\n"
)


def timing(ratio: float, noise: float, seed: int = 0) -> Timing:
    """What is measured of a millisecond on a machine that only ever adds time."""
    chance = random.Random(seed)

    def once(true: float) -> int:
        return int(1e6 * true * math.exp(abs(chance.gauss(0, noise))))

    rounds = tuple(tuple((once(1.0), once(ratio)) for _ in range(40)) for _ in range(12))
    return Timing(rounds=rounds, memory=(0, 0))


def verdict(one: Timing) -> bool:
    return slower(one, ratio=1.04, tolerance=1.02, p=0.005)


def test_noise_is_no_slowdown_and_a_slowdown_shows_through_noise() -> None:
    assert sum(verdict(timing(1.0, 0.15, seed)) for seed in range(150)) == 0
    assert sum(verdict(timing(1.08, 0.15, seed)) for seed in range(150)) >= 148
    assert not any(verdict(timing(0.8, 0.15, seed)) for seed in range(10))


def test_signed_rank() -> None:
    assert signed_rank([]) == 1.0
    assert signed_rank([1.0] * 20) < 0.001
    assert signed_rank([-1.0, 1.0] * 10) == pytest.approx(0.5, abs=0.02)


def test_a_function_that_does_twice_the_work(bench) -> None:
    run = bench({"m.py": SLOW, "test_m.py": TESTS}).run
    spectrum = measure(run, everything=True)
    one = Revised(path="m.py", place=spectrum.functions["m.py"][0], text=SLOW, old=CODE)
    tests = [t.name for t in spectrum.tests]
    found = timings(run, arguments=(), tests=tests, limits=[0.2], revised=[one], rounds=3, pairs=5, block_s=0.001)
    assert found[0].inputs == 2
    assert {len(row) for row in found[0].rounds} == {5}
    # Three rounds cannot prove anything, so there are more.
    assert len(found[0].rounds) > 3
    assert found[0].ratio > 1.2


def test_what_answers_otherwise_is_not_timed(bench) -> None:
    run = bench({"m.py": CODE, "test_m.py": TESTS}).run
    spectrum = measure(run, everything=True)
    other = CODE.replace("found = 0", "found = 1")
    one = Revised(path="m.py", place=spectrum.functions["m.py"][0], text=CODE, old=other)
    tests = [t.name for t in spectrum.tests]
    assert timings(run, arguments=(), tests=tests, limits=[0.2], revised=[one]) == {}


LONG = "def {name}(n):\n    found = 0\n    for v in range(n):\n        found += v\n    return found\n"


def test_a_long_function_is_measured_often_on_few_inputs(bench) -> None:
    code = LONG.format(name="total") + "\n\n" + LONG.format(name="other")
    lines = "".join(f"    assert {name}({n}) > 0\n" for n in range(60_000, 60_008) for name in ("total", "other"))
    run = bench({"m.py": code, "test_m.py": f"from m import other, total\n\n\ndef test_it():\n{lines}"}).run
    spectrum = measure(run, everything=True)
    revised = [
        Revised(path="m.py", place=place, text=LONG.format(name=place.name), old=LONG.format(name=place.name))
        for place in spectrum.functions["m.py"]
    ]
    found = timings(
        run, arguments=(), tests=["test_m.py::test_it"], limits=[5.0], revised=revised, rounds=3, seconds=0.5
    )
    # Either has a budget of its own.
    assert sorted(found) == [0, 1]
    for one in found.values():
        assert 1 <= one.inputs < 8
        assert {len(row) for row in one.rounds} <= set(range(5, 40))
