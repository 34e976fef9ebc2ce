"""Review: is the code written for the test instead of for the task?

Literals of the failing tests that conditions or results are compared with, functions that now give a constant or
an argument back, conditions that decide nothing, comparisons of a thing with itself, errors that are swallowed.
Only Python is read, and only what stands on added lines. Knows nothing of whether the tests pass.

Sources: the wrong-but-passing repairs described by Smith et al., "Is the cure worse than the disease?" (2015).
"""

import itertools
import re
from collections.abc import Iterator

import libcst as cst

from karkhana.domain.evidence import Finding, Severity
from karkhana.domain.suites import Outcome
from karkhana.quality.review.subject import File, Source, Subject, rules
from karkhana.syntax import nodes

Literal = str | bytes | int | float | complex


def overfit(subject: Subject) -> Iterator[Finding]:
    """Findings ``overfit``, ``tautology``, ``constant-condition`` and ``swallowed-error``."""
    for file in subject.files:
        source = file.source_after
        if file.is_test or source is None:
            continue
        yield from _special_cases(file, source, subject)
        yield from _hollow(file, source)
        yield from _conditions(file, source)
        yield from _self_comparisons(file, source)
        yield from _swallowed(file, source)


def _special_cases(file: File, source: Source, subject: Subject) -> Iterator[Finding]:
    tested = failing_literals(subject)
    if not tested:
        return
    for node in nodes(source.module, cst.Comparison, cst.Return, cst.IfExp, cst.Dict, cst.MatchValue):
        if not file.touches(source.lines(node)):
            continue
        for part in _decisive(node):
            for value in sorted(_literals_of(part) & tested, key=repr):
                if not _innocent(value, subject) and not _known(value, file.text_before):
                    message = f"{value!r} is treated specially, which is a value of the failing test"
                    yield file.finding("overfit", message, source.line(node), Severity.ERROR)


