"""Which commits of a repository look like a fix that came with its test. Reads history, runs nothing.

Knows paths, messages and texts; whether the tests really fail before and pass after is measured in
:mod:`benchmarks.mine_tickets`.
"""

import random
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import git
from benchmarks.mine_code import changed_lines, functions_at, introduced, kind_of, plain

MOST_LINES = 25
MOST_SOURCES = 3
_MOST_RAW_LINES = 150
"""Changed lines of source with comments and docstrings; more is not looked at."""
_MOST_TESTS = 6
_TRAILER = re.compile(
    r"^(signed-off-by|co-authored-by|change-id|reviewed-by|cherry[ -]picked|git-svn-id|backport)\b", re.I
)
_URL = re.compile(r"\(?<?\bhttps?://\S+")
_LOG = ("-c", "core.quotepath=off", "log", "--no-merges", "--no-renames", "--numstat")

CONFIGURATION: dict[str, Any] = tomllib.loads(Path(__file__).with_name("mine.toml").read_text())


@dataclass(frozen=True)
class Commit:
    """One commit that may be a ticket."""

    fix: str
    parent: str
    date: str
    message: str
    tests: tuple[str, ...]
    """Changed files of tests that pytest collects."""
    helpers: tuple[str, ...]
    """Other changed files below folders of tests."""
    sources: tuple[str, ...]

    @property
    def calls_itself_a_fix(self) -> bool:
        return bool(re.search(CONFIGURATION["fix_words"], self.message, re.I))

    @property
    def calls_itself_something_else(self) -> bool:
        return bool(re.search(CONFIGURATION["feature_words"], self.message.split("\n")[0], re.I))


@dataclass(frozen=True)
class Nature:
    """What the source part of a commit is."""

    lines: int
    """Lines of code, added and removed, in all sources."""
    kind: str
    functions: tuple[str, ...]
    """``path::Class.function`` of what it touches; ``path::`` for code outside of functions."""


def is_test(path: str) -> bool:
    """Whether a file belongs to tests: in a folder of tests, or named like one."""
    *folders, name = path.split("/")
    return (
        any(folder in CONFIGURATION["test_folders"] for folder in folders)
        or name == "conftest.py"
        or bool(re.fullmatch(r"test_\w+\.py|\w+_tests?\.py|tests?\.py", name))
    )


def is_collected(path: str) -> bool:
    """Whether pytest looks for tests in a file by itself."""
    name = path.rsplit("/", 1)[-1]
    return is_test(path) and bool(re.fullmatch(r"test_\w+\.py|\w+_test\.py|tests?\.py", name))


def is_source(path: str) -> bool:
    """Whether a file is code of the product."""
    *folders, name = path.split("/")
    return (
        name.endswith(".py")
        and not is_test(path)
        and name not in CONFIGURATION["other_files"]
        and not any(folder in CONFIGURATION["other_folders"] for folder in folders)
    )


def candidates(repository: Path, since: str) -> Iterator[Commit]:
    """Commits since a date that change tests and one to three sources, newest first; merges left out."""
    return _commits(repository, f"--since={since}", "HEAD")


def commit_of(repository: Path, fix: str) -> Commit | None:
    """One commit by its name, if it may be a ticket."""
    return next(_commits(repository, "--max-count=1", fix), None)


def _commits(repository: Path, *words: str) -> Iterator[Commit]:
    form = "--format=%x01%H%x00%P%x00%cs%x00%B%x02"
    log = git(repository, *_LOG, form, *words)
    for record in log.split("\x01")[1:]:
        head, _, stats = record.partition("\x02")
        fix, parents, date, message = head.split("\0", 3)
        commit = _commit(fix, parents.split(), date, message, stats)
        if commit is not None:
            yield commit


def _commit(fix: str, parents: list[str], date: str, message: str, stats: str) -> Commit | None:
    rows = [line.split("\t") for line in stats.splitlines() if line.count("\t") == 2]
    paths = [path for _, _, path in rows]
    sources = [path for path in paths if is_source(path)]
    tests = [path for path in paths if is_collected(path)]
    if len(parents) != 1 or not tests or len(tests) > _MOST_TESTS or not 1 <= len(sources) <= MOST_SOURCES:
        return None
    if sum(int(a) + int(b) for a, b, path in rows if path in sources and a != "-") > _MOST_RAW_LINES:
        return None
    helpers = [path for path in paths if is_test(path) and path not in tests]
    return Commit(fix, parents[0], date, message.strip(), tuple(tests), tuple(helpers), tuple(sources))


def in_order(commits: Iterator[Commit], seed: str) -> list[Commit]:
    """What calls itself a fix first; within that by lot, so that no year is preferred."""
    drawn = sorted(commits, key=lambda commit: commit.fix)
    random.Random(seed).shuffle(drawn)
    return sorted(drawn, key=lambda c: (not c.calls_itself_a_fix, c.calls_itself_something_else))


def nature(
    commit: Commit, before: Mapping[str, str], after: Mapping[str, str], tests: Mapping[str, tuple[str, str]]
) -> Nature | str:
    """What the sources' change is, or a word for why the commit is no ticket.

    ``before`` and ``after``: path → text of the sources; ``tests``: path → texts of the changed tests.
    """
    if before.keys() != after.keys():
        return "adds or removes a source file"
    try:
        if all(plain(before[p], annotations=False) == plain(after[p], annotations=False) for p in before):
            return "no change of code"
        lines = {path: changed_lines(before[path], after[path]) for path in before}
        count = sum(len(removed) + len(added) for removed, added in lines.values())
        if not 1 <= count <= MOST_LINES:
            return "too many lines"
        if _is_feature(commit, before, after, tests):
            return "feature"
        changed = [path for path in before if plain(before[path]) != plain(after[path])]
        kinds = [kind_of(before[path], after[path]) for path in changed]
        functions = [
            f"{path}::{name}"
            for path in changed
            for name in dict.fromkeys(
                [*functions_at(before[path], lines[path][0]), *functions_at(after[path], lines[path][1])]
            )
        ]
    except (SyntaxError, ValueError, RecursionError):
        return "not Python of today"
    return Nature(count, kinds[0] if len(kinds) == 1 else "several files", tuple(functions))


def _is_feature(
    commit: Commit, before: Mapping[str, str], after: Mapping[str, str], tests: Mapping[str, tuple[str, str]]
) -> bool:
    if commit.calls_itself_a_fix:
        return False
    if commit.calls_itself_something_else:
        return True
    names = {name for path in before for name in introduced(before[path], after[path])}
    said: set[str] = set()
    for old, new in tests.values():
        said |= set(re.findall(r"\w+", new)) - set(re.findall(r"\w+", old))
    return bool(names & said)


def ticket_text(message: str) -> str:
    """A commit's message as a ticket: without trailers and addresses."""
    kept = [line for line in message.splitlines() if not _TRAILER.match(line.strip())]
    return _URL.sub("", "\n".join(kept)).strip()[:4000]
