"""List and search a workspace's files from within its sandbox.

The work is done by a small program inside, so a catastrophic pattern, a million files or a symbolic link hurt
nobody but the sandbox; here the job is validated and the answer is bounded. Knows nothing of who asks.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.domain.tools import Match
from karkhana.ports import Workspace

TIME_LIMIT_S = 20.0
PATTERN_MAX = 2_000
LIMIT_MAX = 10_000
LINE_MAX = 500
"""Characters of a matching line that are shown."""
FILE_MAX = 4 << 20
"""Bytes; larger files are not searched."""

Job: TypeAlias = dict[str, str | int]
"""What is looked for, as the program inside takes it."""
Answer: TypeAlias = dict[str, Any]
Ask: TypeAlias = Callable[[Job], Answer]

_PROGRAM = (Path(__file__).parent / "inside" / "find.py").read_text(encoding="utf-8")


def find_files(workspace: Workspace, glob: str = "**", limit: int = 2000) -> tuple[tuple[str, ...], bool]:
    """As :func:`files_found`, asked alone."""
    return files_found(lambda job: ask(workspace, job), glob, limit)


def find_lines(workspace: Workspace, pattern: str, glob: str, limit: int) -> tuple[tuple[Match, ...], bool]:
    """As :func:`lines_found`, asked alone."""
    return lines_found(lambda job: ask(workspace, job), pattern, glob, limit)


def files_found(ask: Ask, glob: str, limit: int) -> tuple[tuple[str, ...], bool]:
    """Paths that match ``glob``, sorted, at most ``limit``; and whether there are more.

    ``*`` and ``?`` stay within a name, ``**`` goes through folders; a pattern without ``/`` matches the file's name
    in any folder. Git's own folder and caches of bytecode are left out.
    """
    answer = ask(files_job(glob, limit))
    return tuple(answer["paths"]), bool(answer["truncated"])


def lines_found(ask: Ask, pattern: str, glob: str, limit: int) -> tuple[tuple[Match, ...], bool]:
    """Lines that match ``pattern`` in text files that match ``glob``, sorted by path and line."""
    answer = ask(lines_job(pattern, glob, limit))
    matches = tuple(Match(str(path), int(line), str(text)) for path, line, text in answer["matches"])
    return matches, bool(answer["truncated"])


def files_job(glob: str, limit: int) -> Job:
    """Raises ``ToolRefused`` for a glob or a limit that makes no sense."""
    return {"name": glob_pattern(glob), "limit": _bounded(limit)}


def lines_job(pattern: str, glob: str, limit: int) -> Job:
    """Raises ``ToolRefused`` for a pattern, a glob or a limit that makes no sense."""
    if len(pattern) > PATTERN_MAX:
        raise ToolRefused(f"the pattern has {len(pattern)} characters", f"use at most {PATTERN_MAX}")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ToolRefused(f"{pattern!r} is no regular expression: {error}", "escape special characters") from error
    return {
        "name": glob_pattern(glob),
        "limit": _bounded(limit),
        "pattern": pattern,
        "line_max": LINE_MAX,
        "file_max": FILE_MAX,
    }


def glob_pattern(glob: str) -> str:
    """A glob as a regular expression for whole paths.

    >>> [bool(re.fullmatch(glob_pattern(glob), "src/a/b.py")) for glob in ("src/**/*.py", "*.py", "src/*.py")]
    [True, True, False]
    """
    if len(glob) > 500 or "\0" in glob or glob.startswith("/") or ".." in glob.split("/"):
        raise ToolRefused(f"{glob[:100]!r} is no glob within the workspace", "use one like src/**/*.py")
    glob = glob.removeprefix("./")
    if "/" not in glob and glob != "**":
        glob = "**/" + glob
    out = ""
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\[!?[^]/]+\]|.", glob, re.DOTALL):
        simple = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part)
        if simple is None and len(part) > 1:
            inner = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            simple = f"[^/{inner[1:]}]" if inner.startswith("!") else f"[{inner.replace('^', chr(92) + '^')}]"
        out += simple or re.escape(part)
    try:
        re.compile(out)
    except re.error as error:
        raise ToolRefused(f"{glob!r} is no valid glob: {error}", "use one like src/**/*.py") from error
    return out


def _bounded(limit: int) -> int:
    if not 1 <= limit <= LIMIT_MAX:
        raise ToolRefused(f"limit {limit} is out of range", f"use 1 to {LIMIT_MAX}")
    return limit


def ask(workspace: Workspace, job: Job) -> Answer:
    """Look for one thing. Raises ``ToolRefused`` when that takes too long."""
    written = run(workspace, job)
    try:
        answer = json.loads(written)
    except ValueError as error:
        raise InfrastructureFailure("listing files in the sandbox gave no answer") from error
    if not isinstance(answer, dict):
        raise InfrastructureFailure("listing files in the sandbox gave no answer")
    return answer


def run(workspace: Workspace, jobs: Job | list[Job]) -> bytes:
    """What the program inside answers to one job, or to several. Raises ``ToolRefused`` when it takes too long."""
    argv = ("python", "-I", "-S", "-c", _PROGRAM)
    done = workspace.run(argv, stdin=json.dumps(jobs).encode(), timeout_s=TIME_LIMIT_S)
    if done.timed_out:
        raise ToolRefused(
            f"the search took longer than {TIME_LIMIT_S:.0f} s", "use a simpler pattern or a narrower glob"
        )
    if done.exit_code != 0 or not done.stdout:
        detail = done.stderr.decode("utf-8", "replace")[-300:].strip()
        raise InfrastructureFailure(f"listing files in the sandbox failed: {detail}")
    return done.stdout
