"""From edits of a function's text to exact replacements in a file. Knows text only."""

from collections.abc import Iterable

from karkhana.behaviour.validation import Edit, apply


def changed_lines(text: str, edits: Iterable[Edit]) -> tuple[list[str], list[str]]:
    """The lines that differ, before and after: one run of whole lines."""
    old, new = text.splitlines(keepends=True), apply(text, edits).splitlines(keepends=True)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return old[start : len(old) - end], new[start : len(new) - end]


def replacement(file_text: str, first_line: int, text: str, edits: Iterable[Edit]) -> tuple[str, str]:
    """``(old, new)`` for ``edit_file``: the changed lines with as many around them as make ``old`` unique.

    ``text`` is the part of ``file_text`` that starts on line ``first_line`` and that ``edits`` are about.
    """
    lines = file_text.splitlines(keepends=True)
    after = apply(text, edits)
    new_lines = [
        *lines[: first_line - 1],
        *after.splitlines(keepends=True),
        *lines[first_line - 1 + len(text.splitlines()) :],
    ]
    start = 0
    while start < min(len(lines), len(new_lines)) and lines[start] == new_lines[start]:
        start += 1
    end = 0
    while end < min(len(lines), len(new_lines)) - start and lines[-1 - end] == new_lines[-1 - end]:
        end += 1
    while True:
        old = "".join(lines[start : len(lines) - end])
        if old and file_text.count(old) == 1:
            return old, "".join(new_lines[start : len(new_lines) - end])
        if start == 0 and end == 0:
            return file_text, "".join(new_lines)
        start, end = max(0, start - 1), max(0, end - 1)
