"""One corrected line, and the places in a function where it may belong.

A small model often knows the right line and seldom says rightly where it stands. So the line is tried in place of every
line that it may be meant for, the most alike and most suspicious first, and in front of each. Knows texts and syntax.

>>> texts = placed("def f(a):\\n    b = a\\n    return b - 1\\n", "return b", {3: 1.0})
>>> texts[0]
'def f(a):\\n    b = a\\n    return b\\n'
"""

import ast
import difflib
import re
import textwrap
from collections.abc import Iterator, Mapping

_MOST = 40
"""Readings of one answer."""
_LONGEST = 5
"""Lines of an answer that is taken for a piece of a function."""
_ALIKE, _SUSPECTED = 0.75, 0.25
"""Weights of likeness and suspicion; both are in [0,1]."""
_INSERTED = 0.35
"""Likeness that a line counts as which replaces none."""
_SWALLOWED = 0.85
"""Factor for the likeness when more or fewer lines go than come."""
_LABEL = re.compile(r"^\s*(?:line\s+)?\d+\s*[:.|]\s?", re.IGNORECASE)
_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)


def piece_of(answer: str, longest: int = _LONGEST) -> str:
    """The lines of code in an answer, without fences, numbers and marks; empty when there are too many or none."""
    lines = [line for line in answer.replace("\r\n", "\n").expandtabs(4).splitlines() if line.strip()]
    if any(line.lstrip().startswith("```") for line in lines):
        fences = [n for n, line in enumerate(lines) if line.lstrip().startswith("```")]
        lines = lines[fences[0] + 1 : fences[1] if len(fences) > 1 else None]
    bare = [_LABEL.sub("", line) for line in lines]
    if bare and all(line.startswith("+") for line in bare):
        bare = [line[1:] for line in bare]
    bare = [line.strip("`") if line.count("`") else line for line in bare]
    text = textwrap.dedent("\n".join(bare)).strip("\n")
    return text if 0 < len(bare) <= longest else ""


def placed(function: str, piece: str, suspicion: Mapping[int, float]) -> list[str]:
    """The function with a piece put in, likeliest reading first; ``suspicion``: line, from 1 → in [0,1]."""
    lines = function.splitlines(keepends=True)
    found: dict[str, float] = {}
    for score, text in _readings(lines, piece, suspicion):
        if text != function and score > found.get(text, -1.0):
            found[text] = score
    order = sorted(found, key=lambda text: -found[text])
    return [text for text in order[: 3 * _MOST] if _is_one_function(text)][:_MOST]


def _readings(lines: list[str], piece: str, suspicion: Mapping[int, float]) -> Iterator[tuple[float, str]]:
    count = piece.count("\n") + 1
    for start in range(len(lines)):
        if not lines[start].strip():
            continue
        for end in range(start, min(len(lines), start + count + 1) + 1):
            replaced = textwrap.dedent("".join(lines[start:end])).strip("\n")
            alike = difflib.SequenceMatcher(None, replaced, piece, autojunk=False).ratio() if replaced else _INSERTED
            suspected = max((suspicion.get(n + 1, 0.0) for n in range(start, max(end, start + 1))), default=0.0)
            if end - start not in (0, count):
                alike *= _SWALLOWED
            yield _ALIKE * alike + _SUSPECTED * suspected, _put(lines, start, end, piece)
    last = lines[-1] if lines else ""
    yield _ALIKE * _INSERTED, "".join(lines) + textwrap.indent(piece, _indentation(last)) + "\n"


def _put(lines: list[str], start: int, end: int, piece: str) -> str:
    text = textwrap.indent(piece, _indentation(lines[start])) + "\n"
    return "".join([*lines[:start], text, *lines[end:]])


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _is_one_function(text: str) -> bool:
    try:
        body = ast.parse(textwrap.dedent(text)).body
    except _FAULTS:
        return False
    return len(body) == 1 and isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef)