def _decisive(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The parts of a node in which a literal singles out one case or is a ready-made result."""
    if isinstance(node, cst.Comparison):
        single = cst.Equal | cst.NotEqual | cst.In | cst.NotIn | cst.Is | cst.IsNot
        chosen = [c.comparator for c in node.comparisons if isinstance(c.operator, single)]
        return [*chosen, node.left] if chosen else []
    if isinstance(node, cst.Return):
        return [node.value] if node.value is not None and _constant(node.value) else []
    if isinstance(node, cst.IfExp):
        return [side for side in (node.body, node.orelse) if _constant(side)]
    if isinstance(node, cst.Dict):
        return [e.key for e in node.elements if isinstance(e, cst.DictElement)]
    return [node]


def failing_literals(subject: Subject) -> frozenset[Literal]:
    """Literals that the failing tests show: in their messages and tracebacks."""
    found: set[Literal] = set()
    for result in subject.baseline.results:
        if result.outcome in (Outcome.FAILED, Outcome.ERROR):
            for line in f"{result.message}\n{result.traceback}".splitlines():
                found |= _line_literals(line)
    return frozenset(found)


def _line_literals(line: str) -> set[Literal]:
    """Literals of a line of a traceback, which may be code, code after a marker, or words."""
    text = line.strip().lstrip("E>").strip()
    for start in (text, text.partition(": ")[2]):
        if start and len(start) < 500:
            try:
                statement = cst.parse_statement(start + (" pass" if start.endswith(":") else ""))
            except (cst.ParserSyntaxError, RecursionError):
                continue
            return _literals_of(statement)
    return set()


def _known(value: Literal, text: str) -> bool:
    """Whether the file mentioned the value before."""
    if isinstance(value, str):
        return value in text
    return re.search(rf"(?<![\w.]){re.escape(str(value))}(?![\w.])", text) is not None


def _literals_of(node: cst.CSTNode) -> set[Literal]:
    found: set[Literal] = {literal.evaluated_value for literal in nodes(node, cst.SimpleString)}
    found |= {literal.evaluated_value for literal in nodes(node, cst.Integer)}
    return found | {literal.evaluated_value for literal in nodes(node, cst.Float)}


def _innocent(value: Literal, subject: Subject) -> bool:
    limit = rules()["overfit"]
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("utf-8", "replace")
        return len(text.strip()) < limit["shortest_string"] or text in subject.ticket.text
    return value in limit["innocent_numbers"] or str(value) in subject.words


def _hollow(file: File, source: Source) -> Iterator[Finding]:
    """Functions that computed something and now only give back constants or arguments."""
    before = file.source_before
    for name, function in source.functions.items():
        old = before.functions.get(name) if before else None
        if old is None or not file.touches(source.lines(function)):
            continue
        now, was = _results(function), _results(old)
        if now and was and all(_is_given(n, function) for n in now) and not all(_is_given(n, old) for n in was):
            kind = "a constant" if all(_constant(n) for n in now) else "an argument or a constant"
            message = f"{name} computed its result before and now only returns {kind}"
            yield file.finding("overfit", message, source.line(function.name), Severity.ERROR)


def _results(function: cst.FunctionDef) -> list[cst.BaseExpression]:
    returns = _own(function.body, cst.Return)
    return [r.value for r in returns if isinstance(r, cst.Return) and r.value is not None]


def _own(node: cst.CSTNode, kind: type[cst.CSTNode]) -> list[cst.CSTNode]:
    """Nodes of a kind, without those of nested functions and classes."""
    found: list[cst.CSTNode] = []
    for child in node.children:
        if isinstance(child, kind):
            found.append(child)
        if not isinstance(child, cst.FunctionDef | cst.ClassDef | cst.Lambda):
            found += _own(child, kind)
    return found


def _constant(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.UnaryOperation):
        return _constant(node.expression)
    if isinstance(node, cst.Tuple | cst.List | cst.Set):
        return all(_constant(e.value) for e in node.elements)
    if isinstance(node, cst.Dict):
        return not node.elements
    if isinstance(node, cst.Name):
        return node.value in ("True", "False", "None")
    return isinstance(node, cst.Integer | cst.Float | cst.Imaginary | cst.SimpleString | cst.ConcatenatedString)


def _is_given(node: cst.BaseExpression, function: cst.FunctionDef) -> bool:
    """A constant, or a parameter that the function never changes."""
    if _constant(node):
        return True
    params = function.params
    names = {p.name.value for p in (*params.posonly_params, *params.params, *params.kwonly_params)}
    if not isinstance(node, cst.Name) or node.value not in names:
        return False
    changed = map(_changed_by, nodes(function.body))
    return not any(isinstance(each, cst.Name) and each.value == node.value for each in changed)


def _changed_by(node: cst.CSTNode) -> cst.CSTNode | None:
    """What a node may change: the target of an assignment or loop, what is subscripted or has a method called."""
    if isinstance(node, cst.AssignTarget | cst.AugAssign | cst.AnnAssign | cst.NamedExpr | cst.For):
        return node.target
    if isinstance(node, cst.Subscript):
        return node.value
    return node.func.value if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else None


def _conditions(file: File, source: Source) -> Iterator[Finding]:
    for node in nodes(source.module, cst.If, cst.While, cst.IfExp, cst.BooleanOperation):
        if isinstance(node, cst.BooleanOperation):
            tests: list[cst.BaseExpression] = [node.left, node.right] if _decides(node) else []
        else:
            assert isinstance(node, cst.If | cst.While | cst.IfExp)
            tests = [node.test]
        for test in tests:
            endless = isinstance(node, cst.While) and source.code(test).strip() in ("True", "1")
            if _constant(test) and not endless and file.touches(source.lines(test)):
                message = f"this condition is always the same: {source.code(test).strip()[:80]}"
                yield file.finding("constant-condition", message, source.line(test), Severity.ERROR)


def _decides(node: cst.BooleanOperation) -> bool:
    """``x or "default"`` gives a value; only booleans within it decide nothing."""
    return any(isinstance(side, cst.Name) and side.value in ("True", "False") for side in (node.left, node.right))


def _self_comparisons(file: File, source: Source) -> Iterator[Finding]:
    for node in nodes(source.module, cst.Comparison):
        sides = [node.left, *(c.comparator for c in node.comparisons)]
        pairs = itertools.pairwise(sides)
        if not file.touches(source.lines(node)) or not any(a.deep_equals(b) for a, b in pairs):
            continue
        is_nan = len(sides) == 2 and isinstance(node.comparisons[0].operator, cst.NotEqual)
        if not is_nan:
            message = f"compares a thing with itself: {source.code(node)[:80]}"
            yield file.finding("tautology", message, source.line(node), Severity.ERROR)


def _swallowed(file: File, source: Source) -> Iterator[Finding]:
    for node in nodes(source.module, cst.ExceptHandler):
        caught = node.type.value if isinstance(node.type, cst.Name) else node.type
        broad = caught in (None, "Exception", "BaseException")
        if broad and file.touches(source.lines(node)) and _hides(node.body):
            message = "catches every error and hides it"
            yield file.finding("swallowed-error", message, source.line(node), Severity.WARNING)


def _hides(body: cst.BaseSuite) -> bool:
    quiet = (cst.Pass, cst.Continue, cst.Break)
    for line in body.body:
        for statement in line.body if isinstance(line, cst.SimpleStatementLine) else (line,):
            returns = isinstance(statement, cst.Return) and (statement.value is None or _constant(statement.value))
            if not isinstance(statement, quiet) and not returns:
                return False
    return True
