"""The engineer without the line, and the comparison of two versions of a module, for the seeded benchmark.

Runs code of libraries as plain subprocesses: only for libraries that you trust. :func:`diagnose` tells why a bug was
not repaired: whether the original is among the changes that the engineer would try, and where.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from benchmarks.direct import work_directly
from karkhana.behaviour.observation import UNKNOWN, Observations, compare
from karkhana.behaviour.running import pytest_arguments
from karkhana.behaviour.spectra import FunctionPlace, Spectrum, measure
from karkhana.behaviour.validation import Edit, Proposal, Target, apply
from karkhana.domain.tools import CommandResult
from karkhana.engineers.symbolic.generation.hypotheses import (
    Hypothesis,
    Place,
    cut,
    declared,
    hypotheses,
    literals_of,
)
from karkhana.engineers.symbolic.localisation.localise import localise
from karkhana.engineers.symbolic.localisation.targets import choose_targets
from karkhana.workspace.memory import TemporaryWorkspace

_FEWEST_INPUTS = 5


def repair_directly(
    files: Mapping[str, str], ticket: str, command: str, module: str, timeout_s: float
) -> tuple[str | None, str]:
    """The repaired module's text, or ``None``, and what the engineer said."""
    with TemporaryWorkspace(files) as workspace:
        handover, _, _ = work_directly(workspace, ticket, tuple(command.split()), timeout_s)
        if not handover.solved:
            return None, f"{handover.reason} {handover.tried}"
        changed = {change.path: after for change, _, after in workspace.changes()}
        if module not in changed:
            return files[module], f"changed {sorted(changed)}: {handover.summary}"
        return (changed[module] or b"").decode(), handover.summary


def diagnose(files: Mapping[str, str], ticket: str, command: str, module: str, original: str) -> dict[str, Any]:
    """Where the original stands among what the engineer would try.

    ``stage``: ``no failing test``, ``not localised``, ``not generated`` or ``generated``; then ``suspect`` is the rank
    of the faulty function, ``rank`` that of the original among all changes (from 1), ``template`` what makes it.
    """
    words = tuple(command.split())
    with TemporaryWorkspace(files) as workspace:

        def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
            return workspace.run(argv, stdin=stdin, timeout_s=timeout_s)

        spectrum = measure(run, arguments=pytest_arguments(words), limit_s=1.0, seconds=60.0)
    if not spectrum.failing:
        return {"stage": "no failing test"}
    targets = choose_targets(spectrum, ticket)
    suspects = localise(spectrum, targets.chosen, ticket)
    texts = {s.path: files[s.path] for s in suspects if s.path in files}
    places: tuple[Place, ...] = tuple(
        Place(suspect=s, text=cut(texts[s.path], s), file_text=texts[s.path]) for s in suspects if s.path in texts
    )
    places += declared(places)
    messages = [f.message for n in targets.chosen[:6] if (f := spectrum.tests[n].failure) is not None]
    ideas = hypotheses(places, spectrum, literals=literals_of("\n".join([ticket, *messages])), expected=())
    return {"candidates": len(ideas), **position_of(original, module, places, ideas, files[module])}


def position_of(
    original: str, module: str, places: Sequence[Place], ideas: Sequence[Hypothesis], broken: str
) -> dict[str, Any]:
    """The rank of the first change that gives the original's syntax tree, and of the function that holds the fault."""
    first = next(
        (n for n, (a, b) in enumerate(zip(broken.splitlines(), original.splitlines(), strict=False), 1) if a != b), 1
    )
    suspect = next((n for n, p in enumerate(places, 1) if p.suspect.path == module and _holds(p, first)), None)
    if suspect is None:
        return {"stage": "not localised"}
    rank = min(restoring(original, module, places, ideas), default=None)
    if rank is None:
        return {"stage": "not generated", "suspect": suspect}
    idea = ideas[rank]
    return {"stage": "generated", "suspect": suspect, "rank": rank + 1, "template": idea.kind, "fresh": idea.fresh}


def _holds(place: Place, line: int) -> bool:
    where = place.suspect.place
    if place.declarations:
        return any(d.line <= line < d.line + d.text.count("\n") for d in place.declarations)
    return bool(where.name) and where.top <= line <= where.end


def restoring(original: str, module: str, places: Sequence[Place], ideas: Sequence[Hypothesis]) -> list[int]:
    """Numbers of the changes that give the original module's syntax tree, in order."""
    wanted, squeezed = _tree(original), _squeezed(original)
    inside = [_squeezed_inside(place, squeezed) if place.suspect.path == module else None for place in places]
    found = []
    for number, idea in enumerate(ideas):
        place, target = places[idea.suspect], inside[idea.suspect]
        # Equal trees have equal text but for blanks, parentheses, commas and quotes; parsing all would be dear.
        close = target is not None and _squeezed(apply(place.text, idea.edits)) == target
        if close and _tree(whole_module(place, idea)) == wanted:
            found.append(number)
    return found


def _squeezed_inside(place: Place, squeezed: str) -> str | None:
    """What the squeezed text of the original module has in a place; ``None`` when it differs elsewhere too."""
    if place.is_file:
        return squeezed
    lines, where = place.file_text.splitlines(keepends=True), place.suspect.place
    before, after = _squeezed("".join(lines[: where.start - 1])), _squeezed("".join(lines[where.end :]))
    if squeezed.startswith(before) and squeezed.endswith(after) and len(before) + len(after) <= len(squeezed):
        return squeezed[len(before) : len(squeezed) - len(after)]
    return None


