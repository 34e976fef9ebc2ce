"""When a text is not found in a file: say where something like it stands, and what differs. Pure and bounded.

>>> print(describe_miss("def f():\\n    return 1\\n", "def f():\\n  return 1"))
it is there with other white space, at lines 1-2:
1|def f():
2|    return 1
"""

import difflib
import re

LINES_MAX = 20_000
SHOWN_MAX = 12
_COMPARED = 400  # characters of a line that are compared
_FINALISTS = 8


def line_numbers(text: str, part: str, most: int = 20) -> list[int]:
    """1-based lines at which ``part`` begins, overlapping ones included; at most ``most``."""
    found: list[int] = []
    at = text.find(part)
    while at >= 0 and len(found) < most:
        found.append(text.count("\n", 0, at) + 1)
        at = text.find(part, at + 1)
    return found


def describe_miss(text: str, wanted: str) -> str:
    """The lines of ``text`` that are most like ``wanted``, with what is different about them."""
    lines, goal = text.split("\n")[:LINES_MAX], wanted.strip("\n").split("\n")
    if not text.strip():
        return "the file is empty"
    if place := _same_but_for_space(lines, goal):
        return f"it is there with other white space, at lines {place[0]}-{place[1]}:\n" + _show(lines, *place)
    best = _most_alike(lines, goal)
    if best is None:
        return "nothing in the file is like it; read the file first"
    return f"the nearest lines are {best[0]}-{best[1]}:\n" + _show(lines, *best)


def moved_edit(text: str, old: str, new: str) -> tuple[str, str] | None:
    """An edit whose lines stand in the text once, all moved by one indentation: as they stand, and ``new`` moved alike.

    White space at the ends of lines does not count. ``None`` if there is no such place, or if it is not the only one.

    >>> moved_edit("def f():\\n    x = 1\\n    return x\\n", "x = 1 \\nreturn x", "return 1")
    ('    x = 1\\n    return x', '    return 1')
    """
    lines, goal = text.split("\n")[:LINES_MAX], old.strip("\n").split("\n")
    wanted = [line.strip() for line in goal]
    if not any(wanted) or "\r" in text:
        return None
    last = len(lines) - len(goal) + 1
    places = [i for i in range(last) if all(lines[i + k].strip() == line for k, line in enumerate(wanted))]
    if len(places) != 1:
        return None
    found = lines[places[0] : places[0] + len(goal)]
    shifts = {_shift(before, after) for before, after in zip(goal, found, strict=True) if before.strip()}
    shift = shifts.pop()
    if shifts or shift is None:
        return None
    less, more = shift
    moved = [line if not line.strip() else more + line.removeprefix(less) for line in new.strip("\n").split("\n")]
    if any(line.strip() and not line.startswith(less) for line in new.split("\n")):
        return None
    return "\n".join(found), "\n".join(moved)


def _shift(before: str, after: str) -> tuple[str, str] | None:
    """The indentation that a line lost and the one that it got, one of them empty; ``None`` if they differ in kind."""
    was, now = (line[: len(line) - len(line.lstrip())] for line in (before, after))
    if was.startswith(now):
        return was.removesuffix(now) if now else was, ""
    return ("", now.removesuffix(was) if was else now) if now.startswith(was) else None


def _same_but_for_space(lines: list[str], goal: list[str]) -> tuple[int, int] | None:
    squeezed = [_squeeze(line) for line in lines]
    wanted = [_squeeze(line) for line in goal]
    if not any(wanted):
        return None
    for start in range(len(squeezed) - len(wanted) + 1):
        if squeezed[start] == wanted[0] and squeezed[start : start + len(wanted)] == wanted:
            return start + 1, start + len(wanted)
    if len(wanted) == 1:
        for number, line in enumerate(squeezed, 1):
            if wanted[0] in line:
                return number, number
    return None


def _squeeze(line: str) -> str:
    return re.sub(r"\s+", "", line)


def _most_alike(lines: list[str], goal: list[str]) -> tuple[int, int] | None:
    """The window whose lines resemble the goal: by its most telling line first, then as a whole."""
    anchor = max(range(len(goal)), key=lambda i: len(goal[i].strip()))
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(goal[anchor].strip()[:_COMPARED])
    rough = []
    for number, line in enumerate(lines):
        matcher.set_seq1(line.strip()[:_COMPARED])
        if line.strip() and matcher.real_quick_ratio() > 0.5:
            rough.append((matcher.quick_ratio(), -number))
    scored = []
    for _, minus in sorted(rough, reverse=True)[:_FINALISTS]:
        matcher.set_seq1(lines[-minus].strip()[:_COMPARED])
        scored.append((matcher.ratio(), minus))
    if not scored or max(scored)[0] < 0.4:
        return None
    start = max(-max(scored)[1] - anchor, 0)
    return start + 1, min(start + len(goal), len(lines))


def _show(lines: list[str], first: int, last: int) -> str:
    shown = [
        f"{number}|{lines[number - 1][:_COMPARED]}" for number in range(first, min(last, first + SHOWN_MAX - 1) + 1)
    ]
    return "\n".join(shown + (["…"] if last - first >= SHOWN_MAX else []))
