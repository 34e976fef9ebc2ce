"""Review: does the change make the tests judge less?

Deleted tests, fewer or emptier assertions, added skips, loosened tolerances, broader expected errors, changed
expectations, tests left out by configuration, hooks into their runner. Python is parsed; other languages are looked at
line by line. Knows nothing of whether the tests pass.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import libcst as cst

from karkhana.domain.evidence import Finding, Severity
from karkhana.quality import paths
from karkhana.quality.review.subject import File, Source, Subject, rules
from karkhana.syntax import nodes


def weakened(subject: Subject) -> Iterator[Finding]:
    """Findings ``weakened-test``, ``deleted-test``, ``changed-expectation`` and ``test-harness``."""
    present = {name for f in subject.files if f.is_test for name in _tests(f.source_after)}
    for file in subject.files:
        yield from _left_out(file)
        yield from _harness(file)
        if not file.is_test:
            continue
        if file.is_python and paths.is_test_module(file.path):
            yield from _deleted(file, present)
            yield from _changed(file)
        elif not file.is_python and paths.is_executable_kind(file.path) and file.is_text:
            yield from _other_language(file)


def _tests(source: Source | None) -> dict[str, cst.FunctionDef]:
    if source is None:
        return {}
    return {n: f for n, f in source.functions.items() if n.rpartition(".")[2].startswith("test")}


def _deleted(file: File, present: set[str]) -> Iterator[Finding]:
    before = _tests(file.source_before)
    moved = {name.rpartition(".")[2] for name in present}
    gone = [name for name in before if name not in _tests(file.source_after) and name.rpartition(".")[2] not in moved]
    if gone and not file.unreadable:
        what = f"deletes the test{'s' if len(gone) > 1 else ''} {', '.join(gone[:3])}"
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        yield file.finding("deleted-test", what + more, severity=Severity.ERROR)


def _changed(file: File) -> Iterator[Finding]:
    source, old = file.source_after, file.source_before
    if source is None:
        return
    before = _tests(old)
    for name, test in _tests(source).items():
        line = source.line(test.name)
        yield from (
            file.finding("weakened-test", f"{name}: {said}", line, Severity.ERROR)
            for said in _empty(source, test, file)
        )
        if old is not None and name in before:
            was = _Judgement(old, before[name])
            now = _Judgement(source, test)
            for said in _weaker(was, now):
                yield file.finding("weakened-test", f"{name} {said}", line, Severity.ERROR)
            if now.count >= was.count and was.asserts - now.asserts:
                yield file.finding("changed-expectation", f"{name} expects something else now", line)


class _Judgement:
    """What one test demands."""

    def __init__(self, source: Source, test: cst.FunctionDef) -> None:
        self.asserts = Counter(source.code(n).strip() for n in nodes(test, cst.Assert, cst.Call) if _asserts(n))
        self.skips = _skips(source, test)
        self.broad = sum(_expects_anything(call) for call in nodes(test, cst.Call))
        self.tolerances = _tolerances(source.code(test))

    @property
    def count(self) -> int:
        return sum(self.asserts.values())


def _asserts(node: cst.CSTNode) -> bool:
    if not isinstance(node, cst.Call):
        return isinstance(node, cst.Assert)
    name = _called(node)
    return name.startswith(("assert", "fail")) or name in ("raises", "warns")


def _expects_anything(call: cst.Call) -> bool:
    if not call.args or _called(call) not in ("raises", "assertRaises"):
        return False
    first = call.args[0].value
    return isinstance(first, cst.Name) and first.value in ("Exception", "BaseException")


def _called(call: cst.Call) -> str:
    """The last part of the called name; empty for what has none."""
    name = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    return name.value if isinstance(name, cst.Name) else ""


def _weaker(was: _Judgement, now: _Judgement) -> Iterator[str]:
    if now.count < was.count:
        yield f"has {now.count} assertions, {was.count} before"
    if now.skips > was.skips:
        yield "is skipped or expected to fail now"
    if now.broad > was.broad:
        yield "expects any exception now"
    for name, value in now.tolerances.items():
        old = was.tolerances.get(name)
        if old is not None and (value < old if name in rules()["tolerances"]["inverse"] else value > old):
            yield f"allows more now: {name} goes from {old:g} to {value:g}"
        elif old is None and was.count and name not in rules()["tolerances"]["inverse"]:
            yield f"allows more now: {name} is {value:g}"


def _skips(source: Source, test: cst.FunctionDef) -> int:
    wanted = set(rules()["skips"]["decorators"])
    decorators = [set(re.findall(r"\w+", source.code(d.decorator).split("(")[0])) for d in test.decorators]
    return sum(bool(words & wanted) for words in decorators) + len(
        re.findall(rules()["skips"]["python"], source.code(test.body))
    )


def _tolerances(code: str) -> dict[str, float]:
    """The loosest value of every tolerance that is named in a call."""
    data: dict[str, Any] = rules()["tolerances"]
    names = [*data["names"], *data["inverse"]]
    found: dict[str, float] = {}
    for name, text in re.findall(rf"\b({'|'.join(names)})\s*=\s*([0-9.]+(?:e[+-]?\d+)?)\b", code):
        try:
            value = float(text)
        except ValueError:
            continue
        loosest = min if name in data["inverse"] else max
        found[name] = loosest(found.get(name, value), value)
    return found


def _empty(source: Source, test: cst.FunctionDef, file: File) -> Iterator[str]:
    """Assertions on added lines that can never fail."""
    for node in nodes(test, cst.Assert):
        if file.touches(source.lines(node)) and (_always_true(node.test) or _same_sides(source, node.test)):
            yield f"asserts nothing: {source.code(node).strip()[:80]}"


def _always_true(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.BooleanOperation) and isinstance(node.operator, cst.Or):
        return _always_true(node.left) or _always_true(node.right)
    if isinstance(node, cst.Integer):
        return node.evaluated_value != 0
    if isinstance(node, cst.SimpleString):
        return bool(node.evaluated_value)
    return isinstance(node, cst.Name) and node.value == "True"


def _same_sides(source: Source, node: cst.BaseExpression) -> bool:
    if not isinstance(node, cst.Comparison) or len(node.comparisons) != 1:
        return False
    target = node.comparisons[0]
    same = source.code(node.left).strip() == source.code(target.comparator).strip()
    return same and isinstance(target.operator, cst.Equal | cst.Is | cst.LessThanEqual | cst.GreaterThanEqual)


def _left_out(file: File) -> Iterator[Finding]:
    data = rules()["deselection"]
    if file.path.rsplit("/", 1)[-1] not in data["files"]:
        return
    for number, text in file.diff.added_lines():
        if not text.lstrip().startswith(("#", ";")) and re.search(data["pattern"], text[:1000]):
            message = f"leaves tests out: {text.strip()[:80]}"
            yield file.finding("weakened-test", message, number, Severity.ERROR)


def _harness(file: File) -> Iterator[Finding]:
    data = rules()["harness"]
    name = file.path.rpartition("/")[2]
    if name in data["files"] and file.after is not None:
        yield file.finding("test-harness", "every Python process runs this file first, that of the tests as well")
    configures = name in rules()["deselection"]["files"] and not file.is_python
    if not file.is_text or not (file.is_python or configures):
        return
    pattern = re.compile(data["python"] if file.is_python else data["configuration"])
    for number, text in file.diff.added_lines():
        if pattern.search(text[:1000]):
            yield file.finding("test-harness", f"changes how tests are run or judged: {text.strip()[:80]}", number)


def _other_language(file: File) -> Iterator[Finding]:
    if file.after is None:
        yield file.finding("deleted-test", "deletes a file of tests", severity=Severity.ERROR)
        return
    for number, text in file.diff.added_lines():
        if re.search(rules()["skips"]["other"], text[:1000]):
            yield file.finding("weakened-test", f"skips a test: {text.strip()[:80]}", number, Severity.ERROR)
    pattern = re.compile(rules()["skips"]["asserts_other"])
    lost = sum(bool(pattern.search(t[:1000])) for _, t in file.diff.removed_lines())
    won = sum(bool(pattern.search(t[:1000])) for _, t in file.diff.added_lines())
    if lost > won:
        yield file.finding("weakened-test", f"has {lost - won} assertions fewer than before", severity=Severity.ERROR)
