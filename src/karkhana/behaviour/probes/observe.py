"""What does the program do, and what does it do with each of several changes, on inputs like those of its tests?

Job::

    {"pytest": [arguments], "tests": [names], "failing": [test numbers], "passing": [test numbers],
     "limits": [CPU seconds of each], "targets": [{"path", "name", "classes", "top", "start", "end", "text"}, …],
     "variants": [[target, [[start, end, replacement], …], fresh], …], "direct": only call the first target itself,
     "examples": [[target, expression, expected text], …], "literals": [texts], "count": inputs to generate,
     "scripts": changed tests to run, "call_limit": CPU seconds per call, "seconds": CPU budget, "seed": number,
     "fresh": variants to run in a new interpreter state}

Calls of the entries (see ``recording``) are recorded while the tests run, further ones are made from them; ``scripts``
are tests with a constant changed. Answers: ``{"inputs": [[origin, kind, text], …], "entries": [names]}``; then per
variant (the unchanged program first, as 0) ``{"variant": n, "outcomes": [text, …], "examples": [kept?, …]}``. An
outcome starts with ``=`` (a value), ``!`` (an exception), ``~`` (no end, or the end of the process) or ``?``
(not known).
"""

from __future__ import annotations

import base64
import contextlib
import copy
import gc
import pickle
import random
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .annotated import calls_for, optional_parameters
from .forks import DONE, Overtime, Send, cpu_limit, cpu_seconds, forked
from .fresh import edited_file, overlay
from .inputs import Generator, boundaries, literal
from .outcomes import canonical, settled
from .recording import Call, Chains, Own, Recorder
from .scripts import Script, scripts, trace
from .state import ModuleState, Variables
from .swap import LiveFunctions, Target, Unswappable, live_functions
from .takeover import Runner, take_over

Emit = Callable[[dict[str, Any]], None]
Input = Any
"""A ``Call`` or a ``Script``."""
_CALLS_PER_TEST = 12
_CALLS = 160
_ENTRIES = 4
_FULL, _ENDLESS = 4, 12
"""Inputs without an end after which a variant gets little time for each of the others, and none."""
_DEATH = 5
"""So many inputs without an end does it count for when the process had to be ended."""
_LITTLE_S = 0.01
_TIMES = 10.0
"""Times what the unchanged program took, that a variant gets for an input."""
_RECORDING_S = 0.5
_SHARE = 0.35
"""Of the budget, for recording."""
_FEWEST = 40
_RESTARTS = 40
_PREVIEW_CHARS = 300
_OUTCOME_CHARS = 2000
_PICKLES = 8 << 20
UNKNOWN = "?"
_PLAIN = ("--assert=plain",)
"""Rewritten assertions would add their own texts to the constants of tests."""


def main(job: dict[str, Any], emit: Emit) -> None:
    root = str(Path.cwd().resolve())
    kept: list[dict[str, Any]] = []

    def receive(value: dict[str, Any]) -> None:
        if "kept" in value:
            kept.append(value["kept"])
        else:
            emit(value)

    def live(send: Send) -> None:
        take_over([*job["pytest"], *_PLAIN], lambda session: _Observation(session, job, root, send).run())

    # In a child: recording runs the tests, and what they break must not matter to anyone else; and this process stays
    # without any module of the repository, for the variants that need a new interpreter state.
    forked(live, receive, job["seconds"] * 4 + 60)
    fresh = [n for n, variant in enumerate(job["variants"]) if variant[2]]
    for number in fresh[: job["fresh"]] if kept else ():
        found: list[Any] = []
        work = _Fresh(job, root, number, kept[0])
        forked(work, found.append, job["seconds"] + 30)
        emit({"variant": number + 1, **(found[0] if found else {"outcomes": [], "examples": []})})
    emit({"end_of_answers": True})


