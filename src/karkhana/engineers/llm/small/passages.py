"""What a model is shown of a function: all of it, or of a long one the statements around the likeliest lines.

Knows texts, syntax and suspicions; knows nothing of models.
"""

import ast
import textwrap

import msgspec

from karkhana.engineers.llm.small.answers import codes, function_of, indented
from karkhana.engineers.llm.small.gaps import LONGEST, Gap, fill, shown
from karkhana.engineers.llm.small.lines import piece_of, placed
from karkhana.engineers.symbolic.generation.places import Place
from karkhana.engineers.symbolic.proposals import Rewrite

WHOLE_LINES = 45
"""Lines of a function up to which it is shown whole."""
_LINES = 22
"""Lines of a passage, at most; one statement may be longer."""
_ELSEWHERE = 8
"""Other readings of what should have filled a gap."""
_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a function that a model may rewrite."""

    place: Place
    start: int
    """First line, counted from 0 within the function's text."""
    end: int
    """Behind the last."""

    @property
    def whole(self) -> bool:
        return self.start == 0 and self.end >= len(self.place.text.splitlines())

    @property
    def text(self) -> str:
        """As it is shown: without the indentation that all lines have, and without documentation to copy."""
        lines = self.place.text.splitlines(keepends=True)
        left_out = _documented(self.place.text) if self.whole else range(0)
        return textwrap.dedent("".join(lines[n] for n in range(self.start, self.end) if n not in left_out))

    @property
    def documentation(self) -> str:
        """What the function says about itself, in one line."""
        lines = self.place.text.splitlines()
        return " ".join(" ".join(lines[n] for n in _documented(self.place.text)).split()).strip("rRuU'\"\\ ")

    @property
    def head(self) -> str:
        """The line that the function begins with."""
        return self.place.text.strip().splitlines()[0].strip()

    def with_gap(self, gap: Gap) -> str:
        """As it is shown with a gap in it."""
        left_out = _documented(self.place.text) if self.whole else range(0)
        lines = self.place.text.splitlines(keepends=True)
        if any(n in left_out for n in range(gap.start, gap.end)):
            return shown(self.place.text, gap, self.start, self.end)
        kept = [line for n, line in enumerate(lines) if n not in left_out]
        gone = sum(n < gap.start for n in left_out)
        moved = Gap(gap.start - gone, gap.end - gone, gap.indentation)
        return shown("".join(kept), moved, self.start, self.end - len(left_out))

    def read_gap(self, answer: str, number: int, gap: Gap) -> Rewrite | None:
        """The function with an answer in the gap; also in other places when it says more than fits there."""
        if f"def {self.place.suspect.place.name}" in answer and "\n" in answer.strip():
            return self.read(answer, number)
        piece = piece_of(answer, LONGEST)
        if not piece:
            return None
        exact = fill(self.place.text, gap, piece)
        readings = [*([exact] if exact else []), *self._placed(piece)[:_ELSEWHERE]]
        return Rewrite(place=number, text=readings[0], others=tuple(readings[1:])) if readings else None

    def read_line(self, answer: str, number: int) -> Rewrite | None:
        """The function with one line of it as an answer would have it, in all the places where it may belong."""
        if f"def {self.place.suspect.place.name}" in answer and "\n" in answer.strip():
            return self.read(answer, number)
        piece = piece_of(answer)
        if not piece:
            return None
        readings = self._placed(piece)
        return Rewrite(place=number, text=readings[0], others=tuple(readings[1:])) if readings else None

    def _placed(self, piece: str) -> list[str]:
        """The function with a piece put wherever it may belong."""
        lines = self.place.suspect.lines
        most = max(lines.values(), default=1.0) or 1.0
        first = self.place.suspect.place.start
        return placed(self.place.text, piece, {n - first + 1: score / most for n, score in lines.items()})

    def read(self, answer: str, number: int, *, cut: bool = False) -> Rewrite | None:
        """The whole function as an answer would have it; ``number`` is that of the place in its case."""
        name, original = self.place.suspect.place.name, self.place.text
        found = function_of(answer, name, original, cut=cut) if self.whole or f"def {name}" in answer else None
        if found is not None:
            return Rewrite(place=number, text=found.text, imports=found.imports)
        return None if self.whole else self._put_in(answer, number, cut=cut)

    def _put_in(self, answer: str, number: int, *, cut: bool) -> Rewrite | None:
        lines = self.place.text.splitlines(keepends=True)
        for code in filter(str.strip, codes(answer, cut=cut)):
            written = indented(code.strip("\n"), lines[self.start])
            text = "".join([*lines[: self.start], written, *lines[self.end :]])
            try:
                body = ast.parse(textwrap.dedent(text)).body
            except _FAULTS:
                continue
            if len(body) == 1 and "```" in answer:
                return Rewrite(place=number, text=text)
        return None


