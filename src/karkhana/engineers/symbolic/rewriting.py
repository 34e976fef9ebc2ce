"""From a function that somebody rewrote to changes of the file that are as small as they can be.

Whoever rewrites a function drops comments, spells quotes another way and mends more than the fault. So lines that say
the same keep the original's text, and each part of what is left is a change of its own as well. Knows texts and
syntax; runs nothing.

>>> fitted("def f(a):\\n    # why\\n    return a - 1\\n", "def f(a):\\n    return a + 1  # fixed\\n")
'def f(a):\\n    # why\\n    return a + 1\\n'
"""

import ast
import difflib
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Sequence

from karkhana.behaviour.validation import Edit, apply
from karkhana.engineers.symbolic.choice.vetoes import TOO_DEEP

_PARTS = 6
"""Separate parts of a rewrite up to which each is tried alone."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def function_in(text: str) -> _Function | None:
    """The function that a text is, indented or not; ``None`` for anything else."""
    try:
        body = ast.parse(textwrap.dedent(text)).body
    except TOO_DEEP:
        return None
    only = body[0] if len(body) == 1 else None
    return only if isinstance(only, _Function) else None


def fitted(original: str, written: str) -> str:
    """``written`` with the original's lines, comments, documentation and signature wherever they say the same.

    Gives ``written`` back unchanged when one of the two is no function.
    """
    before, after = function_in(original), function_in(written)
    if before is None or after is None:
        return written
    old = original.splitlines(keepends=True)
    new = _stepping(written, _step(after), _step(before)).splitlines(keepends=True)
    old_head = _end_of_head(old, _first_line(before))
    head = old[:old_head] if _same_head(before, after) else _without_remarks(new[: _first_line(after) - 1])
    old_rest = max(old_head, _after_documentation(before) - 1) if _is_documented(before) else old_head
    documented = old[old_head:old_rest]
    rest = _merged(old[old_rest:], new[_after_documentation(after) - 1 :])
    result = "".join([*head, *documented, *rest])
    return result if _same_program(result, written) else written


def _step(function: _Function) -> int:
    """How far the body stands behind the signature."""
    return max(0, function.body[0].col_offset - function.col_offset)


def _stepping(text: str, step: int, wanted: int) -> str:
    """A text with another width of indentation."""
    if not step or not wanted or step == wanted:
        return text
    lines = text.splitlines(keepends=True)
    base = len(lines[0]) - len(lines[0].lstrip())

    def moved(line: str) -> str:
        deeper, rest = divmod(len(line) - len(line.lstrip()) - base, step)
        return " " * (base + deeper * wanted + rest) + line.lstrip() if deeper >= 0 and line.strip() else line

    return "".join(map(moved, lines))


def _first_line(function: _Function) -> int:
    """Line of the first statement; that of the function itself when it stands on the same line."""
    return function.body[0].lineno


def _end_of_head(lines: Sequence[str], body: int) -> int:
    """How many lines the signature has: remarks between it and the body, which begins on line ``body``, are no part."""
    end = body - 1
    while end > 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _is_documented(function: _Function) -> bool:
    return ast.get_docstring(function, clean=False) is not None


def _after_documentation(function: _Function) -> int:
    if not _is_documented(function):
        return _first_line(function)
    end = function.body[0].end_lineno or function.body[0].lineno
    return end + 1


def _same_head(before: _Function, after: _Function) -> bool:
    """Whether two signatures differ in annotations at most, and stand on lines of their own."""
    apart = before.body[0].lineno > before.lineno and after.body[0].lineno > after.lineno
    return apart and before.name == after.name and _bare(before.args) == _bare(after.args)


def _bare(arguments: ast.arguments) -> str:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    names = [argument.arg if argument else "" for argument in every]
    counts = (len(arguments.posonlyargs), len(arguments.kwonlyargs))
    defaults = [ast.unparse(d) if d else "" for d in (*arguments.defaults, *arguments.kw_defaults)]
    return repr((names, counts, defaults))


def program_of(text: str) -> str:
    """What a function does, whatever its looks and remarks; empty for anything else."""
    function = function_in(text)
    return repr(_body(function)) if function is not None else ""


def _same_program(one: str, other: str) -> bool:
    return bool(program_of(one)) and program_of(one) == program_of(other)


def _body(function: _Function) -> list[str]:
    return [_bare(function.args), *(ast.dump(s) for s in function.body[_is_documented(function) :])]


def _merged(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Lines of ``new``; those that the old text has too with what stands above them there."""
    own, others = _code_lines(old), _code_lines(new)
    before, after = [_key(old[n]) for n in own], [_key(new[n]) for n in others]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, begin, stop in matcher.get_opcodes():
        if tag == "equal":
            first = own[start - 1] + 1 if start else 0
            yield from old[first : own[end - 1] + 1]
            continue
        if tag == "replace":
            first = own[start - 1] + 1 if start else 0
            yield from old[first : own[start]]
        yield from _without_remarks(new[others[begin] : others[stop - 1] + 1] if stop > begin else ())


