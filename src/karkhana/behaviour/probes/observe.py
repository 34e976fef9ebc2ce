"""What does a function answer, and what do its variants answer, on inputs like those of its tests?

Job::

    {"pytest": [arguments], "tests": [names], "failing": [test numbers], "passing": [test numbers],
     "limits": [CPU seconds of each], "target": {"path", "name", "classes", "top", "start", "text"},
     "examples": [[expression, expected text], …],
     "variants": [[[start, end, replacement], …], …], "literals": [texts], "count": inputs to generate,
     "call_limit": CPU seconds per call, "seconds": CPU budget, "seed": number}

Calls of the target are recorded while its tests run, further ones are made from them. Answers: ``{"inputs":
[[origin, text], …]}`` with origin ``failing``, ``passing``, ``near-failing`` or ``near-passing``; then per variant
(the unchanged function first) ``{"variant": n, "outcomes": [text, …], "examples": [kept?, …]}``. An outcome starts
with ``=`` (a value), ``!`` (an exception) or ``~`` (no end, or the end of the process).
"""

from __future__ import annotations

import ast
import contextlib
import copy
import gc
import random
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .forks import DONE, Overtime, Send, cpu_limit, forked
from .inputs import Generator
from .outcomes import canonical, settled
from .state import ModuleState
from .swap import LiveFunctions, Target, Unswappable, live_functions
from .takeover import Runner, take_over

Emit = Callable[[dict[str, Any]], None]
_CALLS_PER_TEST = 12
_CALLS = 160
_ENDLESS = 12
_RECORDING_S = 0.5
_PREVIEW_CHARS = 300
_OUTCOME_CHARS = 2000


def main(job: dict[str, Any], emit: Emit) -> None:
    root = str(Path.cwd().resolve())

    def work(session: pytest.Session) -> None:
        runner = Runner(session)
        target = Target(root, job["target"])
        gc.collect()
        try:
            live = LiveFunctions(target, live_functions(root).get(target.path, []))
        except Unswappable:
            return
        # In a child: recording runs the tests, and what they break must not matter to anyone else.
        forked(lambda send: _observe(runner, live, job, root, send), emit, job["seconds"] * 4 + 60)

    take_over(job["pytest"], work)
    emit({"end_of_answers": True})


def _observe(runner: Runner, live: LiveFunctions, job: dict[str, Any], root: str, send: Send) -> None:
    target = live.target
    stop_at = time.process_time() + job["seconds"]
    recorder = _Recorder(live.original)
    for origin in ("failing", "passing"):
        for number in job[origin]:
            recorder.origin, recorder.left = origin, _CALLS_PER_TEST
            sys.setprofile(recorder)
            try:
                runner.run(job["tests"][number], min(job["limits"][number], _RECORDING_S))
            finally:
                sys.setprofile(None)
            if len(recorder.calls) >= _CALLS or time.process_time() > stop_at:
                break
    calls = recorder.calls
    generator = Generator(calls, [_literal(t) for t in job["literals"]], job["seed"])
    inputs = [*calls, *generator.generate(job["count"])]
    send({"inputs": [[origin, _preview(call)] for origin, call in inputs]})
    variants = [live.original]
    for edits in job["variants"]:
        try:
            variants.append(target.compile(target.edited(edits)))
        except (SyntaxError, ValueError, StopIteration):
            variants.append(live.original)
    state = ModuleState(root)
    inputs_only = [call for _, call in inputs]
    for number, code in enumerate(variants):
        outcomes = _outcomes(_Variant(live, code, state), inputs_only, job["call_limit"], stop_at)
        send({"variant": number, "outcomes": outcomes, "examples": _examples(live, code, job)})