def _documented(text: str) -> range:
    """Lines of a function's documentation, from 0; none when nothing else stands in the function."""
    try:
        function = ast.parse(textwrap.dedent(text)).body[0]
    except (*_FAULTS, IndexError):
        return range(0)
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or len(function.body) < 2:
        return range(0)
    first, second = function.body[:2]
    alone = function.lineno < first.lineno and (first.end_lineno or 0) < second.lineno
    documented = ast.get_docstring(function, clean=False) is not None and alone
    return range(first.lineno - 1, first.end_lineno or first.lineno) if documented else range(0)


def passage_of(place: Place, rank: int = 0) -> Passage:
    """What is shown of a function; for a long one around its ``rank``-th likeliest line, from 0."""
    likely = suspicious_lines(place)
    return passage_around(place, likely[min(rank, len(likely) - 1)] - place.suspect.place.start if likely else None)


def passage_around(place: Place, line: int | None) -> Passage:
    """What is shown of a function; of a long one the statements around a line, from 0."""
    lines = place.text.splitlines()
    whole = Passage(place=place, start=0, end=len(lines))
    if len(lines) <= WHOLE_LINES or line is None:
        return whole
    spans = _statements(place.text)
    around = [block for block in spans if any(start <= line < end for start, end in block)]
    found = [run for block in around if (run := _run(block, line)) is not None]
    if not found:
        return whole
    start, end = max(found, key=lambda run: (run[1] - run[0] <= _LINES, run[1] - run[0]))
    return Passage(place=place, start=start, end=end)


def suspicious_lines(place: Place) -> list[int]:
    """Lines of the file, the likeliest first; of equals the later one, which is nearer to what went wrong."""
    inside = range(place.suspect.place.start, place.suspect.place.end + 1)
    lines = {n: score for n, score in place.suspect.lines.items() if n in inside}
    return sorted(lines, key=lambda n: (-lines[n], -n))


def _statements(text: str) -> list[list[tuple[int, int]]]:
    """The blocks of a function, each as the spans of its statements in lines from 0."""
    try:
        tree = ast.parse(textwrap.dedent(text))
    except _FAULTS:
        return []
    blocks = [
        block
        for node in ast.walk(tree)
        if not isinstance(node, ast.Module)
        for name in ("body", "orelse", "finalbody")
        if isinstance(block := getattr(node, name, None), list)
    ]
    return [[(_top(s) - 1, s.end_lineno or s.lineno) for s in block if isinstance(s, ast.stmt)] for block in blocks]


def _top(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(d.lineno for d in decorators)])


def _run(block: list[tuple[int, int]], line: int) -> tuple[int, int] | None:
    """The longest run of whole statements around a line that is not too long; one statement at least."""
    at = next((n for n, (start, end) in enumerate(block) if start <= line < end), None)
    if at is None or block[at][1] - block[at][0] > 2 * _LINES:
        return None
    first = last = at
    while True:
        grown = [(a, b) for a, b in ((first, last + 1), (first - 1, last)) if a >= 0 and b < len(block)]
        fitting = [(a, b) for a, b in grown if block[b][1] - block[a][0] <= _LINES]
        if not fitting:
            return block[first][0], block[last][1]
        first, last = fitting[0]
