"""What does the program before a change do, and what the one after, on inputs like those of the tests?

Runs in the program after the change. The job is that of ``observe``, where "failing" are the tests that need the
change, the variants are the program before (twice) and the one after once more, and with "lines": path → the changed
lines, after the change. One more answer: ``{"ways": [["0:12>13", …], …]}``, per input how the program after went on
from changed lines (number of the file, line, next line, which is 0 for the way out of the function). Knows nothing of
what is intended.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

from .forks import cpu_seconds
from .observe import Emit, Observation
from .observe import main as observe
from .state import Variables
from .subject import Input, Subject, run_all
from .swap import Unswappable

_SLOWER, _SHARE = 10.0, 0.3
"""Times that a traced input may take longer, and the share of the budget for all of them."""
_MOST = 40
"""Ways told of one input."""


def main(job: dict[str, Any], emit: Emit) -> None:
    observe(job, emit, Difference)


class Difference(Observation):
    """One job in a process that has collected the tests."""

    def change(self, parts: list[list[Any]]) -> Any:
        """As there; ``None`` also when the live functions cannot be made to run the code."""
        found = super().change(parts)
        try:
            for functions, code in found or ():
                functions.install(code)
        except Unswappable:
            return None
        finally:
            for functions, _ in found or ():
                functions.restore()
        return found

    def _swapped(self, subject: Subject, inputs: list[Input], limits: list[float]) -> None:
        super()._swapped(subject, inputs, limits)
        files = {str(Path(self.root, path).resolve()): n for n, path in enumerate(sorted(self.job["lines"]))}
        changed = {
            (files[str(Path(self.root, p).resolve())], line) for p, ls in self.job["lines"].items() for line in ls
        }
        # Tracing takes its time, and must not turn an answer into none.
        slow = [_SLOWER * limit for limit in limits]
        stop_at = cpu_seconds() + _SHARE * self.job["seconds"]
        ways, _ = run_all(Traced(subject, files, changed), inputs, slow, None, stop_at)
        self.send({"ways": [text.split() if text[:1] not in ("~", "?") else [] for text in ways]})


class Traced(Subject):
    """Tells, in place of an outcome, how the program went on from the changed lines."""

    def __init__(self, subject: Subject, files: dict[str, int], changed: set[tuple[int, int]]) -> None:
        super().__init__(subject.runner, subject.own, subject.entries, subject.state, Variables([]))
        self.files = files
        self.changed = changed
        self._known: dict[types.CodeType, int] = {}

    def outcome(self, one: Input, limit_s: float) -> str:
        ways: dict[str, None] = {}

        def begin(frame: Any, event: str, argument: Any) -> Any:
            number = self._file(frame.f_code)
            if number < 0:
                return None
            before = [0]

            def step(frame: Any, event: str, argument: Any) -> Any:
                line = 0 if event == "return" else frame.f_lineno
                if event in ("line", "return"):
                    if (number, before[0]) in self.changed and len(ways) < _MOST:
                        ways[f"{number}:{before[0]}>{line}"] = None
                    before[0] = line
                return step

            return step

        sys.settrace(begin)
        try:
            super().outcome(one, limit_s)
        finally:
            sys.settrace(None)
        return " ".join(ways) or "-"

    def _file(self, code: types.CodeType) -> int:
        number = self._known.get(code)
        if number is None:
            file = code.co_filename
            path = file if file.startswith("<") else str(Path(file).resolve())
            number = self._known[code] = self.files.get(path, -1)
        return number
