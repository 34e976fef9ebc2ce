"""The engineer without the line, and the comparison of two versions of a module, for the seeded benchmark.

Runs code of libraries as plain subprocesses: only for libraries that you trust. :func:`diagnose` tells why a bug was
not repaired: whether the original is among the changes that the engineer would try, and where.
"""

import ast
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import karkhana.behaviour
from karkhana.behaviour.observation import UNKNOWN, compare
from karkhana.behaviour.running import PROBES, Run, pytest_arguments
from karkhana.behaviour.spectra import measure
from karkhana.behaviour.validation import Edit, Proposal, Target, apply
from karkhana.domain.events import AnyEvent
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import CommandResult, RunTests
from karkhana.engineers.symbolic import SymbolicEngineer
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
from karkhana.ports import Assignment
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox

HERE = str(Path(karkhana.behaviour.__file__).parent / "probes")


class ProbedWorkspace(TemporaryWorkspace):
    """A plain folder in which the probes' path inside the sandbox works."""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult:
        words = tuple(word.replace(PROBES, HERE, 1) for word in argv)
        return super().run(words, stdin=stdin, timeout_s=timeout_s, env=env)


class NoTrail:
    """Keeps nothing."""

    def record(self, event: AnyEvent) -> None:
        pass

    def keep(self, content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()


def repair_directly(
    files: Mapping[str, str], ticket: str, command: str, module: str, timeout_s: float
) -> tuple[str | None, str]:
    """The repaired module's text, or ``None``, and what the engineer said."""
    words = tuple(command.split())
    budget = Budget(seconds=timeout_s)
    with ProbedWorkspace(files) as workspace:
        before = Toolbox(workspace, NoTrail(), budget=Budget(), test_command=words).call(RunTests(timeout_s=60.0))
        tools = Toolbox(workspace, NoTrail(), budget=budget, test_command=words)
        assignment = Assignment(
            ticket=Ticket(text=ticket), baseline=before, budget=budget, root=workspace.root, test_command=words
        )
        handover = SymbolicEngineer().work(assignment, tools, NoTrail())
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
    with ProbedWorkspace(files) as workspace:

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
    found = []
    for number, idea in enumerate(ideas):
        place = places[idea.suspect]
        if place.suspect.path == module:
            text = whole_module(place, idea)
            # Equal trees have equal text but for blanks, parentheses, commas and quotes; parsing all would be dear.
            if _squeezed(text) == squeezed and _tree(text) == wanted:
                found.append(number)
    return found


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


def same_behaviour(files: Mapping[str, str], module: str, repaired: str, command: str) -> dict[str, Any]:
    """Whether the one function that differs answers alike on inputs from the tests and made from those."""
    original = files[module]
    with ProbedWorkspace(files) as workspace:

        def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
            return workspace.run(argv, stdin=stdin, timeout_s=timeout_s)

        return _compare(run, module, original, repaired, pytest_arguments(tuple(command.split())))


def _compare(run: Run, module: str, original: str, repaired: str, arguments: tuple[str, ...]) -> dict[str, Any]:
    old, new = original.splitlines(keepends=True), repaired.splitlines(keepends=True)
    first = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0) + 1
    spectrum = measure(run, arguments=arguments, limit_s=10.0, seconds=120.0, everything=True)
    tests = [t.name for t in spectrum.tests]
    limits = [10.0] * len(tests)
    place = next((p for p in spectrum.functions.get(module, ()) if p.start <= first <= p.end), None)
    shift = len(new) - len(old)
    seen = None
    if place is not None and "".join(old[place.end :]) == "".join(new[place.end + shift :]):
        before = "".join(old[place.start - 1 : place.end])
        after = "".join(new[place.start - 1 : place.end + shift])
        covering = spectrum.covering(module, place.start, place.end)[:60]
        seen = compare(
            run,
            arguments=arguments,
            tests=tests,
            limits=limits,
            targets=[Target(path=module, text=before, place=place, failing=covering, passing=())],
            variants=[Proposal(0, (Edit(0, len(before), after),))],
            count=300,
            seconds=60.0,
            seed=99,
        )
    if seen is None or not seen.seen(0):
        # Something that runs at import, or several functions: asked where the tests enter the module.
        covering = spectrum.covering(module, 1, len(old))[:60]
        seen = compare(
            run,
            arguments=arguments,
            tests=tests,
            limits=limits,
            targets=[Target(path=module, text=original, place=None, failing=covering, passing=())],
            variants=[Proposal(0, (Edit(0, len(original), repaired),), fresh=True)],
            count=300,
            seconds=60.0,
            seed=99,
        )
    if seen is None or not seen.seen(0):
        return {"right": False, "judged": "not observable"}
    differs = [
        n
        for n, (a, b) in enumerate(zip(seen.original, seen.variants[0], strict=True))
        if a != b and UNKNOWN not in {a, b}
    ]
    examples = [[seen.inputs[n][1][:120], seen.original[n][:80], seen.variants[0][n][:80]] for n in differs[:2]]
    return {"right": not differs and len(seen.inputs) >= 5, "judged": f"{len(seen.inputs)} inputs", "differs": examples}