class _Observation:
    """One job in a process that has collected the tests."""

    def __init__(self, session: pytest.Session, job: dict[str, Any], root: str, send: Send) -> None:
        self.job = job
        self.root = root
        self.send = send
        self.runner = Runner(session)
        self.own = Own(root, {str(Path(str(item.path)).resolve()) for item in session.items})
        self.stop_at = cpu_seconds() + job["seconds"]
        gc.collect()
        self.functions = live_functions(root)
        self.live: dict[int, LiveFunctions] = {}
        for number, data in enumerate(job["targets"]):
            if data["name"]:
                target = Target(root, data)
                with contextlib.suppress(Unswappable):
                    self.live[number] = LiveFunctions(target, self.functions.get(target.path, []))

    def run(self) -> None:
        entries = self._entries()
        if not entries and self.job["direct"]:
            return
        subject = _Subject(self.runner, self.own, entries, ModuleState(self.root), self._watched(entries))
        inputs = self._inputs(entries)
        gc.freeze()
        outcomes, times = self._outcomes(subject, inputs, [self.job["call_limit"]] * len(inputs), None)
        inputs, outcomes, limits = self._affordable(inputs, outcomes, times)
        told = [[i.origin, type(i).__name__.lower(), self._preview(i, entries)] for i in inputs]
        self.send({"inputs": told, "entries": [e.__qualname__ for e in entries]})
        self.send({"variant": 0, "outcomes": outcomes, "examples": self._examples(subject, None)})
        if any(variant[2] for variant in self.job["variants"]):
            self.send({"kept": _packed(inputs, limits, entries, self.root)})
        for number, (index, edits, fresh) in enumerate(self.job["variants"]):
            if fresh or index not in self.live:
                continue
            target = self.live[index].target
            try:
                code = target.compile(target.edited(edits))
            except (SyntaxError, ValueError, StopIteration):
                continue
            change = (self.live[index], code)
            outcomes, _ = self._outcomes(subject, inputs, limits, change)
            self.send({"variant": number + 1, "outcomes": outcomes, "examples": self._examples(subject, change)})

    def _preview(self, one: Input, entries: list[types.FunctionType]) -> str:
        text = str(one.text())
        if isinstance(one, Call) and not self.job["direct"]:
            text = f"{entries[one.entry].__qualname__}({text})"
        return text[:_PREVIEW_CHARS]

    # -- entries and inputs --------------------------------------------------------------------------------------

    def _tests(self) -> list[tuple[str, str, float]]:
        found: list[tuple[str, str, float]] = []
        for origin in ("failing", "passing"):
            for number in self.job[origin]:
                limit = min(self.job["limits"][number], _RECORDING_S)
                found.append((origin, self.job["tests"][number], limit))
        return [t for t in found if t[1] in self.runner.items]

    def _profiled(self, profile: Any, begin: Callable[[int, str], None], share: float) -> None:
        stop_at = cpu_seconds() + self.job["seconds"] * share
        for number, (origin, name, limit) in enumerate(self._tests()):
            if cpu_seconds() > stop_at:
                break
            begin(number, origin)
            sys.setprofile(profile)
            try:
                self.runner.run(name, limit)
            finally:
                sys.setprofile(None)

    def _entries(self) -> list[types.FunctionType]:
        if self.job["direct"]:
            return [self.live[0].root] if 0 in self.live else []
        suspects: dict[types.CodeType, set[int]] = {}
        for number, data in enumerate(self.job["targets"]):
            if number in self.live:
                suspects.setdefault(self.live[number].original, set()).add(number)
            elif not data["name"]:
                path = str(Path(self.root, data["path"]).resolve())
                for function in self.functions.get(path, ()):
                    suspects.setdefault(function.__code__, set()).add(number)
        chains = Chains(suspects, self.own)
        self._profiled(chains, chains.begin, _SHARE / 2)
        found: list[types.FunctionType] = []
        by_code: dict[types.CodeType, list[types.FunctionType]] = {}
        for functions in self.functions.values():
            for function in functions:
                by_code.setdefault(function.__code__, []).append(function)
        for code in chains.entries(_ENTRIES):
            found.extend(by_code.get(code, [])[:_ENTRIES])
        return found

    def _watched(self, entries: list[types.FunctionType]) -> Variables:
        names = {e.__module__ for e in entries} | {one.root.__module__ for one in self.live.values()}
        return Variables([sys.modules[name] for name in sorted(names) if name in sys.modules])

    def _inputs(self, entries: list[types.FunctionType]) -> list[Input]:
        job = self.job
        recorder = Recorder(entries, _CALLS_PER_TEST, _CALLS)
        self._profiled(recorder, lambda number, origin: recorder.begin(origin), _SHARE / 2)
        literals = [literal(t) for t in job["literals"]]
        for one in self.live.values():
            literals += boundaries(one.original)
        found: list[Input] = list(recorder.calls)
        share = job["count"] // max(1, len(entries))
        for number, entry in enumerate(entries):
            recorded = [(c.origin, (c.arguments, c.named)) for c in recorder.calls if c.entry == number]
            if recorded:
                generator = Generator(recorded, literals, job["seed"], optional_parameters(entry))
                made = generator.generate(share)
            else:
                made = [("annotated", call) for call in calls_for(entry, share, job["seed"])]
            found += [Call(origin, number, arguments, named) for origin, (arguments, named) in made]
        return found + scripts(self.runner, self._tests()[: job["scripts"]], job["scripts"], job["seed"])

    def _affordable(self, inputs: list[Input], outcomes: list[str], times: list[float]) -> Any:
        """As many of the inputs as all variants can be run on, evenly taken, with their limits."""
        each = max(1e-6, sum(times) / max(1, len(times)))
        left = max(0.0, self.stop_at - cpu_seconds())
        count = max(_FEWEST, int(left / each / max(1, len(self.job["variants"]))))
        step = max(1.0, len(inputs) / count)
        chosen = sorted({int(n * step) for n in range(len(inputs)) if n * step < len(inputs)})
        usual = sorted(times)[len(times) // 2] if times else 0.0
        most = float(self.job["call_limit"])
        limits = []
        for number in chosen:
            spent = usual if outcomes[number][:1] in "~?" else times[number]
            limits.append(min(most * 10, max(_LITTLE_S, _TIMES * max(spent, usual))))
        return [inputs[n] for n in chosen], [outcomes[n] for n in chosen], limits

    # -- running -------------------------------------------------------------------------------------------------

    def _outcomes(
        self, subject: _Subject, inputs: list[Input], limits: list[float], change: Any
    ) -> tuple[list[str], list[float]]:
        outcomes, times = _run_all(subject, inputs, limits, change, self.stop_at)
        missing = len(inputs) - len(outcomes)
        return outcomes + [UNKNOWN] * missing, times + [0.0] * missing

    def _examples(self, subject: _Subject, change: Any) -> list[bool]:
        """Whether each example of the documentation is kept."""
        found: list[bool] = []
        examples = self.job["examples"]
        if not examples or cpu_seconds() > self.stop_at:
            return [False] * len(examples)

        def work(send: Send) -> None:
            _install(change)
            for index, call, expected in examples:
                function = self.live[index].root if index in self.live else None
                send(function is not None and _keeps(function, call, expected, self.job["call_limit"]))

        forked(work, found.append, self.job["call_limit"] * 8 + 5)
        return found + [False] * (len(examples) - len(found))


class _Subject:
    """What the inputs are given to."""

    def __init__(self, runner: Runner, own: Own, entries: list[Any], state: ModuleState, watched: Variables) -> None:
        self.runner = runner
        self.own = own
        self.entries = entries
        self.state = state
        self.watched = watched

    def outcome(self, one: Input, limit_s: float) -> str:
        self.state.clear_caches()
        if isinstance(one, Script):
            return trace(self.runner, one, self.own)
        entry = self.entries[one.entry]
        return UNKNOWN if entry is None else _outcome(entry, one, limit_s)


def _install(change: Any) -> None:
    if change is not None:
        functions, code = change
        with contextlib.suppress(Unswappable):
            functions.install(code)


def _run_all(
    subject: _Subject, inputs: list[Input], limits: list[float], change: Any, stop_at: float
) -> tuple[list[str], list[float]]:
    """Outcomes and CPU seconds per input, as far as the budget goes; a new child after one that was spoilt."""
    outcomes: list[str] = []
    times: list[float] = []

    def receive(told: list[Any]) -> None:
        outcomes.append(told[0])
        times.append(told[1])

    def work(send: Send) -> None:
        _install(change)
        watch = subject.watched if restarts < _RESTARTS else None
        before = watch.text() if watch is not None else ""
        endless = outcomes.count("~") + _DEATH * deaths
        for number in range(len(outcomes), len(inputs)):
            limit = limits[number] if endless < _FULL else min(limits[number], _LITTLE_S)
            started = time.process_time()
            # A variant that never ends is not asked again and again.
            text = subject.outcome(inputs[number], limit) if endless < _ENDLESS else "~"
            spent = time.process_time() - started
            endless += text == "~"
            after = watch.text() if watch is not None else ""
            if after != before and text not in (UNKNOWN, "~"):
                text = f"{text} and variables {after[-_OUTCOME_CHARS:]}"
            send([text, spent])
            if after != before or base + time.process_time() > stop_at:
                return

    restarts = deaths = 0
    while len(outcomes) < len(inputs) and cpu_seconds() < stop_at:
        known, base = len(outcomes), cpu_seconds()
        limit = max(limits, default=0.0)
        if forked(work, receive, limit * 8 + 10) != DONE and len(outcomes) < len(inputs):
            receive(["~", limit])
            deaths += 1
        restarts += 1
        if len(outcomes) == known:
            break
    return outcomes, times


def _keeps(function: Any, call: str, expected: str, limit_s: float) -> bool:
    names = dict(function.__globals__)
    try:
        with cpu_limit(limit_s):
            value = settled(eval(call, names))  # noqa: S307 - this whole program is the repository's own code
            return repr(value) == expected or value == eval(expected, names)  # noqa: S307
    # An example that cannot be evaluated is not kept.
    except BaseException:
        return False


def _outcome(function: Any, call: Call, limit_s: float) -> str:
    try:
        arguments, named = copy.deepcopy((call.arguments, call.named))
        before = [canonical(a) for a in arguments]
    # Objects of the repository may refuse to be copied at any time.
    except Exception:
        return UNKNOWN
    random.seed(0)
    try:
        with cpu_limit(limit_s):
            text = "=" + canonical(settled(function(*arguments, **named)))
    except Overtime:
        return "~"
    # Whatever the function raises is its answer.
    except BaseException as error:
        text = "!" + type(error).__name__
    with contextlib.suppress(Exception):
        for position, old in enumerate(before):
            new = canonical(arguments[position])
            if new != old:
                text += f" and argument {position} = {new}"
    return text[:_OUTCOME_CHARS]


# -- variants that need a new interpreter state ----------------------------------------------------------------------


def _packed(inputs: list[Input], limits: list[float], entries: list[types.FunctionType], root: str) -> dict[str, Any]:
    """Inputs, as far as they can be carried to another process, and how to find the entries there."""
    parts: list[str] = []
    size = 0
    for one in inputs:
        fields = [getattr(one, name) for name in type(one).__slots__]
        try:
            data = pickle.dumps((type(one).__name__, fields))
        # Objects of the repository may refuse to be pickled in any way.
        except Exception:
            data = b""
        size += len(data)
        parts.append(base64.b64encode(data if size < _PICKLES else b"").decode())
    places = [[str(Path(e.__code__.co_filename).resolve()), e.__qualname__] for e in entries]
    return {"inputs": parts, "limits": limits, "entries": places}


class _Fresh:
    """One variant in a process that collects the tests with the changed file in place of the one on disk."""

    def __init__(self, job: dict[str, Any], root: str, number: int, kept: dict[str, Any]) -> None:
        self.job = job
        self.root = root
        self.kept = kept
        self.index, self.edits, _ = job["variants"][number]

    def __call__(self, send: Send) -> None:
        path, text = edited_file(self.root, self.job["targets"][self.index], self.edits)
        overlay(path, text)
        take_over([*self.job["pytest"], *_PLAIN], lambda session: send(self._observed(session)))

    def _observed(self, session: pytest.Session) -> dict[str, Any]:
        runner = Runner(session)
        own = Own(self.root, {str(Path(str(item.path)).resolve()) for item in session.items})
        functions = live_functions(self.root)
        entries = [_unique(functions.get(path, ()), name) for path, name in self.kept["entries"]]
        modules = {e.__module__ for e in entries if e is not None}
        watched = Variables([sys.modules[name] for name in sorted(modules) if name in sys.modules])
        subject = _Subject(runner, own, entries, ModuleState(self.root), watched)
        numbers: list[int] = []
        inputs: list[Input] = []
        for number, text in enumerate(self.kept["inputs"]):
            one = _unpacked(text)
            if one is not None and (isinstance(one, Call) or one.test in runner.items):
                numbers.append(number)
                inputs.append(one)
        limits = [self.kept["limits"][n] for n in numbers]
        found, _ = _run_all(subject, inputs, limits, None, cpu_seconds() + self.job["seconds"])
        outcomes = [UNKNOWN] * len(self.kept["inputs"])
        for number, outcome in zip(numbers, found):  # noqa: B905 - new in 3.10
            outcomes[number] = outcome
        return {"outcomes": outcomes, "examples": self._examples(functions)}

    def _examples(self, functions: dict[str, Any]) -> list[bool]:
        found: list[bool] = []
        for index, call, expected in self.job["examples"]:
            data = self.job["targets"][index]
            name = ".".join([*data["classes"], data["name"]])
            function = _unique(functions.get(str(Path(self.root, data["path"]).resolve()), ()), name)
            found.append(function is not None and _keeps(function, call, expected, self.job["call_limit"]))
        return found


def _unique(functions: Any, name: str) -> Any:
    found = [f for f in functions if f.__qualname__ == name]
    return found[0] if len(found) == 1 else None


def _unpacked(text: str) -> Input | None:
    try:
        kind, fields = pickle.loads(base64.b64decode(text))  # noqa: S301 - made by this program a moment ago
    # What cannot be rebuilt in the changed program is not known of it.
    except Exception:
        return None
    return (Call if kind == "Call" else Script)(*fields)