class _Recorder:
    """A profile function that copies the arguments of each call of one function."""

    def __init__(self, code: types.CodeType) -> None:
        self.code = code
        self.calls: list[Any] = []
        self.origin = ""
        self.left = 0
        self._seen: set[str] = set()
        plain = code.co_argcount + code.co_kwonlyargcount
        self._positional = code.co_varnames[: code.co_argcount]
        self._named = code.co_varnames[code.co_argcount : plain]
        self._star = code.co_varnames[plain] if code.co_flags & 0x04 else ""
        offset = plain + (1 if self._star else 0)
        self._double = code.co_varnames[offset] if code.co_flags & 0x08 else ""

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event != "call" or frame.f_code is not self.code:
            return
        sys.setprofile(None)
        if self.left <= 0 or len(self.calls) >= _CALLS:
            # Enough of this test: the rest of it runs at full speed.
            return
        try:
            variables = frame.f_locals
            arguments = [variables[name] for name in self._positional] + list(variables.get(self._star, ()))
            named = {name: variables[name] for name in self._named}
            named.update(variables.get(self._double, {}))
            call = copy.deepcopy((arguments, named))
            text = canonical(call)
            if text not in self._seen and len(text) < 20_000:
                self._seen.add(text)
                self.calls.append((self.origin, call))
                self.left -= 1
        # Arguments that cannot be copied (open files, locks) cannot be given again.
        except Exception:
            self.left -= 1
        finally:
            sys.setprofile(self)


class _Variant:
    """The function with other code."""

    def __init__(self, live: LiveFunctions, code: types.CodeType, state: ModuleState) -> None:
        self.live = live
        self.code = code
        self.state = state

    def install(self) -> None:
        with contextlib.suppress(Unswappable):
            self.live.install(self.code)


def _outcomes(variant: _Variant, calls: list[Any], limit_s: float, stop_at: float) -> list[str]:
    found: list[str] = []

    def work(send: Send) -> None:
        variant.install()
        endless = found.count("~")
        for call in calls[len(found) :]:
            variant.state.clear_caches()
            # A function that never ends is not asked again and again.
            outcome = _outcome(variant.live.root, call, limit_s) if endless <= _ENDLESS else "~"
            endless += outcome == "~"
            send(outcome)

    while len(found) < len(calls):
        if time.process_time() > stop_at:
            break
        if forked(work, found.append, limit_s * 8 + 5) != DONE:
            found.append("~")
    return found + ["~"] * (len(calls) - len(found))


def _examples(live: LiveFunctions, code: types.CodeType, job: dict[str, Any]) -> list[bool]:
    """Whether each example of the documentation is kept."""
    found: list[bool] = []

    def work(send: Send) -> None:
        with contextlib.suppress(Unswappable):
            live.install(code)
        for call, expected in job["examples"]:
            send(_keeps(live.root, call, expected, job["call_limit"]))

    forked(work, found.append, job["call_limit"] * 8 + 5)
    return found + [False] * (len(job["examples"]) - len(found))


def _keeps(function: Any, call: str, expected: str, limit_s: float) -> bool:
    names = dict(function.__globals__)
    try:
        with cpu_limit(limit_s):
            value = settled(eval(call, names))  # noqa: S307 - this whole program is the repository's own code
            return repr(value) == expected or value == eval(expected, names)  # noqa: S307
    # An example that cannot be evaluated is not kept.
    except BaseException:
        return False


def _outcome(function: Any, call: Any, limit_s: float) -> str:
    try:
        arguments, named = copy.deepcopy(call)
        before = [canonical(a) for a in arguments]
    # Objects of the repository may refuse to be copied at any time.
    except Exception:
        return "~"
    random.seed(0)
    try:
        with cpu_limit(limit_s):
            text = "=" + canonical(settled(function(*arguments, **named)))
    except Overtime:
        return "~"
    # Whatever the function raises is its answer.
    except BaseException as error:
        return "!" + type(error).__name__
    with contextlib.suppress(Exception):
        for position, old in enumerate(before):
            new = canonical(arguments[position])
            if new != old:
                text += f" and argument {position} = {new}"
    return text[:_OUTCOME_CHARS]


def _preview(call: Any) -> str:
    arguments, named = call
    parts = [canonical(a) for a in arguments] + [f"{k}={canonical(v)}" for k, v in named.items()]
    return ", ".join(parts)[:_PREVIEW_CHARS]


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
