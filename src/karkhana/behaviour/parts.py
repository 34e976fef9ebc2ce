"""The parts of a change to one function, each as the edit that takes it back, to see whether any test needs it.

A part is what difflib finds between the two texts: a run of lines that came or went, divided into statements, or words
within lines that are alike. A part that cannot be taken back alone (what is left would not parse) goes with the rest of
its lines. After Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002: here one part at a
time is left out, and the change is taken to be minimal when each is needed.

Knows source text; knows nothing of tests, and runs nothing.

>>> [p.told for p in parts("def f(a):\\n    return a < 1\\n", "def f(a):\\n    return a <= 1\\n", first_line=1)]
['`<=` in place of `<`']
"""

import ast
import difflib
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from karkhana.behaviour.mutation import Mutant
from karkhana.behaviour.validation import Edit, apply

LONGEST = 1_000
"""Lines of a function past which it is not divided."""
MOST_PAIRS = 250_000
"""Words of either run of lines, multiplied, past which the two are not compared by words: that would take seconds."""
JOINED = 6
"""Pieces that are joined at most, so that what is left parses."""
ALIKE = 0.4
"""From this ratio of equal words on, two runs of lines are compared by words."""
_SHOWN = 60
Function = ast.FunctionDef | ast.AsyncFunctionDef
_WORD = re.compile(r"\w+|[<>=!+\-*/%&|^~@:]+|[^\w\s]|\n")


class _Piece(NamedTuple):
    """What stands from ``start`` to ``end`` after the change, and from ``old_start`` to ``old_end`` in ``before``."""

    start: int
    end: int
    before: str
    old_start: int
    old_end: int


def parts(old: str, new: str, *, first_line: int, most: int = 100) -> list[Mutant]:
    """What takes back each part of the change from ``old`` to ``new``, in the order of the source; the first ``most``.

    ``first_line`` is where ``new`` begins in its file. Parts that change nothing (comments, spaces) are left out; none
    for texts that this interpreter cannot parse.
    """
    was, now = old.splitlines(keepends=True), new.splitlines(keepends=True)
    whole = _meaning(new)
    if whole is None or _meaning(old) in (None, whole):
        return []
    if max(len(was), len(now)) > LONGEST:
        return [Mutant(first_line, "the change", Edit(0, len(new), old))]
    starts = _offsets(now)
    found: list[Mutant] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        block = Edit(starts[j1], starts[j2], "".join(was[i1:i2]))
        for edit in _whole(new, _divided(block, new, now[j1:j2]), most - len(found)) or [block]:
            if _meaning(apply(new, [edit])) not in (None, whole):
                line = first_line + new.count("\n", 0, edit.start)
                found.append(Mutant(line, _told(new[edit.start : edit.end], edit.text), edit))
        if len(found) >= most:
            break
    return found[:most]


def _whole(new: str, pieces: list[_Piece], most: int) -> list[Edit]:
    """The pieces as edits, the first ``most``, each joined with those behind it until what is left parses; none if one
    never does."""
    edits: list[Edit] = []
    while pieces and len(edits) < most:
        for count in range(1, min(len(pieces), JOINED) + 1):
            first, last = pieces[0], pieces[count - 1]
            edit = Edit(first.start, last.end, first.before[first.old_start : last.old_end])
            if _meaning(apply(new, [edit])) is not None:
                break
        else:
            return []
        edits.append(edit)
        pieces = pieces[count:]
    return edits


def _divided(block: Edit, new: str, lines: list[str]) -> list[_Piece]:
    """Smaller replacements that together do what the block does."""
    before, after, start = block.text, new[block.start : block.end], block.start
    if not before:
        return [_Piece(start + first, start + last, "", 0, 0) for first, last in _statements(lines)]
    old, words = list(_WORD.finditer(before)), list(_WORD.finditer(after))
    if len(old) * len(words) > MOST_PAIRS:
        return []
    matcher = difflib.SequenceMatcher(None, [m[0] for m in old], [m[0] for m in words], autojunk=False)
    if not after or matcher.ratio() < ALIKE:
        return []
    found = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            was, now = _span(old, i1, i2, len(before)), _span(words, j1, j2, len(after))
            found.append(_Piece(start + now[0], start + now[1], before, *was))
    return found


def _span(words: list[re.Match[str]], first: int, last: int, end: int) -> tuple[int, int]:
    """From the end of the word before to the beginning of the word behind, so that spaces go along."""
    return (words[first - 1].end() if first else 0), (words[last].start() if last < len(words) else end)


def _statements(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Characters from and to which runs of lines go that begin where the indentation is the least."""
    starts = _offsets(lines)
    widths = [len(line) - len(line.lstrip()) if line.strip() else None for line in lines]
    least = min((width for width in widths if width is not None), default=0)
    begins = [0, *(n for n, width in enumerate(widths) if width == least and n)]
    for first, last in zip(begins, [*begins[1:], len(lines)], strict=True):
        yield starts[first], starts[last]


def _offsets(lines: list[str]) -> list[int]:
    found = [0]
    for line in lines:
        found.append(found[-1] + len(line))
    return found


def _meaning(text: str) -> str | None:
    """What a parser makes of a function without its documentation, wherever it stands; ``None`` when it refuses."""
    try:
        tree = ast.parse(textwrap.dedent(text))
        for node in tree.body:
            if isinstance(node, Function) and ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _told(now: str, was: str) -> str:
    after, before = (" ".join(text.split()) for text in (now, was))
    after, before = (text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…" for text in (after, before))
    if not after:
        return f"that `{before}` is gone"
    return f"`{after}` in place of `{before}`" if before else f"`{after}`"
