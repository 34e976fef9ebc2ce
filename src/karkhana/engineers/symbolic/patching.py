"""From edits of a function's text to exact replacements in a file, and to patches. Knows text only."""

import difflib
import re
from collections.abc import Iterable

from karkhana.behaviour.validation import Edit, apply


def changed_lines(text: str, edits: Iterable[Edit]) -> tuple[list[str], list[str]]:
    """The lines that differ, before and after: one run of whole lines."""
    old, new = text.splitlines(keepends=True), apply(text, edits).splitlines(keepends=True)
    start, end = _common(old, new)
    return old[start : len(old) - end], new[start : len(new) - end]


def line_before(text: str, edits: Iterable[Edit]) -> str:
    """The line above the first that differs; empty at the top."""
    old, new = text.splitlines(keepends=True), apply(text, edits).splitlines(keepends=True)
    start, _ = _common(old, new)
    return old[start - 1] if start else ""


def whole_file(file_text: str, first_line: int, text: str, edits: Iterable[Edit]) -> str:
    """``file_text`` with ``edits`` to its part ``text``, which starts on line ``first_line``, carried out."""
    lines = file_text.splitlines(keepends=True)
    behind = lines[first_line - 1 + len(text.splitlines()) :]
    return "".join([*lines[: first_line - 1], apply(text, edits), *behind])


def replacement(file_text: str, first_line: int, text: str, edits: Iterable[Edit]) -> tuple[str, str]:
    """``(old, new)`` for ``edit_file``: the changed lines with as many around them as make ``old`` unique.

    ``text`` is the part of ``file_text`` that starts on line ``first_line`` and that ``edits`` are about.
    """
    lines = file_text.splitlines(keepends=True)
    new_lines = whole_file(file_text, first_line, text, edits).splitlines(keepends=True)
    start, end = _common(lines, new_lines)
    while True:
        old = "".join(lines[start : len(lines) - end])
        if old and file_text.count(old) == 1:
            return old, "".join(new_lines[start : len(new_lines) - end])
        if start == 0 and end == 0:
            return file_text, "".join(new_lines)
        start, end = max(0, start - 1), max(0, end - 1)


def patch(path: str, before: str, after: str) -> str:
    """A unified diff that ``git apply`` takes.

    >>> print(patch("m.py", "a\\nb\\n", "a\\nc\\n"), end="")
    --- a/m.py
    +++ b/m.py
    @@ -1,2 +1,2 @@
     a
    -b
    +c
    """
    lines = difflib.unified_diff(_lines(before), _lines(after), fromfile=f"a/{path}", tofile=f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    """Lines as git sees them: only a line feed ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _common(old: list[str], new: list[str]) -> tuple[int, int]:
    """How many items are the same at the start, and at the end."""
    least = min(len(old), len(new))
    start = 0
    while start < least and old[start] == new[start]:
        start += 1
    end = 0
    while end < least - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return start, end
