"""How long do changed functions take before and after a change, on the inputs that tests give them?

Job::

    {"pytest": [arguments], "tests": [names], "failing": [], "passing": [test numbers], "limits": [CPU seconds of each],
     "targets": [{"path", "name", "classes", "top", "start", "end", "text", "old": text before}, …], "variants": [],
     "rounds": compilations (more when they leave it open), "pairs": of measurements in each (fewer where one takes so
     long that the rounds would not fit the budget), "block": CPU seconds of one measurement, "call_limit": CPU seconds
     of one call, "seconds": CPU budget of each function, "seed": number}

Runs in the program after the change; the code before is swapped in. Answers, per function: ``{"target": n, "inputs":
used, "calls": in one measurement, "rounds": [[[before, after], …], …], "memory": [before, after]}``: nanoseconds of
CPU time, and peak bytes that the inputs took together. Only inputs count that both answer alike and leave unchanged.
Both programs are compiled anew for each round, because where code lies in memory changes its speed by some percent.
"""

from __future__ import annotations

import collections
import copy
import gc
import inspect
import math
import random
import time
import tracemalloc
from typing import Any

from .forks import Overtime, Send, cpu_limit, cpu_seconds, forked
from .observe import Emit, Observation
from .observe import main as observe
from .outcomes import canonical, settled
from .recording import Call, Recorder
from .swap import LiveFunctions, Unswappable

_INPUTS = 40
_PER_TEST, _CALLS = 8, 200
_RECORDING = 0.3
"""Of the budget, for recording."""
_WARM = 24
"""Calls of each input after which the interpreter has adapted to a program."""


_LONG = 4
"""Blocks that one pass over the inputs may take; otherwise fewer inputs are used."""
_FEWEST_PAIRS = 5
"""Of which a lower quartile still says something."""
_FITTING = 0.5
"""Of the budget, for the usual rounds; the rest is for those that leave it open."""
_MORE = 3
"""Times the usual rounds, at most, where those leave it open whether a function is slower."""
_PERHAPS, _SURELY = 1.02, 2.6
"""Ratio of the median round from which it may be, and the standard deviations by which the signed ranks of the rounds
must speak for that: what ``karkhana.behaviour.speed`` asks in the end (level 0.005)."""


