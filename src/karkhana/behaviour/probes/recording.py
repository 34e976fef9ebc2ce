"""Which functions do tests call on their way to the suspects, and with what?

An *entry* is a function of the repository whose calls reach suspects; the best one reaches all of them and is the
outermost, because that is where a change would be noticed. Knows calls and arguments; knows nothing of candidates.
"""

from __future__ import annotations

import copy
import sys
import types
from pathlib import Path
from typing import Any

from .outcomes import canonical

_CHAINS_PER_TEST = 60
_DEEPEST = 400
_TEXT_CHARS = 20_000
_SUSPENDED = 0x20 | 0x80 | 0x200
"""Flags of generators, coroutines and asynchronous generators: resuming one looks like a call."""


class Own:
    """Which code belongs to the repository and not to its tests."""

    def __init__(self, root: str, tests: set[str]) -> None:
        self._root = root + "/"
        self._tests = tests
        self._known: dict[str, bool] = {}

    def __call__(self, code: types.CodeType) -> bool:
        file = code.co_filename
        known = self._known.get(file)
        if known is None:
            path = file if file.startswith("<") else str(Path(file).resolve())
            inside = path.startswith(self._root) and path not in self._tests
            parts = path[len(self._root) :].split("/") if inside else []
            known = self._known[file] = inside and not (
                {"test", "tests", "site-packages"}.intersection(parts[:-1])
                or parts[-1] == "conftest.py"
                or parts[-1].startswith("test_")
                or parts[-1].endswith("_test.py")
            )
        return known


class Chains:
    """A profile function that notes which functions of the repository lead to each suspect."""

    def __init__(self, suspects: dict[types.CodeType, set[int]], own: Own) -> None:
        self.suspects = suspects
        self.own = own
        self.test: tuple[int, bool] = (0, False)
        self.left = 0
        self.depth: dict[types.CodeType, list[int]] = {}
        self.reach: dict[types.CodeType, set[tuple[int, bool, int]]] = {}

    def begin(self, test: int, origin: str) -> None:
        self.test, self.left = (test, origin == "failing"), _CHAINS_PER_TEST

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event != "call" or self.left <= 0:
            return
        reached = self.suspects.get(frame.f_code)
        if reached is None:
            return
        self.left -= 1
        chain: list[types.CodeType] = []
        for _ in range(_DEEPEST):
            if frame is None:
                break
            if self.own(frame.f_code) and frame.f_code.co_name[:1] != "<":
                chain.append(frame.f_code)
            frame = frame.f_back
        for depth, code in enumerate(dict.fromkeys(reversed(chain))):
            self.depth.setdefault(code, []).append(depth)
            self.reach.setdefault(code, set()).update((*self.test, suspect) for suspect in reached)

    def entries(self, limit: int) -> list[types.CodeType]:
        """At most ``limit`` functions by which failing tests, then all tests, reach every suspect, best first."""
        chosen: list[types.CodeType] = []
        missing = set().union(*self.reach.values())
        while len(chosen) < limit and missing:
            best = min(self.reach, key=lambda code: self._rank(code, missing))
            chosen.append(best)
            missing -= self.reach[best]
        return chosen

    def _rank(self, code: types.CodeType, missing: set[tuple[int, bool, int]]) -> tuple[Any, ...]:
        """Smallest first: reaches most of what is missing, failing tests before others, then outermost."""
        gained = self.reach[code] & missing
        failing = {suspect for _, fails, suspect in gained if fails}
        depth = sum(self.depth[code]) / len(self.depth[code])
        suspects = {suspect for _, _, suspect in gained}
        return (-len(failing), -len(suspects), depth, -len(gained), code.co_filename, code.co_firstlineno)


class Call:
    """One call to repeat."""

    __slots__ = ("origin", "entry", "arguments", "named")  # noqa: RUF023 - in the order of the constructor

    def __init__(self, origin: str, entry: int, arguments: list[Any], named: dict[str, Any]) -> None:
        self.origin = origin
        self.entry = entry
        self.arguments = arguments
        self.named = named

    def text(self) -> str:
        parts = [canonical(a) for a in self.arguments] + [f"{k}={canonical(v)}" for k, v in self.named.items()]
        return ", ".join(parts)


class _Shape:
    def __init__(self, code: types.CodeType) -> None:
        plain = code.co_argcount + code.co_kwonlyargcount
        self.positional = code.co_varnames[: code.co_argcount]
        self.named = code.co_varnames[code.co_argcount : plain]
        self.star = code.co_varnames[plain] if code.co_flags & 0x04 else ""
        offset = plain + (1 if self.star else 0)
        self.double = code.co_varnames[offset] if code.co_flags & 0x08 else ""
        self.suspended = bool(code.co_flags & _SUSPENDED)


class Recorder:
    """A profile function that copies the arguments of calls of some functions."""

    def __init__(self, functions: list[types.FunctionType], per_test: int, most: int) -> None:
        self.functions = functions
        self._of: dict[types.CodeType, list[int]] = {}
        for number, function in enumerate(functions):
            self._of.setdefault(function.__code__, []).append(number)
        self._shapes = {code: _Shape(code) for code in self._of}
        self.calls: list[Call] = []
        self.origin = ""
        self.most = most
        self.per_test = per_test
        self._left: dict[types.CodeType, int] = {}
        self._resumed: list[Any] = []
        self._seen: set[tuple[int, str]] = set()

    def begin(self, origin: str) -> None:
        self.origin = origin
        self._left = dict.fromkeys(self._of, self.per_test)
        self._resumed = []

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event != "call":
            return
        left = self._left.get(frame.f_code, 0)
        if left <= 0:
            return
        if len(self.calls) >= self.most:
            # Enough: the rest runs at full speed.
            sys.setprofile(None)
            return
        shape = self._shapes[frame.f_code]
        if shape.suspended:
            if any(frame is known for known in self._resumed):
                return
            self._resumed.append(frame)
        sys.setprofile(None)
        try:
            self._copy(frame, shape)
        # Arguments that cannot be copied (open files, locks) cannot be given again.
        except Exception:
            self._left[frame.f_code] = left - 1
        finally:
            sys.setprofile(self)

    def _copy(self, frame: Any, shape: _Shape) -> None:
        variables = frame.f_locals
        entry = self._entry(frame, variables)
        arguments = [variables[name] for name in shape.positional] + list(variables.get(shape.star, ()))
        named = {name: variables[name] for name in shape.named}
        named.update(variables.get(shape.double, {}))
        arguments, named = copy.deepcopy((arguments, named))
        call = Call(self.origin, entry, arguments, named)
        text = call.text()
        if (entry, text) not in self._seen and len(text) < _TEXT_CHARS:
            self._seen.add((entry, text))
            self.calls.append(call)
            self._left[frame.f_code] -= 1

    def _entry(self, frame: Any, variables: dict[str, Any]) -> int:
        """Which of the functions with this code runs: the one whose captured variables are those of the frame.

        Codes are equal when their texts are, also in different modules.
        """
        numbers = self._of[frame.f_code]
        numbers = [n for n in numbers if self.functions[n].__globals__ is frame.f_globals] or numbers
        for number in numbers if len(numbers) > 1 else ():
            cells = self.functions[number].__closure__ or ()
            names = frame.f_code.co_freevars
            if all(variables.get(n, cells) is c.cell_contents for n, c in zip(names, cells)):  # noqa: B905 - new in 3.10
                return number
        return numbers[0]
