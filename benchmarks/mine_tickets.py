"""Makes a ticket of a commit by running its tests: on the parent with the commit's tests, and on the commit.

Runs code of libraries as plain processes, without a network where the system allows it: only for libraries that you
trust. Knows how a ticket is stored; knows nothing of repair.
"""

import functools
import json
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import virtual_environment
from benchmarks.mine_commits import CONFIGURATION, Commit, Nature, is_test, nature, ticket_text
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tools import CommandResult
from karkhana.git import Repository
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.testing import run_tests

Ticket = dict[str, Any]
SUITE_S = 60.0
"""Wall-clock seconds for the changed files of tests; slower ones are left out."""
_MOST_FAILING = 40
_MOST_FOREIGN = 12
_REGULAR = (0o100644, 0o100755)
_SHOWN = 3
_REPORT_LINES = 25


class OfflineWorkspace(TemporaryWorkspace):
    """A plain folder whose programs see no network, where the system allows that."""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult:
        return super().run((*_unshare(), *argv), stdin=stdin, timeout_s=timeout_s, env=env)


@functools.cache
def _unshare() -> tuple[str, ...]:
    # a new network has no loopback of its own until it is switched on, which servers in tests need
    words = ("unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh")
    try:
        done = subprocess.run([*words, "true"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return words if done.returncode == 0 else ()


def environment(library: str, data: Path) -> Path:
    """The interpreter with what the tests of a library import; made once."""
    packages = [*CONFIGURATION["packages"], *CONFIGURATION["library"].get(library, [])]
    return virtual_environment(data / "environments" / library.replace("/", "+"), *packages)


class History:
    """Files of one repository at its commits."""

    def __init__(self, repository: Path, library: str = "") -> None:
        self._generated: dict[str, str] = CONFIGURATION["generated"].get(library, {})
        self._repository = Repository(repository, repository, repository)

    def paths(self, commit: str) -> set[str]:
        return {path for path, (mode, _) in self._repository.files(commit).items() if mode in _REGULAR}

    def files(self, commit: str, paths: Iterable[str] | None = None) -> dict[str, bytes]:
        """Path → bytes of the plain files of a commit, or of those among ``paths`` that it has."""
        listed = self._repository.files(commit)
        wanted = {
            path: oid for path, (mode, oid) in listed.items() if mode in _REGULAR and (paths is None or path in paths)
        }
        blobs = self._repository.read_blobs(list(wanted.values()))
        return {path: blobs[oid] for path, oid in wanted.items()}

    def texts(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        return {path: data.decode("utf-8", "replace") for path, data in self.files(commit, set(paths)).items()}

    def broken(self, ticket: Mapping[str, Any]) -> dict[str, bytes]:
        """The parent's files with the fix's tests: what a ticket starts from."""
        files = _overlaid(self.files(ticket["parent"]), self.files(ticket["fix"]), is_test)
        for path, text in self._generated.items():
            if f"{path.rpartition('/')[0]}/__init__.py" in files:
                files.setdefault(path, f"{text}\n".encode())
        return files

    def repaired(self, ticket: Mapping[str, Any]) -> dict[str, bytes]:
        """The same with the maintainers' sources."""
        sources = set(ticket["sources"])
        return _overlaid(self.broken(ticket), self.files(ticket["fix"], sources), sources.__contains__)

    def nature(self, commit: Commit) -> Nature | str:
        tests_before, tests_after = (self.texts(c, commit.tests) for c in (commit.parent, commit.fix))
        return nature(
            commit,
            self.texts(commit.parent, commit.sources),
            self.texts(commit.fix, commit.sources),
            {path: (tests_before.get(path, ""), text) for path, text in tests_after.items()},
        )


def _overlaid(files: Mapping[str, bytes], others: Mapping[str, bytes], chosen: Any) -> dict[str, bytes]:
    """``files``, but those that are ``chosen`` as ``others`` has them (or has them not)."""
    kept = {path: data for path, data in files.items() if not chosen(path)}
    return kept | {path: data for path, data in others.items() if chosen(path)}


def suite(files: Mapping[str, bytes], python: Path, command: tuple[str, ...], timeout_s: float = SUITE_S) -> TestReport:
    """What the tests say about a tree."""
    with OfflineWorkspace(dict(files), python=str(python)) as workspace:
        return run_tests(workspace, command, timeout_s=timeout_s)


def make(history: History, library: str, commit: Commit, found: Nature, python: Path) -> Ticket | str:
    """The ticket of a commit, or a word for why there is none."""
    present = history.paths(commit.fix)
    tests = [path for path in commit.tests if path in present]
    if not tests:
        return "tests deleted"
    command = ("python", "-m", "pytest", *tests)
    base: Ticket = {"parent": commit.parent, "fix": commit.fix, "sources": list(commit.sources)}
    before = suite(history.broken(base), python, command)
    if before.timed_out or before.green or before.exit_code not in (0, 1):
        return "too slow" if before.timed_out else "passes before" if before.green else "cannot be collected"
    after = suite(history.repaired(base), python, command)
    foreign = after.failing
    if after.timed_out or after.exit_code not in (0, 1) or len(foreign) > _MOST_FOREIGN:
        return "too slow" if after.timed_out else "fails after"
    # tests that fail with the fix as well do not run here today: they are no part of the ticket's suite
    command += tuple(word for name in foreign for word in ("--deselect", name))
    broken = (Outcome.FAILED, Outcome.ERROR)
    shown = [r for r in before.results if r.outcome in broken and r.name not in foreign]
    failing = [result.name for result in shown]
    if not failing:
        return "fails after"
    if not set(failing) <= set(after.passed) or len(failing) > _MOST_FAILING:
        return "other failures before"
    return {
        "library": library,
        **base,
        "date": commit.date,
        "ticket": ticket_text(commit.message),
        "report": report_text(shown),
        "failing": failing,
        "command": shlex.join(command),
        "tests": tests,
        "changed_lines": found.lines,
        "kind": found.kind,
        "functions": list(found.functions),
        "called_fix": commit.calls_itself_a_fix,
        "suite_s": round(after.duration_s, 2),
    }


def report_text(failing: list[TestResult]) -> str:
    """What somebody who only saw the tests fail would write."""
    names = [result.name for result in failing]
    head = f"{names[0]} fails" if len(names) == 1 else f"{len(names)} tests fail, among them {names[0]}"
    parts = [head]
    for result in failing[:_SHOWN]:
        told = [line for line in result.traceback.splitlines() if re.match(r"E\s|>\s|\S+:\d+: ", line)]
        parts.append("\n".join([result.name, *(told or result.message.splitlines())[-_REPORT_LINES:]]))
    return "\n\n".join(parts)[:6000]


def place(folder: Path, ticket: Mapping[str, Any]) -> Path:
    """Where a ticket is stored."""
    return folder / ticket["half"] / f"{ticket['library'].replace('/', '+')}-{ticket['fix'][:12]}.json"


def store(folder: Path, ticket: Ticket) -> None:
    path = place(folder, ticket)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(ticket, indent=1))


def load(folder: Path, half: str) -> list[Ticket]:
    """The stored tickets of one half, by library and date."""
    found = [json.loads(path.read_text()) for path in sorted((folder / half).glob("*.json"))]
    return sorted(found, key=lambda ticket: (ticket["library"], ticket["date"], ticket["fix"]))


def halves(tickets: list[Ticket]) -> list[Ticket]:
    """One library's tickets with their half: the older ones are for developing, the newer ones blind."""
    ordered = sorted(tickets, key=lambda ticket: (ticket["date"], ticket["fix"]))
    older = (len(ordered) + 1) // 2
    return [{**t, "half": "develop" if n < older else "blind"} for n, t in enumerate(ordered)]
