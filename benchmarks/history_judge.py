"""Is a change as good as the maintainers' fix? The later suite, and the same answers to calls like those of the tests.

Runs code of libraries as plain processes: only for libraries that you trust. Knows trees of files; knows nothing of
who made the change.

*Right*: the changed sources are the maintainers' syntax trees; or the change agrees with the fix on (a) the tests of
the newest commit whose tests still run against the fix's sources, and (b) inputs recorded from the tests and made from
those, for the functions that differ between the two, or, when the two differ in where they change something, for the
outermost functions through which the tests reach those. At least one input must show the bug, at least five count.
"""

import ast
import difflib
import json
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import karkhana.behaviour
from benchmarks.common import git
from benchmarks.mine_code import changed_lines, functions_at, outermost, plain
from benchmarks.mine_commits import is_collected, is_source, is_test
from benchmarks.mine_tickets import History, OfflineWorkspace, suite

PROBES = str(Path(karkhana.behaviour.__file__).parent / "probes")
_PROBE = str(Path(__file__).with_name("history_probe.py"))
_SUITE_S = 150.0
_INPUTS = 120
_FEWEST_INPUTS = 5
_MOST_FUNCTIONS = 12
_MOST_TEST_FILES = 12
Files = Mapping[str, bytes]
Place = tuple[str, str]


