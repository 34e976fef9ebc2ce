"""What an agent did in a recorded run, in words that our tools can carry out. Pure data and pure functions.

Only what took effect is a step that changes something: an edit that the recorder itself refused is none.

>>> Splice(path="a.py", first=2, last=2, text="two\\n").applied("1\\n2\\n3\\n")
'1\\ntwo\\n3\\n'
"""

import ast
import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from karkhana.domain.tools import ToolCall


class Unreadable(Exception):
    """A recording, or a step of one, that cannot be understood; the message says why."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all steps."""


class Look(Step, frozen=True, kw_only=True):
    """Something was read or searched; nothing changes."""

    call: ToolCall[Any]


class Shell(Step, frozen=True, kw_only=True):
    """A command line, for bash."""

    command: str
    folder: str = ""
    """Where, relative to the repository's root."""


class Change(Step, frozen=True, kw_only=True):
    """A file's text becomes another text."""

    path: str

    def applied(self, text: str) -> str:
        """The new text. ``text`` is empty when there is no such file. Raises :class:`Unreadable`."""
        raise Unreadable(f"{type(self).__name__} does not say what it changes")


class Put(Change, frozen=True, kw_only=True):
    """The whole file."""

    content: str

    def applied(self, text: str) -> str:
        return self.content


class Splice(Change, frozen=True, kw_only=True):
    """Lines ``first`` to ``last`` (from 1, both included) are replaced, and the last line of the file is ended."""

    first: int
    last: int
    text: str

    def applied(self, text: str) -> str:
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        return "".join(f"{line}\n" for line in lines[: self.first - 1]) + self.text + _ended(lines[self.last :])


class Insert(Change, frozen=True, kw_only=True):
    """Text after a line (0: at the beginning; ``None``: at the end)."""

    after: int | None
    text: str

    def applied(self, text: str) -> str:
        lines = text.split("\n")
        place = len(lines) if self.after is None else self.after
        if not 0 <= place <= len(lines):
            raise Unreadable(f"{self.path} has no line {place}")
        return "\n".join([*lines[:place], *self.text.split("\n"), *lines[place:]])


class Swap(Change, frozen=True, kw_only=True):
    """One text is replaced by another; ``everywhere``, or where it stands only once."""

    old: str
    new: str
    everywhere: bool = False

    def applied(self, text: str) -> str:
        count = text.count(self.old) if self.old else 0
        if count == 0 or (count > 1 and not self.everywhere):
            raise Unreadable(f"the text to replace occurs {count} times in {self.path}")
        return text.replace(self.old, self.new)


class Rewrite(Change, frozen=True, kw_only=True):
    """Lines that agree with ``old``, whatever their indentation, are replaced by ``new`` with theirs.

    Tried first: all lines of ``new`` are off by as much as the first line of ``old``; then: only the first one is.
    """

    old: str
    new: str

    def applied(self, text: str) -> str:
        # Not splitlines: a form feed ends no line.
        lines = [f"{line}\n" for line in text.split("\n")]
        lines[-1] = lines[-1].removesuffix("\n")
        wanted = self.old.split("\n")
        at = _window([line.strip() for line in lines], [line.strip() for line in wanted])
        if at is None:
            raise Unreadable(f"the lines to replace do not occur in {self.path}")
        off = _indentation(lines[at]) - _indentation(wanted[0])
        moved = [_moved(line, off) for line in self.new.split("\n")]
        for new in (moved, [moved[0], *self.new.split("\n")[1:]]):
            made = "".join([*lines[:at], *(f"{line}\n" for line in new), *lines[at + len(wanted) :]])
            if not self.path.endswith(".py") or _parses(made):
                return made
        raise Unreadable(f"{self.path} would be no Python any more")


class Submit(Step, frozen=True, kw_only=True):
    """The change was handed over."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One run of another agent."""

    name: str
    format: str
    """Which recorder wrote it, e.g. ``swe-agent``."""
    steps: tuple[Step, ...]
    submitted: str = ""
    """The patch that was handed over; empty: none."""
    task: str = ""
    """E.g. ``psf__requests-1963``; empty when it is not known."""
    commit: str = ""
    """The base commit; empty when the recording does not say."""
    shown: dict[str, str] = {}
    """Path → content of files that the recording shows whole, before any change."""


def same_patch(one: str, other: str) -> bool:
    """Whether two patches change the same lines of the same files in the same way.

    What may differ: the order of files, ``index`` lines, a hunk's heading, and CRLF that a terminal made of LF.

    >>> one = "diff --git a/x b/x\\nindex 1..2\\n@@ -1 +1 @@ def f\\n-a\\n+b"
    >>> same_patch(one, "diff --git a/x b/x\\n@@ -1 +1 @@\\n-a\\n+b")
    True
    """
    return _sections(one) == _sections(other)


def without(patch: str, paths: Collection[str]) -> str:
    """The patch without what it does to some files."""
    starts = tuple(f"diff --git a/{path} b/{path}\n" for path in paths)
    return "".join(part for part in _parts(patch) if not part.startswith(starts))


def _parts(patch: str) -> list[str]:
    if "\r\n" in patch and patch.count("\r\n") >= patch.count("\n") - 1:
        patch = patch.replace("\r\n", "\n")
    return re.split(r"^(?=diff --git )", patch, flags=re.MULTILINE)


def _sections(patch: str) -> list[str]:
    return sorted("\n".join(_plain(part)) for part in _parts(patch) if part.startswith("diff --git "))


def _plain(section: str) -> Iterator[str]:
    for line in section.rstrip("\n").split("\n"):
        if not line.startswith("index "):
            yield re.sub(r"^(@@ [-+, 0-9]+ @@).*", r"\1", line)


def _ended(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _window(lines: list[str], wanted: list[str]) -> int | None:
    spots = range(len(lines) - len(wanted) + 1)
    return next((at for at in spots if lines[at : at + len(wanted)] == wanted), None)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _moved(line: str, off: int) -> str:
    return " " * off + line if off >= 0 else line[-off:]


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True
