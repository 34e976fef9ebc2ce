"""Which lines and branches does each test run, how do the failing ones fail, and what had a part in that?

Job: ``{"pytest": [arguments], "tests": [names to run] or null, "limits": {name: CPU seconds}, "limit": default,
"seconds": budget, "everything": also the lines that no failing test runs}``. Answers: one ``{"test": …}`` line per
test, then one ``{"coverage": …}`` line, ``{"arcs": …}``, ``{"influence": …}``, ``{"types": …}``, ``{"files": …}`` with
the functions of each covered file, and ``{"session": …}``.

Failing tests are run again (see ``reruns``), which tells those that are flaky or depend on the order, and gives the
types and the statements that took part in the failure.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .forks import DONE, Send, forked
from .reruns import Reruns
from .takeover import Runner, describe, take_over

Emit = Callable[[dict[str, Any]], None]
_ENDLESS = 2
"""Tests without an end after which others that nothing is known of get less time."""
_MOMENT_S = 0.1
_LOST_S = 4.0
"""CPU seconds that tests without an end may cost before each further test gets little time, whatever its limit."""
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
    again = Reruns(runner, root, job, pass_.answers, pass_.lines)
    again.failing(pass_.failing())
    again.passing(names)
    for name in names:
        answer = pass_.answers.get(name)
        if answer is not None:
            emit({"test": answer})
    failing = {names.index(name) for name in pass_.failing()}
    places: dict[str, list[dict[str, Any]]] = {}
    coverage: dict[str, dict[str, list[int]]] = {}
    arcs: dict[str, dict[str, list[int]]] = {}
    for path, lines in pass_.lines.items():
        if job["everything"] or any(failing.intersection(tests) for tests in lines.values()):
            places[path] = functions(Path(root, path))
            coverage[path] = lines if job["everything"] else _concerned(lines, places[path], failing)
            arcs[path] = _branches(pass_.arcs.get(path, {}), coverage[path])
    emit({"coverage": coverage})
    emit({"arcs": {path: found for path, found in arcs.items() if found}})
    emit({"influence": again.influence})
    emit({"types": again.types})
    emit({"files": places})


def _branches(arcs: dict[str, list[int]], lines: dict[str, list[int]]) -> dict[str, list[int]]:
    """The arcs that start at a told line from which tests went on in more than one way."""
    ways: dict[str, int] = {}
    for arc in arcs:
        start = arc.partition(">")[0]
        ways[start] = ways.get(start, 0) + 1
    return {arc: tests for arc, tests in arcs.items() if ways[start := arc.partition(">")[0]] > 1 and start in lines}


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
        self.arcs: dict[str, dict[str, list[int]]] = {}
        self._started = ""

    def failing(self) -> list[str]:
        return [n for n, a in self.answers.items() if a["outcome"] in ("failed", "error", "timeout", "crashed")]

    def run(self) -> None:
        crashed: set[str] = set()
        for _ in range(_CRASHES):
            self.lines, self.arcs = {}, {}
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
            self.lines, self.arcs = value["lines"], value["arcs"]

    def _work(self, names: list[str], send: Send) -> None:
        import coverage

        tracer = coverage.Coverage(
            data_file=None, config_file=False, messages=False, include=[self.root + "/*"], branch=True
        )
        stop_at = time.process_time() + self.job["seconds"]
        items = [self.runner.items[name] for name in names]
        endless, lost = 0, 0.0
        tracer.start()
        for position, name in enumerate(names):
            if time.process_time() > stop_at:
                break
            following = items[position + 1] if position + 1 < len(items) else None
            send({"started": name})
            tracer.switch_context(str(self.names.index(name)))
            limit = self.job["limits"].get(name, self.job["limit"] if endless < _ENDLESS else _MOMENT_S)
            verdict = self.runner.run(name, limit if lost < _LOST_S else min(limit, 5 * _MOMENT_S), following)
            if verdict.outcome == "timeout":
                endless += 1
                lost += verdict.seconds
            answer: dict[str, Any] = {"name": name, "outcome": verdict.outcome, "seconds": verdict.seconds}
            if verdict.excinfo is not None:
                answer["failure"] = describe(verdict.excinfo, self.root)
            send({"test": answer})
        tracer.stop()
        lines, arcs = self._covered(tracer)
        send({"lines": lines, "arcs": arcs})

    def _covered(self, tracer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Lines and arcs by file, with the numbers of the tests that ran them."""
        data = tracer.get_data()
        lines: dict[str, dict[str, set[int]]] = {}
        arcs: dict[str, dict[str, set[int]]] = {}
        files = {file: self._relative(file) for file in data.measured_files()}
        for file, context, start, end in _rows(data):
            path = files.get(file, "")
            if not path or not context:
                continue
            test = int(context)
            own = lines.setdefault(path, {})
            for line in (start, end):
                if line > 0:
                    own.setdefault(str(line), set()).add(test)
            if start > 0 and end != start:
                arcs.setdefault(path, {}).setdefault(f"{start}>{end}", set()).add(test)
        return _listed(lines), _listed(arcs)

    def _relative(self, file: str) -> str:
        path = Path(file).resolve()
        return path.relative_to(self.root).as_posix() if self.root in map(str, path.parents) else ""


def _rows(data: Any) -> list[tuple[str, str, int, int]]:
    """(file, context, line, next line) of everything that was measured.

    With one query on the tables that coverage documents (its "database schema"), because its methods would ask once per
    test; a version that keeps its connection elsewhere gives lines without what ran next.
    """
    query = (
        "select file.path, context.context, arc.fromno, arc.tono from arc"
        " join file on file.id = arc.file_id join context on context.id = arc.context_id"
    )
    try:
        with data._connect() as database:
            return list(database.con.execute(query))
    # The connection is not part of the documented interface.
    except Exception:
        return [
            (file, context, line, line)
            for file in data.measured_files()
            for line, contexts in data.contexts_by_lineno(file).items()
            for context in contexts
        ]


def _listed(found: dict[str, dict[str, set[int]]]) -> dict[str, dict[str, list[int]]]:
    return {path: {key: sorted(tests) for key, tests in rows.items()} for path, rows in found.items()}


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
