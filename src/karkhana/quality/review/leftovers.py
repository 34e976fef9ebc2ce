"""Review: what someone forgot to take out again.

Debugger calls and prints, unfinished work, code that was commented out, merge conflict markers. Sees added lines
only. Knows nothing of what the change is for.
"""

import re
from collections.abc import Iterator

import libcst as cst

from karkhana.domain.evidence import Finding, Severity
from karkhana.quality.review.subject import File, Subject, rules

_LONGEST = 400
_CODE_HINT = re.compile(r"[=(\[]|^(return|import|from|raise|del|pass|break|continue|yield)\b|:$")
_DIRECTIVE = re.compile(
    r"^(type:|noqa|pragma|pylint|ruff|mypy|fmt:|isort|nosec|!|-\*-|TODO|FIXME|XXX|>>>)", re.IGNORECASE
)


def leftovers(subject: Subject) -> Iterator[Finding]:
    """Findings ``debug-leftover`` and ``merge-marker``."""
    for file in subject.files:
        if file.after is None or not file.is_text:
            continue
        yield from _merge_markers(file)
        if not file.is_test:
            yield from _patterns(file)
            if file.is_python:
                yield from _commented_out(file)


def _merge_markers(file: File) -> Iterator[Finding]:
    opened = [n for n, text in file.diff.added_lines() if text.startswith("<<<<<<< ")]
    closed = [n for n, text in file.diff.added_lines() if text.startswith(">>>>>>> ")]
    if opened and closed:
        yield file.finding("merge-marker", "holds merge conflict markers", opened[0], Severity.ERROR)


def _patterns(file: File) -> Iterator[Finding]:
    for rule in rules()["leftovers"]:
        if not file.path.endswith(tuple(rule["files"])):
            continue
        pattern = re.compile(rule["pattern"])
        if rule.get("unless_before") and re.search(pattern.pattern, file.text_before, re.MULTILINE):
            continue
        for number, text in file.diff.added_lines():
            if pattern.search(text[:_LONGEST]):
                yield file.finding("debug-leftover", f"this line {rule['message']}: {text.strip()[:80]}", number)


def _commented_out(file: File) -> Iterator[Finding]:
    for number, text in file.diff.added_lines():
        comment = text.strip()
        if comment.startswith("#") and _is_code(comment.lstrip("#").strip()):
            yield file.finding("debug-leftover", f"this line is code that was commented out: {comment[:80]}", number)


def _is_code(text: str) -> bool:
    if not text or len(text) > _LONGEST or _DIRECTIVE.match(text) or not _CODE_HINT.search(text):
        return False
    try:
        statement = cst.parse_statement(f"{text} pass" if text.endswith(":") else text)
    except (cst.ParserSyntaxError, RecursionError):
        return False
    if not isinstance(statement, cst.SimpleStatementLine):
        return True
    only = statement.body[0]
    prose = isinstance(only, cst.AnnAssign) and only.value is None
    return not prose and (not isinstance(only, cst.Expr) or isinstance(only.value, cst.Call | cst.Await | cst.Yield))