def _unsure(rounds: list[list[list[int]]]) -> bool:
    ratios = [_lower_quartile(row, 1) / max(1, _lower_quartile(row, 0)) for row in rounds]
    values = sorted((math.log(max(ratio, 1e-9) / _PERHAPS) for ratio in ratios), key=abs)
    against = sum(rank for rank, value in enumerate(values, 1) if value <= 0)
    count = len(values)
    mean, deviation = count * (count + 1) / 4, math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    return sorted(ratios)[count // 2] > _PERHAPS and mean - against - 0.5 < _SURELY * deviation


def _lower_quartile(row: list[list[int]], side: int) -> int:
    return sorted(pair[side] for pair in row)[len(row) // 4]


def main(job: dict[str, Any], emit: Emit) -> None:
    observe(job, emit, Speed)


class Speed(Observation):
    """One job in a process that has collected the tests."""

    def run(self) -> None:
        numbers = sorted(self.live)
        recorder = Recorder([self.live[n].root for n in numbers], _PER_TEST, _CALLS * len(numbers))
        self._profiled(recorder, lambda number, origin: recorder.begin(origin), _RECORDING)
        gc.freeze()
        # Choosing inputs and counting memory come on top of the rounds.
        stop_at = cpu_seconds() + 2 * self.job["seconds"] * len(numbers)
        for place, number in enumerate(numbers):
            if cpu_seconds() > stop_at:
                return
            calls = [c for c in recorder.calls if c.entry == place]
            forked(_Timing(self.job, number, self.live[number], calls), self.send, self.job["seconds"] * 4 + 30)


class _Timing:
    """One function, in a child of its own."""

    def __init__(self, job: dict[str, Any], number: int, live: LiveFunctions, calls: list[Call]) -> None:
        self.job = job
        self.number = number
        self.live = live
        self.calls = calls
        self.chance = random.Random(job["seed"])  # noqa: S311 - an order, not a secret
        self.generator = inspect.isgeneratorfunction(live.root)
        self.pairs: int = job["pairs"]

    def __call__(self, send: Send) -> None:
        if inspect.iscoroutinefunction(self.live.root) or inspect.isasyncgenfunction(self.live.root):
            return
        try:
            inputs = self._usable()
        except (Unswappable, SyntaxError, ValueError, StopIteration):
            return
        if not inputs:
            return
        memory = [self._memory(code, inputs) for code in self._programs()]
        gc.disable()
        block = self.job["block"] * 1e9
        one = min(self._block(inputs, 1) for _ in range(3))
        while one > _LONG * block and len(inputs) > 1:
            # Many short measurements tell a small difference from noise better than few long ones.
            inputs = inputs[::2]
            one = min(self._block(inputs, 1) for _ in range(3))
        loops = max(1, int(block / max(one, 1)))
        fitting = _FITTING * self.job["seconds"] * 1e9 / (2 * loops * max(one, 1) * self.job["rounds"])
        self.pairs = min(self.pairs, max(_FEWEST_PAIRS, int(fitting)))
        rounds: list[list[list[int]]] = []
        stop_at = cpu_seconds() + self.job["seconds"]
        while len(rounds) < self.job["rounds"] or (len(rounds) < _MORE * self.job["rounds"] and _unsure(rounds)):
            if cpu_seconds() > stop_at:
                break
            rounds.append(self._round(inputs, loops))
        told = {"target": self.number, "inputs": len(inputs), "calls": loops * len(inputs)}
        send({**told, "rounds": rounds, "memory": memory})

    def _programs(self) -> list[Any]:
        """The code before and after, compiled in either order."""
        texts = [self.job["targets"][self.number]["old"], self.live.target.text]
        order = [0, 1] if self.chance.random() < 0.5 else [1, 0]
        found: list[Any] = [None, None]
        for which in order:
            found[which] = self.live.target.compile(texts[which])
        return found

    def _round(self, inputs: list[Any], loops: int) -> list[list[int]]:
        programs = self._programs()
        for program in programs:
            self.live.install(program)
            self._block(inputs, max(1, min(loops, _WARM)))
        found: list[list[int]] = []
        for _ in range(self.pairs):
            pair = [0, 0]
            for which in [0, 1] if self.chance.random() < 0.5 else [1, 0]:
                self.live.install(programs[which])
                pair[which] = self._block(inputs, loops)
            found.append(pair)
            gc.collect(0)
        return found

    def _block(self, inputs: list[Any], loops: int) -> int:
        function: Any = self.live.root
        clock = time.thread_time_ns
        if self.generator:
            spend = collections.deque
            started = clock()
            for _ in range(loops):
                for arguments, named in inputs:
                    spend(function(*arguments, **named), 0)
            return clock() - started
        started = clock()
        for _ in range(loops):
            for arguments, named in inputs:
                function(*arguments, **named)
        return clock() - started

    def _usable(self) -> list[Any]:
        """Inputs that both programs answer alike, and change nothing of."""
        calls = [(c.arguments, c.named) for c in self.calls]
        answers = []
        for program in self._programs():
            self.live.install(program)
            answers.append([self._answer(call) for call in calls])
        alike = [call for call, a, b in zip(calls, *answers) if a and a == b]  # noqa: B905 - new in 3.10
        step = max(1, len(alike) // _INPUTS)
        return alike[::step][:_INPUTS]

    def _answer(self, call: Any) -> str:
        try:
            arguments, named = copy.deepcopy(call)
            before = canonical([arguments, named])
            with cpu_limit(self.job["call_limit"]):
                text = canonical(settled(self.live.root(*arguments, **named)))
            return text if canonical([arguments, named]) == before else ""
        except Overtime:
            return ""
        # Whatever is raised is no answer to be timed.
        except Exception:
            return ""

    def _memory(self, program: Any, inputs: list[Any]) -> int:
        self.live.install(program)
        self._block(inputs, 1)
        gc.collect()
        tracemalloc.start()
        try:
            self._block(inputs, 1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
