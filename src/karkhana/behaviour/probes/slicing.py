"""Which statements had a part in the wrong value? A dynamic backward slice of a failing test.

One run of the test is recorded line by line; then the record is read from its end, where the test failed. A statement
counts when it wrote what counts (a variable read by a later statement that counts), when it decided that such a
statement runs, or when it returned a value to one (Korel and Laski, "Dynamic program slicing", 1988). Weights fall with
the number of steps from the failure. Names stand for values (see ``statements``), so the slice is larger than need be;
what happens through aliases of local containers and inside C code is not seen.
"""

from __future__ import annotations

import sys
import types
from collections import deque
from pathlib import Path
from typing import Any

from .statements import Statement, statements

_EVENTS = 30_000
"""Of the end of the run; what lies before them is not looked at."""
_STEP, _CONDITION, _GUARD, _CALLER = 0.92, 0.8, 0.5, 0.6
"""What is left of a weight after a use of a variable, for a condition, for an earlier way out, for a caller."""
_LEAST = 0.02
_SUSPENDED = 0x20 | 0x80 | 0x200

LINE, RETURN = 0, 1
_CHANGED = "~"
"""Before the name of a parameter: what it holds counts, not which value it has."""


class Trace:
    """A trace function that keeps the last lines of the repository (and its tests) that ran, with their frames."""

    def __init__(self, root: str) -> None:
        self._root = root + "/"
        self.events: deque[tuple[int, int, int]] = deque(maxlen=_EVENTS)
        """(kind, frame, line)"""
        self.frames: list[tuple[str, int, int, tuple[str, ...], bool]] = []
        """Per frame: file, frame of its caller (or -1), line of the call there, parameters, whether a lambda."""
        self._numbers: dict[int, int] = {}
        self._inside: dict[str, bool] = {}

    def __call__(self, frame: Any, event: str, argument: Any) -> Any:
        if event != "call":
            return None
        code = frame.f_code
        inside = self._inside.get(code.co_filename)
        if inside is None:
            inside = self._inside[code.co_filename] = self._is_inside(code)
        if not inside or len(self.frames) >= _EVENTS:
            return None
        number = self._numbers.get(id(frame)) if code.co_flags & _SUSPENDED else None
        if number is None:
            self._numbers[id(frame)] = self._enter(frame, code)
        return self._local

    def _is_inside(self, code: types.CodeType) -> bool:
        file = code.co_filename
        return file.startswith(self._root) and "/site-packages/" not in file

    def _enter(self, frame: Any, code: types.CodeType) -> int:
        caller = frame.f_back
        for _ in range(20):
            if caller is None or id(caller) in self._numbers:
                break
            caller = caller.f_back
        back = -1 if caller is None else self._numbers.get(id(caller), -1)
        line = caller.f_lineno if caller is not None and back >= 0 else 0
        anonymous = code.co_name == "<lambda>"
        if code.co_name[:1] == "<" and not anonymous and back >= 0 and self.frames[back][0] == code.co_filename:
            # A comprehension is part of the statement that it stands in.
            return back
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        self.frames.append((code.co_filename, back, line, code.co_varnames[:count], anonymous))
        return len(self.frames) - 1

    def _local(self, frame: Any, event: str, argument: Any) -> Any:
        number = self._numbers.get(id(frame))
        if number is not None:
            if event == "line":
                self.events.append((LINE, number, frame.f_lineno))
            elif event == "return" and frame.f_code.co_name[:1] != "<":
                self.events.append((RETURN, number, frame.f_lineno))
                if not frame.f_code.co_flags & _SUSPENDED:
                    self._numbers.pop(id(frame), None)
        return self._local


def influence(trace: Trace, raised: tuple[str, int] | None) -> dict[str, dict[int, float]]:
    """File → first line of a statement → weight in (0,1], for a recorded run that ended in a failure.

    ``raised`` is file and line of the innermost frame of the failure; without it the run did not end, and the last
    lines themselves are what is wrong.
    """
    return _Slice(trace).back(raised)


