"""The tool interface: the only way an engineer, model or symbolic, touches a workspace.

Each tool is a frozen struct tagged with its name, so a call is typed, validated and logged as data:

>>> from karkhana.domain.json import canonical
>>> canonical(ReadFile(path="cart.py"))
b'{"end":null,"path":"cart.py","start":1,"tool":"read_file"}'
"""

from typing import Generic, TypeVar

import msgspec

from karkhana.domain.suites import TestReport

R_co = TypeVar("R_co", covariant=True)


class ListFilesResult(msgspec.Struct, frozen=True):
    paths: tuple[str, ...]
    truncated: bool = False


class FileText(msgspec.Struct, frozen=True):
    text: str
    total_lines: int
    truncated: bool = False


class Match(msgspec.Struct, frozen=True):
    path: str
    line: int
    text: str


class SearchResult(msgspec.Struct, frozen=True):
    matches: tuple[Match, ...]
    truncated: bool = False


class EditResult(msgspec.Struct, frozen=True):
    path: str
    diff: str
    """Unified diff of this one edit."""


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a command in the sandbox did."""

    exit_code: int
    """As in a shell: 128 + signal when a signal ended it."""
    stdout: bytes
    stderr: bytes
    duration_s: float
    cpu_s: float = 0.0
    """User and system CPU seconds of the command and its waited-for children."""
    timed_out: bool = False
    truncated: bool = False
    """Output past the limit was thrown away."""
    changed: tuple[str, ...] = ()
    """Paths of the workspace that it changed for good; only the toolbox knows."""


class DiffResult(msgspec.Struct, frozen=True):
    patch: str
    paths: tuple[str, ...]


class ForeignResult(msgspec.Struct, frozen=True):
    """What a tool of the user's own answered."""

    text: str
    failed: bool = False
    """As the tool says."""


class PushResult(msgspec.Struct, frozen=True):
    """The engineer's hand-over was taken; the factory decides what happens to it."""

    accepted: bool


class ToolCall(msgspec.Struct, Generic[R_co], frozen=True, kw_only=True, tag_field="tool"):
    """Base of all tool calls; the type argument is what the call returns."""


class ListFiles(ToolCall[ListFilesResult], frozen=True, kw_only=True, tag="list_files"):
    """Paths of the workspace's files, sorted."""

    glob: str = "**"
    """``*`` and ``?`` stay within a name, ``**`` goes through folders; without ``/`` it matches names anywhere."""
    limit: int = 2000


class ReadFile(ToolCall[FileText], frozen=True, kw_only=True, tag="read_file"):
    """Lines ``start`` to ``end`` (1-based, inclusive; ``None`` is the last) of a UTF-8 text file."""

    path: str
    start: int = 1
    end: int | None = None


class Search(ToolCall[SearchResult], frozen=True, kw_only=True, tag="search"):
    """Lines of text files that match a regular expression (Python syntax)."""

    pattern: str
    glob: str = "**"
    """Which files to look into, as for ``list_files``."""
    limit: int = 200


class EditFile(ToolCall[EditResult], frozen=True, kw_only=True, tag="edit_file"):
    """Replace ``old``, which must occur exactly once, by ``new``.

    Refused when it would leave new syntax errors or undefined names in a Python file.
    """

    path: str
    old: str
    new: str


class WriteFile(ToolCall[EditResult], frozen=True, kw_only=True, tag="write_file"):
    """Create a file or replace the whole of one."""

    path: str
    content: str


class RunTests(ToolCall[TestReport], frozen=True, kw_only=True, tag="run_tests"):
    """Run the whole suite, or only the named tests. What they change in the workspace is undone."""

    tests: tuple[str, ...] = ()
    """Names as reports give them."""
    timeout_s: float | None = None


class RunCommand(ToolCall[CommandResult], frozen=True, kw_only=True, tag="run_command"):
    """Run a program in the sandbox, in the workspace's root, without a network."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    timeout_s: float | None = None
    discard: bool = False
    """Undo what the program changed in the workspace."""


class ReviewDiff(ToolCall[DiffResult], frozen=True, kw_only=True, tag="review_diff"):
    """The whole difference from the base commit."""


class CallForeign(ToolCall[ForeignResult], frozen=True, kw_only=True, tag="call_foreign"):
    """A tool of the user's own, which a server of the Model Context Protocol offers."""

    server: str
    name: str
    arguments: str
    """A JSON object."""


class PushChanges(ToolCall[PushResult], frozen=True, kw_only=True, tag="push_changes"):
    """Hand the change over; ends the engineer's work."""

    title: str
    summary: str


AnyToolCall = (
    ListFiles
    | ReadFile
    | Search
    | EditFile
    | WriteFile
    | RunTests
    | RunCommand
    | ReviewDiff
    | CallForeign
    | PushChanges
)
"""Decode a call of unknown kind with ``msgspec.convert(data, type=AnyToolCall)``."""
