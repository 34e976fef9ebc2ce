"""What does the program do, and what does it do with each of several changes, on inputs like those of its tests?

Job::

    {"pytest": [arguments], "tests": [names], "failing": [test numbers], "passing": [test numbers],
     "limits": [CPU seconds of each], "targets": [{"path", "name", "classes", "top", "start", "end", "text"}, …],
     "variants": [[target, [[start, end, replacement], …], fresh], …],
     "examples": [[target, expression, expected text], …], "literals": [texts], "count": inputs to generate,
     "scripts": changed tests to run, "call_limit": CPU seconds per call, "seconds": CPU budget of the swapped
     variants and again of the fresh ones, "seed": number, "fresh": variants to run in a new interpreter state}

A variant may have a fourth part, ``[[target, edits], …]``: what it changes besides. A target with ``"quiet": true`` is
one that inputs need not lead to. Calls of the entries (see ``recording``) are recorded while the tests run, further
ones are made from them; ``scripts`` are tests with a constant changed. When the unchanged program cannot even be
collected, that happens in the first fresh variant. Answers: ``{"inputs": [[origin, kind, text], …], "entries":
[names]}``; then per variant (the unchanged program first, as 0) ``{"variant": n, "outcomes": [text, …], "examples":
[kept?, …]}``; for outcomes see ``subject``.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .annotated import calls_for, optional_parameters
from .carrying import PLAIN, Fresh, packed, parts_of
from .forks import Send, cpu_seconds, forked
from .fresh import edited_file, overlay
from .inputs import Generator, boundaries, literal
from .recording import Call, Chains, Own, Recorder
from .scripts import scripts
from .state import ModuleState, Variables
from .subject import EXAMPLE_TIMES, LITTLE_S, Input, Subject, install, keeps, run_all
from .swap import LiveFunctions, Target, Unswappable, live_functions
from .takeover import Runner, take_over
from .zygote import foreign_modules, import_all, warm_pytest

Emit = Callable[[dict[str, Any]], None]
_CALLS_PER_TEST = 12
_CALLS = 160
_ENTRIES = 4
_TIMES = 10.0
"""Times what the unchanged program took, that a variant gets for an input."""
_RECORDING_S = 0.5
_SHARE = 0.35
"""Of the budget, for recording."""
_FEWEST = 40
_PREVIEW_CHARS = 300
_SEVERAL = 2
"""Fresh variants from which on it pays to start pytest once for all of them."""
_NOT_IMPORTED = "!ImportError"


def main(job: dict[str, Any], emit: Emit, kind: type[Observation] | None = None) -> None:
    """Answer a job; ``kind`` may do more in the process that has collected the tests."""
    observation = kind or Observation
    root = str(Path.cwd().resolve())
    kept: list[dict[str, Any]] = []
    libraries: list[str] = []

    def receive(value: dict[str, Any]) -> None:
        if "kept" in value:
            kept.append(value["kept"])
            libraries.extend(value["libraries"])
        else:
            emit(value)

    def live(send: Send, base: int | None = None) -> None:
        if base is not None:
            index, edits = job["variants"][base][:2]
            overlay(root, *edited_file(root, job["targets"][index], edits))
        take_over([*job["pytest"], *PLAIN], lambda session: observation(session, job, root, send, base).run())

    # In a child: recording runs the tests, and what they break must not matter to anyone else; and this process stays
    # without any module of the repository, for the variants that need a new interpreter state.
    forked(live, receive, job["seconds"] * 4 + 60)
    fresh = [n for n, variant in enumerate(job["variants"]) if variant[2]][: job["fresh"]]
    if fresh and not kept:
        base = fresh.pop(0)
        forked(lambda send: live(send, base), receive, job["seconds"] * 4 + 60)
    if kept and len(fresh) >= _SEVERAL:
        warm_pytest()
        import_all(libraries)
    stop_at = cpu_seconds() + job["seconds"]
    for number in fresh if kept else ():
        if cpu_seconds() > stop_at:
            break
        found: list[Any] = []
        forked(Fresh(job, root, number, kept[0], stop_at), found.append, job["seconds"] + 30)
        emit({"variant": number + 1, **(found[0] if found else {"outcomes": [], "examples": []})})
    emit({"end_of_answers": True})


class Observation:
    """One job in a process that has collected the tests."""

    def __init__(
        self, session: pytest.Session, job: dict[str, Any], root: str, send: Send, base: int | None = None
    ) -> None:
        self.job = job
        self.root = root
        self.send = send
        self.base = base
        """The variant that runs here instead of the unchanged program, which cannot be imported."""
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
        modules = self._modules(entries)
        watched = Variables([sys.modules[name] for name in modules])
        subject = Subject(self.runner, self.own, entries, ModuleState(self.root), watched)
        inputs = self._inputs(entries)
        if not inputs:
            return
        gc.freeze()
        limits = [float(self.job["call_limit"])] * len(inputs)
        outcomes, times = run_all(subject, inputs, limits, None, self.stop_at)
        inputs, outcomes, limits = self._affordable(inputs, outcomes, times)
        told = [[i.origin, type(i).__name__.lower(), self._preview(i, entries)] for i in inputs]
        self.send({"inputs": told, "entries": [e.__qualname__ for e in entries]})
        examples = self._examples(None)
        if self.base is not None:
            lost = {"outcomes": [_NOT_IMPORTED] * len(inputs), "examples": [False] * len(examples)}
            self.send({"variant": 0, **lost})
        number = 0 if self.base is None else self.base + 1
        self.send({"variant": number, "outcomes": outcomes, "examples": examples})
        if any(variant[2] for variant in self.job["variants"]):
            self.send({"kept": packed(inputs, limits, entries, modules), "libraries": foreign_modules(self.root)})
        if self.base is None:
            self._swapped(subject, inputs, limits)

    def _swapped(self, subject: Subject, inputs: list[Input], limits: list[float]) -> None:
        """The variants that live functions can be made to run."""
        for number, variant in enumerate(self.job["variants"]):
            change = None if variant[2] else self.change(parts_of(variant))
            if change is not None:
                outcomes, _ = run_all(subject, inputs, limits, change, self.stop_at)
                self.send({"variant": number + 1, "outcomes": outcomes, "examples": self._examples(change)})

    def change(self, parts: list[list[Any]]) -> Any:
        """Live functions and the code for them; ``None`` when a part is no program, or of no live function."""
        found: list[Any] = []
        for index, edits in parts:
            if index not in self.live:
                return None
            target = self.live[index].target
            try:
                found.append((self.live[index], target.compile(target.edited(edits))))
            except (SyntaxError, ValueError, StopIteration):
                return None
        return found

    def _preview(self, one: Input, entries: list[types.FunctionType]) -> str:
        text = str(one.text())
        if isinstance(one, Call):
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
        suspects: dict[types.CodeType, set[int]] = {}
        for number, data in enumerate(self.job["targets"]):
            if number in self.live:
                suspects.setdefault(self.live[number].original, set()).add(number)
            elif not data["name"] and not data.get("quiet"):
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

    def _modules(self, entries: list[types.FunctionType]) -> list[str]:
        """Names of the modules whose variables are looked at."""
        names = {e.__module__ for e in entries} | {one.root.__module__ for one in self.live.values()}
        return [name for name in sorted(names) if name in sys.modules]

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
            limits.append(min(most * 10, max(LITTLE_S, _TIMES * max(spent, usual))))
        return [inputs[n] for n in chosen], [outcomes[n] for n in chosen], limits

    def _examples(self, change: Any) -> list[bool]:
        """Whether each example of the documentation is kept."""
        found: list[bool] = []
        examples = self.job["examples"]
        if not examples or cpu_seconds() > self.stop_at:
            return [False] * len(examples)

        def work(send: Send) -> None:
            install(change)
            for index, call, expected in examples:
                function = self.live[index].root if index in self.live else None
                send(function is not None and keeps(function, call, expected, EXAMPLE_TIMES * self.job["call_limit"]))

        forked(work, found.append, EXAMPLE_TIMES * self.job["call_limit"] * len(examples) * 2 + 5)
        return found + [False] * (len(examples) - len(found))
