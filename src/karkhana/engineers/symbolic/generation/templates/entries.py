"""Data written out at the level of a module or a class: an entry that the ticket's words name is missing."""

import ast
import bisect
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import FileScene, Idea, file_template

_FEWEST = 3
"""Entries from which on a collection shows what its entries are like."""
_WORDS = 4
_DOUBTFUL = 0.5
"""Weight of a word below which it is only tried with the commonest value."""
_SORTED = 0.8
"""Share of neighbours in order from which on a new entry is put where the order wants it."""
_STRINGS = 0.7
"""Share of entries that must be strings."""


class _File:
    """A file's tree with character offsets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.splitlines(keepends=True)
        self._starts = [0, *itertools.accumulate(map(len, self._lines))]

    def offset(self, line: int, column: int) -> int:
        """Characters before a place that the parser gives in bytes."""
        whole = self._lines[line - 1]
        inside = column if whole.isascii() else len(whole.encode()[:column].decode("utf-8", "ignore"))
        return self._starts[line - 1] + inside

    def span(self, node: ast.expr) -> tuple[int, int]:
        last = node.end_lineno or node.lineno
        return self.offset(node.lineno, node.col_offset), self.offset(last, node.end_col_offset or 0)

    def text_of(self, node: ast.expr) -> str:
        start, end = self.span(node)
        return self.text[start:end]


@file_template("data-entry")
def data_entry(scene: FileScene) -> Iterator[Idea]:
    """A word of the ticket as a further key of a dictionary (with a value that others have) or member of a set."""
    if not scene.declarations:
        return
    try:
        tree = ast.parse(scene.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    file = _File(scene.text)
    ranges = [range(d.line, d.line + d.text.count("\n") + 1) for d in scene.declarations]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Dict | ast.Set | ast.List | ast.Tuple):
            continue
        if not any(node.lineno in lines for lines in ranges):
            continue
        if isinstance(node, ast.Dict):
            yield from _more_keys(scene, file, node)
        else:
            yield from _more_members(scene, file, node)


def _more_keys(scene: FileScene, file: _File, node: ast.Dict) -> Iterator[Idea]:
    pairs = [(key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None]
    known = _strings([key for key, _ in pairs])
    if len(pairs) != len(node.keys) or known is None:
        return
    values = [file.text_of(value) for _, value in pairs]
    usual = [text for text, count in Counter(values).most_common(3) if count > 1 and "\n" not in text]
    starts = [file.span(key)[0] for key, _ in pairs]
    for word, weight in scene.told.words_like(known)[:_WORDS]:
        position = _position(known, word)
        beside = [values[n] for n in (position - 1, position) if 0 <= n < len(values) and "\n" not in values[n]]
        quote = scene.text[starts[0]]
        for value in list(dict.fromkeys([*usual, *beside]))[: 1 if weight < _DOUBTFUL else None]:
            entry = f"{quote}{word}{quote}: {value}"
            edit = _insertion(file, starts, file.span(pairs[-1][1])[1], position, entry)
            own = 1.0 if value in usual[:1] else 0.6 if value in usual or not usual else 0.3
            yield Idea(node.lineno, (edit,), weight * own, fresh=True)


def _more_members(scene: FileScene, file: _File, node: ast.Set | ast.List | ast.Tuple) -> Iterator[Idea]:
    known = _strings(node.elts)
    if known is None or (isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store)):
        return
    starts = [file.span(element)[0] for element in node.elts]
    quote = scene.text[starts[0]]
    if quote not in "'\"":
        return
    for word, weight in scene.told.words_like(known)[:_WORDS]:
        edit = _insertion(file, starts, file.span(node.elts[-1])[1], _position(known, word), f"{quote}{word}{quote}")
        yield Idea(node.lineno, (edit,), weight, fresh=True)


def _strings(nodes: Sequence[ast.expr]) -> list[str] | None:
    """The texts of nodes that are (nearly) all plain strings; the others count as empty."""
    texts = [n.value if isinstance(n, ast.Constant) and isinstance(n.value, str) else "" for n in nodes]
    if len(nodes) < _FEWEST or sum(map(bool, texts)) < len(nodes):
        return None
    return texts


def _position(known: Sequence[str], word: str) -> int:
    """Where among the others a word belongs: by the alphabet when they stand so, else at the end."""
    in_order = sum(one <= other for one, other in itertools.pairwise(known))
    if in_order < _SORTED * (len(known) - 1):
        return len(known)
    if in_order == len(known) - 1:
        return bisect.bisect_left(list(known), word)
    # Nearly sorted: between two entries that it fits between, where it has most in common with both.
    fits = [n for n in range(1, len(known)) if known[n - 1] < word < known[n]]
    return max(fits, key=lambda n: _common(known[n - 1], word) + _common(known[n], word), default=len(known))


def _common(one: str, other: str) -> int:
    """Letters that two words begin with alike."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _insertion(file: _File, starts: Sequence[int], end: int, position: int, entry: str) -> Edit:
    """The edit that puts an entry in front of the one at ``position``, on a line of its own when those stand so."""
    text = file.text
    at = starts[position] if position < len(starts) else end
    model = starts[min(position, len(starts) - 1)]
    begin = text.rfind("\n", 0, model) + 1
    alone = not text[begin:model].strip() and len(starts) > 1
    gap = "\n" + re.match(r"[ \t]*", text[begin:model])[0] if alone else " "  # type: ignore[index]
    return Edit(at, at, f"{entry},{gap}" if position < len(starts) else f",{gap}{entry}")
