"""Finds the pieces of a sentence that may be code: in backticks, calls, literals, exceptions. Knows nothing of roles.

>>> [span.text for span in spans("`add(1, 2)` returns 2, not 3")]
['add(1, 2)', '2', '3']
"""

import ast
import re
from collections.abc import Iterator
from itertools import islice

import msgspec

SPAN_MAX = 1_500
SPANS_MAX = 200
"""Pieces of one sentence; a sentence with more is a dump, in which every further piece costs more than the last."""
TRIED_MAX = 100
"""Brackets of one sentence, and calls, whose end is looked for."""

TICKS = re.compile(r"(`{1,2})([^`\n]{1,1500}?)\1(?!`)")
_NAME = re.compile(r"(?<![\w.@/\\-])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?=\()")
_BRACKET = re.compile(r"(?<![\w)\]])[\[({]")
_STRING = re.compile(r"""(?<![\w'"`])(?:[rbuRBU]{1,2})?(?:"(?:[^"\\\n]|\\.){0,600}"|'(?:[^'\\\n]|\\.){0,600}')(?!\w)""")
_NUMBER = re.compile(r"(?<![\w.#/:-])-?\d+(?:_\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?j?(?![\w/:]|\.\d|-\d)")
_CONSTANT = re.compile(r"\b(?:None|True|False)\b")
EXCEPTION = re.compile(
    r"(?<![\w./])(?:[a-z_]\w*\.){0,6}[A-Z]\w{0,80}(?:Error|Exception|Warning|Iteration|Interrupt|Exit)\b"
    r"(?:: ([^\n`]{1,300}))?"
)
_RAISED = re.compile(
    r"\b(?:raise|raises|raised|raising|throw|throws|throwing)\s+(?:an?\s+)?((?:[a-z_]\w*\.){0,6}[A-Z]\w+)"
)
_NO_VALUE = re.compile(
    r"(?:\b(?:line|version|python|issue|pr|v|release|step|commit|pull request|at least|at most|than|py"
    r"|pep|rfc|page|section|chapter|bpo|bug)\W?|#|<=?"
    r"|(?<![=-])>|>=|(?<![=!<>])=)\s*$",
    re.I,
)


_ERROR_LINE = re.compile(
    r"^[ \t]*((?:[a-z_]\w*\.){0,6}[A-Z]\w{0,80}(?:Error|Exception|Warning|Iteration): [^\n`]{1,300})$", re.MULTILINE
)
"""What a traceback ends with, pasted on a line of its own."""


class Span(msgspec.Struct, frozen=True):
    """A piece of a sentence."""

    start: int
    end: int
    text: str
    ticked: bool


def literal(text: str) -> bool:
    """Whether untrusted text is a Python literal."""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


def spans(text: str) -> Iterator[Span]:
    """Pieces of a sentence that may be code, without overlap, in order."""
    found: list[Span] = []
    taken: list[tuple[int, int]] = []

    def free(start: int, end: int) -> bool:
        return all(end <= a or start >= b for a, b in taken)

    def take(start: int, end: int, code: str, *, ticked: bool = False) -> None:
        if len(taken) < SPANS_MAX and end > start and free(start, end):
            taken.append((start, end))
            found.append(Span(start, end, code.strip(), ticked))

    for match in _ERROR_LINE.finditer(text):
        if _stands_apart(text, match.start()):
            take(match.start(1), match.end(1), match[1])
    for match in TICKS.finditer(text):
        take(match.start(), match.end(), match[2], ticked=True)
    for match in islice(_NAME.finditer(text), TRIED_MAX):
        end = chain_end(text, match.end())
        if end:
            take(match.start(), end, text[match.start() : end])
    for match in EXCEPTION.finditer(text):
        take(match.start(), match.end(), match[0])
    for match in _RAISED.finditer(text):
        take(match.start(1), match.end(1), match[1])
    for match in islice(_BRACKET.finditer(text), TRIED_MAX):
        end = balanced(text, match.start())
        if (end and literal(text[match.start() : end]) and len(text[match.start() : end].strip("()[]{} ")) != 0) or (
            end == match.start() + 2 and match[0] in "[{"
        ):
            take(match.start(), end, text[match.start() : end])
    for match in _STRING.finditer(text):
        take(match.start(), match.end(), match[0])
    for pattern in (_CONSTANT, _NUMBER):
        for match in pattern.finditer(text):
            if not _NO_VALUE.search(text[max(0, match.start() - 20) : match.start()]):
                take(match.start(), match.end(), match[0])
    return iter(sorted(found, key=lambda s: s.start))


def _stands_apart(text: str, start: int) -> bool:
    """Whether what begins on a line is the first of a text, or comes after a blank line or a colon.

    No pattern: one for it needs the cube of the time for a run of blank lines.
    """
    before = text[:start].rstrip()
    return not before or before.endswith(":") or text.count("\n", len(before), start) > 1


def balanced(text: str, start: int) -> int | None:
    """The end of the bracket that opens at ``start``; quotes are respected."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    stack: list[str] = []
    quote = ""
    position = start
    while position < min(len(text), start + SPAN_MAX):
        char = text[position]
        if quote:
            if char == "\\":
                position += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in pairs:
            stack.append(pairs[char])
        elif char in ")]}":
            if not stack or stack.pop() != char:
                return None
            if not stack:
                return position + 1
        position += 1
    return None


def chain_end(text: str, start: int) -> int | None:
    """The end of ``(...)``, and of the ``.name(...)`` and ``[...]`` that follow it directly."""
    end = balanced(text, start)
    while end is not None and end < len(text):
        more = re.match(r"(?:\.[A-Za-z_]\w*)*[(\[]|(?:\.[A-Za-z_]\w*)+(?!\w)", text[end:])
        if not more or (more[0][-1] not in "([" and text[end + len(more[0]) : end + len(more[0]) + 1] == "("):
            break
        if more[0][-1] in "([":
            further = balanced(text, end + len(more[0]) - 1)
            if further is None:
                break
            end = further
        else:
            end += len(more[0])
    return end