def _squeezed(text: str) -> str:
    return text.translate(_BLANK)


_BLANK = {ord(c): None for c in " \t\r\n\f\\(),'\""}


def whole_module(place: Place, idea: Hypothesis) -> str:
    """The module's text with a change carried out."""
    new = apply(place.text, idea.edits)
    if place.is_file:
        return new
    lines = place.file_text.splitlines(keepends=True)
    where = place.suspect.place
    return "".join([*lines[: where.start - 1], new, *lines[where.end :]])


def _tree(text: str) -> str | None:
    try:
        return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError):
        return None


def same_code(one: str, other: str) -> bool:
    """Whether two modules have the same syntax tree, apart from forms that always mean the same."""
    return ast.dump(_Plain().visit(ast.parse(one))) == ast.dump(_Plain().visit(ast.parse(other)))


class _Plain(ast.NodeTransformer):
    """``not a in b`` is ``a not in b``, sums and products of whole numbers are worked out."""

    _OPPOSITE: ClassVar[dict[type[ast.cmpop], type[ast.cmpop]]] = {
        ast.In: ast.NotIn,
        ast.NotIn: ast.In,
        ast.Is: ast.IsNot,
        ast.IsNot: ast.Is,
    }

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        inner = node.operand
        if isinstance(node.op, ast.Not) and isinstance(inner, ast.Compare) and len(inner.ops) == 1:
            other = self._OPPOSITE.get(type(inner.ops[0]))
            if other is not None:
                return ast.Compare(left=inner.left, ops=[other()], comparators=inner.comparators)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant):
            left, right = node.left.value, node.right.value
            if type(left) is int and type(right) is int:
                simple = {ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right}
                if type(node.op) in simple:
                    return ast.Constant(value=simple[type(node.op)])
        return node


def same_behaviour(files: Mapping[str, str], module: str, repaired: str, broken: str, command: str) -> dict[str, Any]:
    """Whether a repaired module answers like the original (in ``files``) on inputs from the tests and made from those.

    Only inputs on which both are known count; there must be five, and on one of them the ``broken`` module differs.
    """
    original = files[module]
    with TemporaryWorkspace(files) as workspace:

        def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
            return workspace.run(argv, stdin=stdin, timeout_s=timeout_s)

        arguments = pytest_arguments(tuple(command.split()))
        spectrum = measure(run, arguments=arguments, limit_s=10.0, seconds=120.0, everything=True)
        judged: dict[str, Any] = {}
        for target, proposals in _asked(spectrum, module, original, (repaired, broken)):
            seen = compare(
                run,
                arguments=arguments,
                tests=[t.name for t in spectrum.tests],
                limits=[10.0] * len(spectrum.tests),
                targets=[target],
                variants=proposals,
                count=300,
                seconds=60.0,
                seed=99,
            )
            judged = {} if seen is None else _judged(seen)
            if judged.get("shown"):
                break
    if not judged.get("shown"):
        return {"right": False, "judged": "not observable"}
    return {"right": judged["right"], "judged": judged["judged"], "differs": judged["differs"]}


def _asked(
    spectrum: Spectrum, module: str, original: str, others: Sequence[str]
) -> Iterator[tuple[Target, list[Proposal]]]:
    """What to compare: the one function that differs; and the whole file, asked where the tests enter it."""
    for place in spectrum.functions.get(module, ()):
        texts = [_inside(original, other, place) for other in others]
        before = _inside(original, original, place) or ""
        if all(texts) and any(text != before for text in texts):
            covering = spectrum.covering(module, place.start, place.end)[:60]
            target = Target(path=module, text=before, place=place, failing=covering, passing=())
            yield target, [Proposal(0, (Edit(0, len(before), text or ""),)) for text in texts]
    covering = spectrum.covering(module, 1, original.count("\n") + 1)[:60]
    target = Target(path=module, text=original, place=None, failing=covering, passing=())
    yield target, [Proposal(0, (Edit(0, len(original), other),), fresh=True) for other in others]


def _inside(original: str, other: str, place: FunctionPlace) -> str | None:
    """The text of a function in ``other``; ``None`` when anything outside of its lines differs."""
    old, new = original.splitlines(keepends=True), other.splitlines(keepends=True)
    end = place.end + len(new) - len(old)
    same = old[: place.start - 1] == new[: place.start - 1] and old[place.end :] == new[max(end, 0) :]
    return "".join(new[place.start - 1 : end]) if same and end >= place.start else None


def _judged(seen: Observations) -> dict[str, Any]:
    """What the observations say of the first variant, the repaired program; the second is the broken one."""
    rows = [
        (text, before, repaired, broken)
        for (_, text), before, repaired, broken in zip(seen.inputs, seen.original, *seen.variants, strict=True)
        if UNKNOWN not in {before, repaired}
    ]
    shown = any(broken not in (before, UNKNOWN) for _, before, _, broken in rows)
    differs = [[text[:120], before[:80], repaired[:80]] for text, before, repaired, _ in rows if before != repaired]
    return {
        "shown": shown,
        "right": shown and not differs and len(rows) >= _FEWEST_INPUTS,
        "judged": f"{len(rows)} inputs",
        "differs": differs[:2],
    }
