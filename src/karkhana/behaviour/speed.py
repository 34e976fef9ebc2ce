"""Is a function slower than before? Paired measurements in one process, and what they prove on a busy machine.

The two programs take turns in blocks of half a millisecond, most of which nothing disturbs; what else the machine does
only ever adds time, so each round compares the lower quartiles of either (Chen, Revels, "Robust benchmarking in noisy
environments", 2016, take the minimum). A function is *slower* when the median ratio of the rounds exceeds a threshold,
and when Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945) says that they exceed a smaller tolerance. Both
programs are compiled anew for every round: where code lies in memory changes its speed (Curtsinger, Berger,
"Stabilizer", 2013).

Knows numbers; the measurement happens in ``probes/speed.py``.

>>> slower(Timing(rounds=((((100, 110),) * 40),) * 12, memory=(1, 1)), ratio=1.04, tolerance=1.02, p=0.01)
True
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec

from karkhana.behaviour.difference import Revised
from karkhana.behaviour.running import Run, ask, false_answer
from karkhana.behaviour.validation import Target, target_data

_Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
_Pair = tuple[_Nanoseconds, _Nanoseconds]


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One function before and after, in rounds of ``(before, after)`` in nanoseconds of CPU time."""

    rounds: tuple[tuple[_Pair, ...], ...]
    memory: tuple[int, int]
    """Peak bytes before and after."""
    inputs: int = 0
    calls: int = 1
    """In one measurement."""

    @property
    def ratio(self) -> float:
        """How many times as long it takes after: the median over the rounds."""
        return math.exp(statistics.median(logarithms(self)))

    @property
    def memory_ratio(self) -> float:
        """With a kilobyte of margin on both sides."""
        return (self.memory[1] + 1024) / (self.memory[0] + 1024)


def slower(timing: Timing, *, ratio: float, tolerance: float, p: float) -> bool:
    """Whether it takes more than ``ratio`` times as long, and certainly (at level ``p``) more than ``tolerance``."""
    rows = [value - math.log(tolerance) for value in logarithms(timing)]
    return timing.ratio > ratio and signed_rank(rows) < p


def signed_rank(values: Sequence[float]) -> float:
    """P-value of Wilcoxon's signed-rank test that the median is above 0, by the normal approximation.

    >>> round(signed_rank([1.0, 2.0, 3.0, 4.0, -0.5, 6.0, 7.0, 8.0]), 3)
    0.01
    """
    rows = sorted((abs(v), v > 0) for v in values if v)
    count = len(rows)
    if not count:
        return 1.0
    positive, start = 0.0, 0
    while start < count:
        end = start
        while end < count and rows[end][0] == rows[start][0]:
            end += 1
        # Equal sizes share the mean of their ranks.
        positive += (start + 1 + end) / 2 * sum(up for _, up in rows[start:end])
        start = end
    mean = count * (count + 1) / 4
    deviation = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    return 0.5 * math.erfc((positive - mean - 0.5) / deviation / math.sqrt(2))


def logarithms(timing: Timing) -> list[float]:
    """Per round, the logarithm of the ratio (after to before) of the lower quartiles."""
    quartiles = [[_lower_quartile([pair[side] for pair in row]) for side in (0, 1)] for row in timing.rounds]
    return [math.log(max(after, 1) / max(before, 1)) for before, after in quartiles]


def _lower_quartile(values: list[int]) -> int:
    return sorted(values)[len(values) // 4]


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    """One function, or the end."""

    target: Annotated[int, msgspec.Meta(ge=0)] | None = None
    inputs: Annotated[int, msgspec.Meta(ge=0)] = 0
    calls: Annotated[int, msgspec.Meta(ge=0)] = 0
    rounds: Annotated[
        tuple[Annotated[tuple[_Pair, ...], msgspec.Meta(min_length=1, max_length=1000)], ...],
        msgspec.Meta(max_length=1000),
    ] = ()
    memory: tuple[_Nanoseconds, _Nanoseconds] = (0, 0)
    end_of_answers: bool = False


def timings(
    run: Run,
    *,
    arguments: Iterable[str],
    tests: Sequence[str],
    limits: Sequence[float],
    revised: Sequence[Revised],
    rounds: int = 12,
    pairs: int = 40,
    block_s: float = 0.0005,
    call_limit_s: float = 0.1,
    seconds: float = 10.0,
    seed: int = 0,
) -> dict[int, Timing]:
    """Measure functions whose bodies alone differ, by their place in ``revised``; what could not be is missing.

    ``seconds`` bounds the CPU of each function. Raises ``ProbeFailed``.
    """
    job: dict[str, Any] = {
        "pytest": list(arguments),
        "tests": list(tests),
        "limits": list(limits),
        "failing": [],
        "passing": list(range(len(tests))),
        "targets": [_data(one) for one in revised],
        "variants": [],
        "fresh": 0,
        "rounds": rounds,
        "pairs": pairs,
        "block": block_s,
        "call_limit": call_limit_s,
        "seconds": seconds,
        "seed": seed,
    }
    found: dict[int, Timing] = {}
    for answer in ask(run, "speed", job, seconds * 6 * len(revised) + 100, _Answer):
        if answer.target is not None and answer.rounds:
            if answer.target >= len(revised):
                false_answer("speed", f"function {answer.target} of {len(revised)}")
            row = Timing(rounds=answer.rounds, memory=answer.memory, inputs=answer.inputs, calls=answer.calls)
            found[answer.target] = row
    return found


def _data(one: Revised) -> dict[str, object]:
    target = Target(path=one.path, text=one.text, place=one.place, failing=(), passing=())
    return {**target_data(target), "old": one.old}
