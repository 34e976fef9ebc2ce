"""Failing tests, and some passing ones, once more: alone, twice, under a recorder of types, and line by line.

What differs between identical runs is flaky; what fails in its place and passes alone depends on the order. Random
numbers start anew in each run, as they do from day to day. Knows tests and outcomes; knows nothing of coverage.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from .forks import Send, forked
from .slicing import influence, traced
from .takeover import Runner, describe

_ALONE = 40
"""Failing tests that are run again alone."""
_SLICED = 8
"""Failing tests that are recorded line by line."""
_ENDLESS = 2
_MOMENT_S, _GLANCE_S = 0.25, 0.1
"""CPU seconds for recording a test, and for one that is known not to end."""
_LOST_S = 6.0
"""CPU seconds that tests without an end may cost here."""
_BARE = 3.0
"""Times the limit for a test alone, which decides what it does: under the tracer only its lines matter."""
_SAMPLE, _SAMPLE_S = 24, 0.6
"""Passing tests that are run again, and the CPU seconds that they may have taken."""
_BROKEN = ("failed", "error", "crashed")
_WEIGHTS = 400
"""Statements told, the weightiest."""


class Reruns:
    """Adds to the answers of the traced pass what further runs show."""

    def __init__(self, runner: Runner, root: str, job: dict[str, Any], answers: dict[str, Any], lines: Any) -> None:
        self.runner = runner
        self.root = root
        self.job = job
        self.answers = answers
        self.lines = lines
        self.types: dict[str, dict[str, dict[str, list[str]]]] = {}
        self.influence: dict[str, dict[str, float]] = {}
        self._sliced = 0

    def failing(self, names: list[str]) -> None:
        """Run failing tests again; corrects outcomes and times of those that the tracer slowed down."""
        endless_before, lost = 0, 0.0
        for name in names[:_ALONE]:
            answer = self.answers[name]
            # A test without an end is not worth waiting for twice; its first moments show the types. But one that
            # ended before, and does not under the tracer, is only slow.
            endless = answer["outcome"] == "timeout" and name not in self.job["limits"]
            if endless and endless_before >= _ENDLESS:
                continue
            limit = _GLANCE_S if endless else _BARE * self.job["limits"].get(name, self.job["limit"])
            outcome, seconds = self._alone(name, min(limit, max(_MOMENT_S, _LOST_S - lost)))
            if outcome == "timeout":
                endless_before += 1
                lost += seconds
            answer["alone"] = outcome
            if outcome != "timeout":
                second = self._again([name], limit)[0]
                answer["flaky"] = second != "timeout" and (outcome in _BROKEN) != (second in _BROKEN)
            if outcome == answer["outcome"]:
                answer["seconds"] = min(seconds, answer["seconds"])
            elif answer["outcome"] == "timeout":
                answer["outcome"], answer["seconds"] = outcome, seconds
        self._average()

    def passing(self, names: list[str]) -> None:
        """Run some of the passing tests that share lines with failing ones twice more."""
        broken = {n for n, name in enumerate(names) if self._broken(name)}
        shared = {
            test
            for rows in self.lines.values()
            for tests in rows.values()
            if broken.intersection(tests)
            for test in tests
        }
        order = sorted(shared - broken, key=lambda n: (self._seconds(names[n]), n))
        sample: list[str] = []
        spent = 0.0
        for number in order:
            name = names[number]
            spent += self._seconds(name)
            if len(sample) >= _SAMPLE or spent > _SAMPLE_S:
                break
            if self.answers.get(name, {}).get("outcome") == "passed":
                sample.append(name)
        sample.sort(key=names.index)
        if not sample:
            return
        limit = 4 * max(0.05, *(self._seconds(name) for name in sample))
        for name, one, other in zip(sample, self._again(sample, limit), self._again(sample, limit)):  # noqa: B905
            if "timeout" not in (one, other):
                self.answers[name]["flaky"] = (one in _BROKEN) != (other in _BROKEN)
                if one in _BROKEN and other in _BROKEN:
                    self.answers[name]["alone"] = one

    def _broken(self, name: str) -> bool:
        return self.answers.get(name, {}).get("outcome") in (*_BROKEN, "timeout")

    def _seconds(self, name: str) -> float:
        return float(self.answers.get(name, {}).get("seconds", 0.0))

    def _again(self, names: list[str], limit: float) -> list[str]:
        found: list[str] = []

        def work(send: Send) -> None:
            _reseed()
            for name in names:
                send(self.runner.run(name, limit).outcome)

        forked(work, found.append, limit * 4 + 20)
        return found + ["timeout"] * (len(names) - len(found))

    def _alone(self, name: str, limit: float) -> tuple[str, float]:
        found: list[Any] = []
        sliced = self._sliced < _SLICED

        def work(send: Send) -> None:
            _reseed()
            verdict = self.runner.run(name, limit)
            send([verdict.outcome, verdict.seconds])
            recorder = _Types(self.root)
            sys.setprofile(recorder)
            try:
                self.runner.run(name, min(limit, _MOMENT_S))
            finally:
                sys.setprofile(None)
            send(recorder.seen)
            if sliced and verdict.outcome != "passed":
                send(_slice(self.runner, name, min(limit, 2 * _MOMENT_S), self.root))

        state = forked(work, found.append, limit * 4 + 20)
        if len(found) > 1:
            self._learn(found[1])
        if len(found) > 2:
            self._sliced += 1
            for path, weights in found[2].items():
                rows = self.influence.setdefault(path, {})
                for line, weight in weights.items():
                    rows[line] = rows.get(line, 0.0) + weight
        if not found:
            return ("crashed" if state == "died" else "timeout"), float(limit)
        return found[0][0], found[0][1]

    def _learn(self, seen: dict[str, Any]) -> None:
        for path, places in seen.items():
            for line, names in places.items():
                for variable, kinds in names.items():
                    known = self.types.setdefault(path, {}).setdefault(line, {}).setdefault(variable, [])
                    known.extend(k for k in kinds if k not in known)

    def _average(self) -> None:
        for rows in self.influence.values():
            for line in rows:
                rows[line] = round(rows[line] / max(1, self._sliced), 4)


def _reseed() -> None:
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "random"):
        numpy.random.seed()


def _slice(runner: Runner, name: str, limit: float, root: str) -> dict[str, dict[str, float]]:
    """What had a part in the failure of one test: path → line → weight."""
    verdicts: list[Any] = []
    trace = traced(lambda: verdicts.append(runner.run(name, limit)), root)
    verdict = verdicts[0]
    if verdict.outcome == "passed":
        return {}
    raised: tuple[str, int] | None = None
    if verdict.outcome != "timeout" and verdict.excinfo is not None:
        frames = describe(verdict.excinfo, root)["frames"]
        if frames:
            raised = (str(Path(root, frames[-1]["path"])), frames[-1]["line"])
    weights = influence(trace, raised)
    told = sorted(
        ((weight, file, line) for file, lines in weights.items() for line, weight in lines.items()), reverse=True
    )
    found: dict[str, dict[str, float]] = {}
    for weight, file, line in told[:_WEIGHTS]:
        found.setdefault(file[len(root) + 1 :], {})[str(line)] = weight
    return found


class _Types:
    """A profile function that notes the types of local variables when functions of the repository return."""

    def __init__(self, root: str) -> None:
        self.root = root + "/"
        self.seen: dict[str, dict[str, dict[str, list[str]]]] = {}
        self._budget = 20_000

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event != "return" or self._budget <= 0:
            return
        code = frame.f_code
        if not code.co_filename.startswith(self.root):
            return
        self._budget -= 1
        path = code.co_filename[len(self.root) :]
        names = self.seen.setdefault(path, {}).setdefault(str(code.co_firstlineno), {})
        for name, value in frame.f_locals.items():
            known = names.setdefault(name, [])
            kind = type(value).__name__
            if kind not in known and len(known) < 6:
                known.append(kind)