def _code_lines(lines: Sequence[str]) -> list[int]:
    return [n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]


def _key(line: str) -> str:
    """What two lines have in common that say the same."""
    indentation = line[: len(line) - len(line.lstrip())]
    return indentation + "".join(_bare_line(line).replace('"', "'").split())


def _without_remarks(lines: Sequence[str]) -> list[str]:
    """Lines without the comments that whoever wrote them put there for whoever asked."""
    kept = [line for line in lines if not line.lstrip().startswith("#")]
    return [bare + ("\n" if line.endswith("\n") else "") for line in kept for bare in [_bare_line(line)]]


def _bare_line(line: str) -> str:
    """A line without the comment at its end; as it is when it is no whole line of code."""
    if "#" not in line:
        return line.rstrip()
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type == tokenize.COMMENT:
                return line[: len(line) - len(line.lstrip())] + line.strip()[: token.start[1]].rstrip()
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return line.rstrip()
    return line.rstrip()


def parts(original: str, written: str) -> tuple[Edit, ...]:
    """What differs, as replacements of whole lines from the first to the last."""
    old, new = original.splitlines(keepends=True), written.splitlines(keepends=True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        Edit(starts[start], starts[end], "".join(new[begin:stop]))
        for tag, start, end, begin, stop in matcher.get_opcodes()
        if tag != "equal"
    )


def selections(original: str, edits: Sequence[Edit]) -> Iterator[tuple[Edit, ...]]:
    """All parts together, then (of several) each alone and all but one, as far as these are functions."""
    yield tuple(edits)
    if not 1 < len(edits) <= _PARTS:
        return
    some = [(edit,) for edit in edits]
    rest = [tuple(e for e in edits if e is not edit) for edit in edits] if len(edits) > 2 else []
    for chosen in (*some, *rest):
        if function_in(apply(original, chosen)) is not None:
            yield chosen


def touches_head(original: str, edits: Sequence[Edit]) -> bool:
    """Whether a change is about more than the body, which a live function can take on."""
    function = function_in(original)
    if function is None or not edits:
        return True
    lines = original.splitlines(keepends=True)
    return min(edits).start < sum(map(len, lines[: _first_line(function) - 1]))


def import_edit(file_text: str, statements: Sequence[str]) -> Edit | None:
    """The imports that a module lacks, below those that it has; ``None`` when it has them all."""
    try:
        tree = ast.parse(file_text)
    except TOO_DEEP:
        return None
    known = {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)}
    wanted = [text for text in dict.fromkeys(statements) if re.sub(r"\s+", " ", text.strip()) not in known]
    if not wanted:
        return None
    top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    documented = tree.body[:1] if ast.get_docstring(tree, clean=False) is not None else []
    above = top[-1:] or documented
    line = (above[0].end_lineno or above[0].lineno) if above else 0
    at = sum(map(len, file_text.splitlines(keepends=True)[:line]))
    gap = "" if top or not file_text[at:].strip() else "\n\n" if file_text[at : at + 1] != "\n" else ""
    return Edit(at, at, "".join(f"{text}\n" for text in wanted) + gap)
