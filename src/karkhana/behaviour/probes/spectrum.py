"""Which lines does each test run, and how do the failing ones fail?

Job: ``{"pytest": [arguments], "tests": [names to run] or null, "limits": {name: CPU seconds}, "limit": default,
"seconds": budget, "everything": also the lines that no failing test runs}``. Answers: one ``{"test": …}`` line per
test, then one ``{"coverage": …}`` line, ``{"types": …}``, ``{"files": …}`` with the functions of each covered file,
and ``{"session": …}``.

Every failing test is run again, alone, without the tracer: if it then does something else it depends on the
order, and its CPU time is that of the bare test.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .forks import DONE, Send, forked
from .takeover import Runner, describe, take_over

Emit = Callable[[dict[str, Any]], None]
_ALONE = 40
"""Failing tests that are run again alone."""
_ENDLESS = 2
"""Tests without an end after which others that nothing is known of get less time."""
_MOMENT_S = 0.25
_BARE = 3.0
"""Times the limit for a test alone, which decides what it does: under the tracer only its lines matter."""
_CRASHES = 8
"""Tests that may end the interpreter before the rest is given up."""


def main(job: dict[str, Any], emit: Emit) -> None:
    root = str(Path.cwd().resolve())
    reached: list[bool] = []

    def work(session: pytest.Session) -> None:
        reached.append(True)
        _measure(session, job, emit, root)
        config = session.config
        emit(
            {
                "session": {
                    "rootdir": str(config.rootpath),
                    "inifile": str(config.inipath) if config.inipath else "",
                    "collected": len(session.items),
                }
            }
        )

    errors = take_over(job["pytest"], work)
    emit({"collect_errors": errors, "reached": bool(reached)})


def _measure(session: pytest.Session, job: dict[str, Any], emit: Emit, root: str) -> None:
    runner = Runner(session)
    wanted = job["tests"]
    names = [item.nodeid for item in session.items]
    if wanted is not None:
        chosen = set(wanted)
        names = [name for name in names if name in chosen]
    names = list(dict.fromkeys(names))
    pass_ = _Pass(runner, names, job, root)
    pass_.run()
    types: dict[str, dict[str, dict[str, list[str]]]] = {}
    alone: dict[str, tuple[str, float]] = {}
    for name in pass_.failing()[:_ALONE]:
        # A test without an end is not worth waiting for twice; its first moments show the types. But one that ended
        # before, and does not under the tracer, is only slow.
        endless = pass_.answers[name]["outcome"] == "timeout" and name not in job["limits"]
        if endless and sum(outcome == "timeout" for outcome, _ in alone.values()) >= _ENDLESS:
            continue
        limit = _MOMENT_S if endless else _BARE * job["limits"].get(name, job["limit"])
        alone[name] = _alone(runner, name, limit, root, types)
    for name in names:
        answer = pass_.answers.get(name)
        if answer is None:
            continue
        if name in alone:
            outcome, seconds = alone[name]
            answer["alone"] = outcome
            if outcome == answer["outcome"]:
                answer["seconds"] = min(seconds, answer["seconds"])
            elif answer["outcome"] == "timeout":
                answer["outcome"], answer["seconds"] = outcome, seconds
        emit({"test": answer})
    failing = {names.index(name) for name in pass_.failing()}
    places: dict[str, list[dict[str, Any]]] = {}
    coverage: dict[str, dict[str, list[int]]] = {}
    for path, lines in pass_.lines.items():
        if job["everything"] or any(failing.intersection(tests) for tests in lines.values()):
            places[path] = functions(Path(root, path))
            coverage[path] = lines if job["everything"] else _concerned(lines, places[path], failing)
    emit({"coverage": coverage})
    emit({"types": types})
    emit({"files": places})


def _concerned(lines: dict[str, list[int]], places: list[dict[str, Any]], failing: set[int]) -> dict[str, list[int]]:
    """The lines of functions that a failing test runs: on a large suite the rest would be megabytes."""
    kept: dict[str, list[int]] = {}
    for place in places:
        inside = {line: lines[line] for n in range(place["start"], place["end"] + 1) if (line := str(n)) in lines}
        if any(failing.intersection(tests) for tests in inside.values()):
            kept.update(inside)
    return kept


class _Pass:
    """All tests in their order, in one child; a new child goes on behind a test that ended it."""

    def __init__(self, runner: Runner, names: list[str], job: dict[str, Any], root: str) -> None:
        self.runner = runner
        self.names = names
        self.job = job
        self.root = root
        self.answers: dict[str, dict[str, Any]] = {}
        self.lines: dict[str, dict[str, list[int]]] = {}
        self._started = ""

    def failing(self) -> list[str]:
        return [n for n, a in self.answers.items() if a["outcome"] in ("failed", "error", "timeout", "crashed")]

    def run(self) -> None:
        crashed: set[str] = set()
        for _ in range(_CRASHES):
            self.lines = {}
            todo = [name for name in self.names if name not in crashed]
            self._started = ""
            state = forked(lambda send, todo=todo: self._work(todo, send), self._receive, self._idle_s())  # type: ignore[misc]
            if state == DONE or not self._started:
                return
            crashed.add(self._started)
            outcome = "crashed" if state == "died" else "timeout"
            self.answers[self._started] = {"name": self._started, "outcome": outcome, "seconds": 0.0}

    def _idle_s(self) -> float:
        return float(max([self.job["limit"], *self.job["limits"].values()])) * 4 + 20

    def _receive(self, value: Any) -> None:
        if "started" in value:
            self._started = value["started"]
        elif "test" in value:
            self.answers[value["test"]["name"]] = value["test"]
        else:
            self.lines = value["lines"]

    def _work(self, names: list[str], send: Send) -> None:
        import coverage

        tracer = coverage.Coverage(
            data_file=None, config_file=False, messages=False, include=[self.root + "/*"], branch=False
        )
        stop_at = time.process_time() + self.job["seconds"]
        items = [self.runner.items[name] for name in names]
        endless = 0
        tracer.start()
        for position, name in enumerate(names):
            if time.process_time() > stop_at:
                break
            following = items[position + 1] if position + 1 < len(items) else None
            send({"started": name})
            tracer.switch_context(str(self.names.index(name)))
            limit = self.job["limits"].get(name, self.job["limit"] if endless < _ENDLESS else _MOMENT_S)
            verdict = self.runner.run(name, limit, following)
            endless += verdict.outcome == "timeout"
            answer: dict[str, Any] = {"name": name, "outcome": verdict.outcome, "seconds": verdict.seconds}
            if verdict.excinfo is not None:
                answer["failure"] = describe(verdict.excinfo, self.root)
            send({"test": answer})
        tracer.stop()
        send({"lines": self._covered(tracer)})

    def _covered(self, tracer: Any) -> dict[str, dict[str, list[int]]]:
        data = tracer.get_data()
        lines: dict[str, dict[str, list[int]]] = {}
        for file in data.measured_files():
            path = Path(file).resolve()
            if self.root not in map(str, path.parents):
                continue
            by_line = {
                str(line): sorted(int(c) for c in contexts if c)
                for line, contexts in data.contexts_by_lineno(file).items()
            }
            lines[path.relative_to(self.root).as_posix()] = {k: v for k, v in by_line.items() if v}
        return lines


def _alone(runner: Runner, name: str, limit: float, root: str, types: dict[str, Any]) -> tuple[str, float]:
    found: list[Any] = []

    def work(send: Send) -> None:
        verdict = runner.run(name, limit)
        send([verdict.outcome, verdict.seconds])
        recorder = _Types(root)
        sys.setprofile(recorder)
        try:
            runner.run(name, min(limit, _MOMENT_S))
        finally:
            sys.setprofile(None)
        send(recorder.seen)

    state = forked(work, found.append, limit * 4 + 20)
    if len(found) > 1:
        for path, places in found[1].items():
            for line, names in places.items():
                for variable, kinds in names.items():
                    known = types.setdefault(path, {}).setdefault(line, {}).setdefault(variable, [])
                    known.extend(k for k in kinds if k not in known)
    if not found:
        return ("crashed" if state == "died" else "timeout"), float(limit)
    return found[0][0], found[0][1]


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


def functions(path: Path) -> list[dict[str, Any]]:
    """The outermost functions and methods of a file: name, classes around it, first and last line.

    ``start`` is the line of ``def``, ``top`` that of its first decorator.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return []
    found: list[dict[str, Any]] = []

    def walk(node: ast.AST, classes: list[str]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.append(
                    {
                        "name": child.name,
                        "classes": classes,
                        "top": min([child.lineno, *(d.lineno for d in child.decorator_list)]),
                        "start": child.lineno,
                        "end": child.end_lineno,
                    }
                )
            elif isinstance(child, ast.ClassDef):
                walk(child, [*classes, child.name])
            elif isinstance(child, ast.stmt):
                walk(child, classes)

    walk(tree, [])
    return found