class Judge:
    """Judges changes against the fix of one ticket."""

    def __init__(self, history: History, git_dir: Path, ticket: Mapping[str, Any], python: Path) -> None:
        self._history = history
        self._git_dir = git_dir
        self._ticket = ticket
        self._python = python
        self._broken = history.broken(ticket)
        self._human = history.repaired(ticket)

    def verdict(self, changes: Mapping[str, bytes | None]) -> dict[str, Any]:
        """``changes``: path → bytes after the change (``None``: deleted), for each file that it touches."""
        ours = {path: data for path, data in (dict(self._broken) | dict(changes)).items() if data is not None}
        if any(is_test(path) for path in changes):
            return _no("changes tests")
        report = suite(ours, self._python, tuple(shlex.split(self._ticket["command"])), _SUITE_S)
        if not report.green:
            return {**_no("its own tests fail"), "passing": False}
        found: dict[str, Any] = {"passing": True}
        try:
            if same_code(ours, self._human):
                return found | {"right": True, "judged": "same code"}
        except (SyntaxError, ValueError):
            return found | _no("not comparable: no Python")
        commit, failing = self._later_suite(ours)
        found |= {"later_commit": commit, "later_failing": failing[:5]}
        if failing:
            return found | _no("later tests fail")
        return found | Trees(self._broken, self._human, ours, self._ticket["tests"], self._python).compare()

    def _later_suite(self, ours: Files) -> tuple[str, list[str]]:
        """The commit whose tests were used, and those that pass with the fix but not with ``ours``."""
        command = tuple(shlex.split(self._ticket["command"]))
        expected = len(suite(self._human, self._python, command, _SUITE_S).passed)
        sources = [Path(path).stem for path in self._ticket["sources"]]
        for commit in self._later_commits():
            tests = {path: data for path, data in self._history.files(commit).items() if is_test(path)}
            files = [path for path in self._ticket["tests"] if path in tests]
            files += [p for p, data in tests.items() if is_collected(p) and p not in files and _says(data, sources)]
            words = ("python", "-m", "pytest", *files[:_MOST_TEST_FILES])
            human = suite(_with_tests(self._human, tests), self._python, words, _SUITE_S)
            own = {name for name in human.passed if name.split("::")[0] in self._ticket["tests"]}
            if not files or human.exit_code not in (0, 1) or len(own) < expected / 2:
                continue
            passed = set(suite(_with_tests(ours, tests), self._python, words, _SUITE_S).passed)
            missing = sorted(set(human.passed) - passed)
            if missing:  # those that pass now and then must not decide
                again = set(suite(_with_tests(ours, tests), self._python, words, _SUITE_S).passed)
                still = set(suite(_with_tests(self._human, tests), self._python, words, _SUITE_S).passed)
                missing = [name for name in missing if name not in again and name in still]
            return commit, missing
        return self._ticket["fix"], []

    def _later_commits(self) -> list[str]:
        """Commits to take tests from, newest first: the last one, then ever nearer to the fix."""
        span = f"{self._ticket['fix']}..HEAD"
        later = git(self._git_dir, "log", "--format=%H", "--no-merges", span, "--", *self._ticket["tests"]).split()
        steps = [0, *(len(later) * (2**n - 1) // 2**n for n in range(1, 6))]
        return [later[n] for n in dict.fromkeys(steps) if n < len(later)]


def same_code(ours: Files, human: Files) -> bool:
    """Whether two trees' sources are the same but for comments, docstrings and layout."""
    paths = [path for path in {*ours, *human} if is_source(path) and ours.get(path) != human.get(path)]
    return all(path in ours and path in human for path in paths) and all(
        plain(ours[path].decode()) == plain(human[path].decode()) for path in paths
    )


def differing(one: Files, other: Files) -> list[Place]:
    """Functions whose code differs between two trees; for code outside of functions, all functions of the file."""
    found: dict[Place, None] = {}
    for path in sorted({*one, *other}):
        if one.get(path) == other.get(path) or not is_source(path):
            continue
        old, new = one.get(path, b"").decode(), other.get(path, b"").decode()
        removed, added = changed_lines(old, new)
        for text, lines in ((old, removed), (new, added)):
            names = functions_at(text, lines)
            names = [name for name, _ in outermost(ast.parse(text))] if "" in names else names
            found |= dict.fromkeys((path, name) for name in names)
    return list(found)


@dataclass(frozen=True)
class Trees:
    """The buggy tree, the maintainers' and ours; which tests call the functions, and the interpreter."""

    broken: Files
    human: Files
    ours: Files
    tests: Sequence[str]
    python: Path

    def compare(self) -> dict[str, Any]:
        """Whether the two repaired trees answer alike; see the module's own words."""
        places = differing(self.ours, self.human)
        same_place = set(differing(self.broken, self.ours)) == set(differing(self.broken, self.human))
        return self.compare_near(places, same_place=same_place)

    def compare_near(self, places: list[Place], *, same_place: bool) -> dict[str, Any]:
        """Compare at ``places``, or at the outermost functions that lead to them."""
        verdict = self._compare_at(places)
        if verdict["right"] or (same_place and verdict["differing"]):
            return verdict
        entries = self._ask("entries", places, self.human).get("entries", [])
        outer = [(path, name) for path, name in entries]
        if not outer or set(outer) == set(places):
            return verdict
        return {**self._compare_at(outer), "inner": verdict}

    def _compare_at(self, places: list[Place]) -> dict[str, Any]:
        human, ours, broken = (
            self._ask("answers", places, files).get("answers", {}) for files in (self.human, self.ours, self.broken)
        )
        counted, showing, differs = 0, 0, []
        for function, rows in human.items():
            mine, before = ({row[0]: row[3] for row in answers.get(function, ())} for answers in (ours, broken))
            meant = {_kind(row[3]) for row in rows if not row[2]}
            for key, preview, made, expected in rows:
                raised = expected[:1] == "!"
                # what the fix raises by accident on a made-up input says nothing about a right answer
                if key not in mine or expected[:1] == "~" or (made and raised and _kind(expected) not in meant):
                    continue
                counted += 1
                shows = before.get(key, expected) != expected
                showing += shows
                if not same_answer(expected, mine[key], before.get(key, "")):
                    differs.append([function, preview, expected[:120], mine[key][:120]])
        told = {"inputs": counted, "showing": showing, "differing": len(differs), "examples": differs[:3]}
        told["compared"] = ["::".join(place) for place in places][:_MOST_FUNCTIONS]
        if differs:
            return {**_no("answers differently"), **told}
        if counted < _FEWEST_INPUTS or not showing:
            return {**_no("not comparable: too few inputs, or none that shows the bug"), **told}
        return {"right": True, "judged": f"same answers to {counted} inputs", **told}

    def _ask(self, mode: str, places: list[Place], files: Files) -> dict[str, Any]:
        job = {
            "probes": PROBES,
            "pytest": [path for path in self.tests if path in files],
            "functions": places[: _MOST_FUNCTIONS * 4],
            "sources": [path for path in files if is_source(path)],
            "mode": mode,
            "count": _INPUTS,
            "seed": 20,
            "call_limit": 0.3,
            "seconds": 60.0,
        }
        # the plugin stands in for options of plugins that are not installed
        job["pytest"] += ["-p", "karkhana_report"]
        with (
            tempfile.TemporaryDirectory(prefix="history-") as scratch,
            OfflineWorkspace(dict(files), python=str(self.python)) as workspace,
        ):
            given, environ = json.dumps(job).encode(), {"KARKHANA_REPORT": scratch}
            done = workspace.run(("python", _PROBE), stdin=given, timeout_s=_SUITE_S * 2, env=environ)
        lines = done.stdout.splitlines()
        return json.loads(lines[-1]) if lines else {}


def same_answer(expected: str, found: str, before: str) -> bool:
    """Whether two outcomes are the same; the wording of an exception counts where the bug was in the wording.

    >>> same_answer("!ValueError: no", "!ValueError: not at all", "=1")
    True
    >>> same_answer("!ValueError: no", "!ValueError: yes", "!ValueError: yes")
    False
    """
    if expected[:1] != "!" or (_kind(before) == _kind(expected) and before != expected):
        return expected == found
    return _kind(expected) == _kind(found)


def _kind(outcome: str) -> str:
    return outcome.partition(":")[0] if outcome[:1] == "!" else outcome


def _with_tests(files: Files, tests: Files) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if not is_test(path)} | dict(tests)


def _says(data: bytes, words: list[str]) -> bool:
    return any(word.encode() in data for word in words if word != "__init__")


def _no(reason: str) -> dict[str, Any]:
    return {"right": False, "judged": reason}


def patch_between(before: Files, after: Files) -> str:
    """A unified diff for a person's eye."""
    parts = []
    for path in sorted({*before, *after}):
        old, new = before.get(path, b""), after.get(path, b"")
        if old != new:
            lines = (data.decode("utf-8", "replace").splitlines(keepends=True) for data in (old, new))
            parts += difflib.unified_diff(*lines, f"a/{path}", f"b/{path}", n=2)
    return "".join(parts)


def replay(files: Files, patch: str) -> dict[str, bytes | None]:
    """The files that a patch touches, as they are afterwards."""
    with OfflineWorkspace(dict(files)) as workspace:
        subprocess.run(["git", "apply", "-"], cwd=workspace.root, input=patch.encode(), check=True, capture_output=True)
        return {change.path: after for change, _, after in workspace.changes()}
