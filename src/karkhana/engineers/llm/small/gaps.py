"""A gap in a function, which a model is asked to fill: it knows better what belongs somewhere than what is wrong there.

A suspicious line is left out, or the lines that a change replaces, or nothing where a change adds something. Models
learn to go on where a text stops, and a wrong line cannot be copied when it is not shown (after AlphaRepair:
Xia and Zhang, "Less Training, More Repairing Please", ESEC/FSE 2022). Knows texts; knows nothing of models.

>>> gap_of("def f(a):\\n    b = a\\n    return b - 1\\n", "def f(a):\\n    b = a\\n    return b\\n")
Gap(start=2, end=3, indentation='    ')
"""

import ast
import difflib
import textwrap

import msgspec

MARK = "<MISSING>"
LONGEST = 10
"""Lines of an answer that is taken for what fills a gap."""
_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)


class Gap(msgspec.Struct, frozen=True):
    """Lines of a function's text that are left out, from 0; none of them when something is to be added."""

    start: int
    end: int
    """Behind the last."""
    indentation: str = ""


def gap_of(before: str, after: str) -> Gap | None:
    """Where a change was made: the lines from the first to the last difference; ``None`` when there is none."""
    old, new = before.splitlines(), after.splitlines()
    differences = [
        code for code in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if code[0] != "equal"
    ]
    if not differences:
        return None
    start, end = differences[0][1], differences[-1][2]
    shown = old[start:end] or new[differences[0][3] : differences[-1][4]]
    return Gap(start, end, _indentation(next(filter(str.strip, shown), "")))


def line_gap(text: str, line: int) -> Gap | None:
    """The gap that a line leaves, from 0; ``None`` for what opens a function or is empty."""
    lines = text.splitlines()
    if not 0 <= line < len(lines) or not lines[line].strip() or lines[line].lstrip().startswith(("def ", "async def")):
        return None
    return Gap(line, line + 1, _indentation(lines[line]))


def shown(text: str, gap: Gap, start: int, end: int) -> str:
    """Lines ``start`` to ``end`` of a function with the gap marked."""
    lines = text.splitlines(keepends=True)
    marked = [*lines[start : gap.start], f"{gap.indentation}{MARK}\n", *lines[gap.end : end]]
    return textwrap.dedent("".join(marked))


def fill(text: str, gap: Gap, piece: str) -> str | None:
    """The function with a piece in the gap; ``None`` when that is no function."""
    lines = text.splitlines(keepends=True)
    written = textwrap.indent(textwrap.dedent(piece).strip("\n"), gap.indentation) + "\n"
    filled = "".join([*lines[: gap.start], written, *lines[gap.end :]])
    try:
        body = ast.parse(textwrap.dedent(filled)).body
    except _FAULTS:
        return None
    return filled if len(body) == 1 and isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef) else None


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
