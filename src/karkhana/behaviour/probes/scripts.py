"""Tests as sources of behaviour: run one with a literal or a parameter changed, and note what its calls return.

A test is a sequence of calls on objects that it builds; with another literal it is a new sequence, for any number of
functions at once. What counts are the results of the outermost calls into the repository, and how the test's run ended.
Assertions that no longer fit end the run like any other exception. Knows code objects; knows nothing of candidates.
"""

from __future__ import annotations

import random
import sys
import types
from typing import Any

from .forks import Overtime
from .inputs import Domain, Generator
from .outcomes import canonical
from .recording import Own
from .takeover import Runner

_RESULTS = 60
_RESULT_CHARS = 400
_OUTCOME_CHARS = 4000
_NUMBERS = (int, float)
_CHANGED = (int, float, str, bytes, tuple)


class Script:
    """One test, with some of its constants replaced."""

    __slots__ = ("origin", "test", "limit", "changes", "told")  # noqa: RUF023 - in the order of the constructor

    def __init__(self, origin: str, test: str, limit: float, changes: dict[int, Any], told: str) -> None:
        self.origin = origin
        self.test = test
        self.limit = limit
        self.changes = changes
        self.told = told

    def text(self) -> str:
        return self.told


def scripts(runner: Runner, tests: list[tuple[str, str, float]], count: int, seed: int) -> list[Script]:
    """Each of ``tests`` (origin, name, CPU seconds) as it is, and at most ``count`` with a constant changed."""
    chance = random.Random(seed)  # noqa: S311 - test data, not a secret
    found: list[Script] = []
    usable: list[tuple[str, str, float, types.FunctionType, list[int]]] = []
    for origin, name, limit in tests:
        function = test_function(runner, name)
        if function is not None:
            found.append(Script(origin, name, limit, {}, _short(name)))
            places = [n for n, value in enumerate(function.__code__.co_consts) if n and _is_data(value)]
            if places:
                usable.append((origin, name, limit, function, places))
    seen: set[str] = set()
    for attempt in range(count * 3):
        if not usable or len(found) - len(tests) >= count:
            break
        origin, name, limit, function, places = usable[attempt % len(usable)]
        place = chance.choice(places)
        old = function.__code__.co_consts[place]
        new = _changed(old, chance)
        told = f"{_short(name)} with {old!r:.60} → {new!r:.60}"
        if told not in seen and new != old:
            seen.add(told)
            found.append(Script("near-" + origin, name, limit, {place: new}, told))
    return found


def test_function(runner: Runner, name: str) -> types.FunctionType | None:
    """The plain function behind a test, when it has one."""
    thing: Any = getattr(runner.items[name], "obj", None)
    thing = getattr(thing, "__func__", thing)
    return thing if type(thing) is types.FunctionType and not thing.__code__.co_freevars else None


def _short(name: str) -> str:
    return name.rsplit("::", 1)[-1]


def _is_data(value: Any) -> bool:
    """Whether a constant is data of the test, not a list of names."""
    if isinstance(value, bool) or not isinstance(value, _CHANGED):
        return False
    if isinstance(value, str):
        return len(value) < 200
    if isinstance(value, tuple):
        # A tuple of names is what a call with keywords or an import has.
        return bool(value) and not all(isinstance(v, str) and v.isidentifier() for v in value)
    return True


def _changed(value: Any, chance: random.Random) -> Any:
    generator = Generator([], [], chance.randrange(1 << 30))
    domain = Domain([value])
    if isinstance(value, _NUMBERS) and value < 0:
        domain.negative = True
    if isinstance(value, bytes):
        return value[:-1] if chance.random() < 0.5 else value + value[:1] + b"a"
    return generator.change(value, domain, 0)


def trace(runner: Runner, script: Script, own: Own) -> str:
    """What the outermost calls of the repository returned while the script ran, and how it ended."""
    function = test_function(runner, script.test)
    assert function is not None
    original = function.__code__
    constants = list(original.co_consts)
    for place, value in script.changes.items():
        constants[place] = value
    watch = _Watch(own)
    random.seed(0)
    try:
        function.__code__ = original.replace(co_consts=tuple(constants))
        sys.setprofile(watch)
        verdict = runner.run(script.test, script.limit)
    finally:
        sys.setprofile(None)
        function.__code__ = original
    if verdict.outcome == "timeout":
        return "~"
    error = verdict.excinfo
    ending = "passed" if verdict.outcome == "passed" else type(error).__name__ if error is not None else "?"
    mark = "=" if verdict.outcome == "passed" or isinstance(error, AssertionError) else "!"
    return f"{mark}{ending}: {'; '.join(watch.results)}"[:_OUTCOME_CHARS]


class _Watch:
    """A profile function that notes results and changed arguments of the outermost calls of the repository."""

    def __init__(self, own: Own) -> None:
        self.own = own
        self.results: list[str] = []
        self._outer: Any = None
        self._given: list[Any] = []
        self._before: list[str] = []

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call" and self._outer is None:
            if self.own(frame.f_code) and len(self.results) < _RESULTS:
                self._outer = frame
                self._guard(self._enter, frame, None)
        elif event == "return" and frame is self._outer:
            self._outer = None
            self._guard(self._leave, frame, argument)

    def _guard(self, work: Any, frame: Any, argument: Any) -> None:
        sys.setprofile(None)
        try:
            work(frame, argument)
        except Overtime:
            raise
        # Values of the repository may refuse to be looked at in any way.
        except Exception:
            self.results.append("?")
        finally:
            sys.setprofile(self)

    def _enter(self, frame: Any, argument: Any) -> None:
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount]
        self._given = [frame.f_locals[n] for n in names if n in frame.f_locals]
        self._before = [canonical(v) for v in self._given]

    def _leave(self, frame: Any, argument: Any) -> None:
        text = f"{frame.f_code.co_name} {canonical(argument)[:_RESULT_CHARS]}"
        for number, (value, before) in enumerate(zip(self._given, self._before)):  # noqa: B905 - new in 3.10
            after = canonical(value)
            if after != before:
                text += f" and argument {number} = {after[:_RESULT_CHARS]}"
        self.results.append(text)