class _Slice:
    """Reads a record from its end; ``wanted`` is what counts: (frame, name) → weight, -1 as frame for attributes."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.tables: dict[str, dict[int, Statement]] = {}
        self.wanted: dict[tuple[int, str], float] = {}
        self.heads: dict[tuple[int, int], float] = {}
        """(frame, line) of conditions that decided about something that counts."""
        self.called: dict[tuple[int, int], float] = {}
        """(frame, line) of statements that called something that counts."""
        self.returned: dict[int, float] = {}
        """Frames whose value counts."""
        self.found: dict[str, dict[int, float]] = {}
        self.failed: tuple[int, int] | None = None
        """(frame, line) of the statement that failed, until it has been read."""

    def _statement(self, frame: int, line: int) -> Statement | None:
        file = self.trace.frames[frame][0]
        table = self.tables.get(file)
        if table is None:
            try:
                table = statements(Path(file).read_bytes())
            except OSError:
                table = {}
            self.tables[file] = table
        return table.get(line)

    def back(self, raised: tuple[str, int] | None) -> dict[str, dict[int, float]]:
        events = self.trace.events
        start = self._start(raised)
        if start >= 0:
            _, frame, line = events[start]
            # What lies behind the line that failed is what that line called.
            self.failed = (frame, self._line(frame, line))
        for position in range(len(events) - 1, -1, -1):
            kind, frame, line = events[position]
            if position < start:
                self.failed = None
            statement = self._statement(frame, line)
            if statement is None:
                continue
            if kind == RETURN:
                self._leave(frame)
            else:
                weight = 1.0 if position == start else self._weight(frame, statement)
                if weight >= _LEAST:
                    self._count(frame, statement, weight)
        return self.found

    def _start(self, raised: tuple[str, int] | None) -> int:
        """The last event at the line that failed; the last line of all when there is none."""
        events = self.trace.events
        last = -1
        for position in range(len(events) - 1, -1, -1):
            kind, frame, line = events[position]
            if kind == LINE:
                last = max(last, position)
                if raised is None or (self.trace.frames[frame][0], line) == raised:
                    return position
        return last

    def _weight(self, frame: int, statement: Statement) -> float:
        """How much a statement that ran counts, from what has been read so far."""
        weight = max(
            self.heads.pop((frame, statement.line), 0.0),
            self.called.pop((frame, statement.line), 0.0),
            self.returned.get(frame, 0.0) if statement.returns or self.trace.frames[frame][4] else 0.0,
        )
        for name in statement.writes | statement.weak:
            weight = max(weight, self.wanted.get(_key(frame, name), 0.0))
        for name in statement.weak:
            weight = max(weight, self.wanted.get((frame, _CHANGED + name), 0.0))
        return weight

    def _count(self, frame: int, statement: Statement, weight: float) -> None:
        file, caller, line, parameters, _ = self.trace.frames[frame]
        lines = self.found.setdefault(file, {})
        lines[statement.line] = max(lines.get(statement.line, 0.0), weight)
        for name in statement.writes:
            self.wanted.pop(_key(frame, name), None)
        for name in statement.reads:
            self._want(_key(frame, name), weight * _STEP)
            if name in parameters and caller >= 0:
                self._raise(self.called, (caller, self._line(caller, line)), weight * _STEP)
        for head in statement.conditions:
            self._raise(self.heads, (frame, head), weight * _CONDITION)
        for guard in statement.guards:
            self._raise(self.heads, (frame, guard), weight * _GUARD)
        if caller >= 0:
            self._raise(self.called, (caller, self._line(caller, line)), weight * _CALLER)

    def _line(self, frame: int, line: int) -> int:
        statement = self._statement(frame, line)
        return line if statement is None else statement.line

    def _leave(self, frame: int) -> None:
        """The record of a call is about to be read: does its value, or what it did to its arguments, count?"""
        _, caller, line, parameters, _ = self.trace.frames[frame]
        site = self._statement(caller, line) if caller >= 0 else None
        if site is None:
            return
        place = (caller, site.line)
        weight = 1.0 if place == self.failed else max(self.called.get(place, 0.0), self.heads.get(place, 0.0))
        if site.returns:
            weight = max(weight, self.returned.get(caller, 0.0))
        for name in site.writes | site.weak:
            weight = max(weight, self.wanted.get(_key(caller, name), 0.0))
        if weight >= _LEAST:
            self._raise(self.returned, frame, weight * _STEP)
        keys = [k for name in site.reads for k in (_key(caller, name), (caller, _CHANGED + name))]
        changed = max((self.wanted.get(key, 0.0) for key in keys), default=0.0)
        for parameter in parameters:
            # An argument may be what the call changes.
            self._want((frame, _CHANGED + parameter), changed * _STEP)

    def _want(self, key: tuple[int, str], weight: float) -> None:
        if weight >= _LEAST:
            self._raise(self.wanted, key, weight)

    @staticmethod
    def _raise(table: dict[Any, float], key: Any, weight: float) -> None:
        if weight > table.get(key, 0.0):
            table[key] = weight


def _key(frame: int, name: str) -> tuple[int, str]:
    return (-1 if name[:1] == "." else frame, name)


def traced(run: Any, root: str) -> Trace:
    """Record one call of ``run``."""
    trace = Trace(root)
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(None)
    return trace
