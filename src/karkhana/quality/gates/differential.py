"""Gate ``differential``: where does the code do something else than before, and was that asked for?

Runs the program before and after the change on inputs that tests give the changed functions, and on inputs made from
those (``behaviour.difference``). A difference is *intended* when it is like what the tests that need the change show:

- the input comes from such a test, or
- the program after went on from a changed line in a way that it went for such a test too, and what happened before is
  of the kind that such a test complained about (an answer, or an error of that type).

All others are unintended. Examples in the documentation of a changed function, and what the ticket says that it should
give, are asked of both programs as well. Without a test that needs the change no difference is intended: the change
then says of itself that it keeps the behaviour.

Knows nothing else of what the ticket says in words, nor of inputs that tests never come near.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from karkhana.behaviour.difference import Comparison, Pair, Revised, differences
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.suites import Outcome
from karkhana.ports import GateContext
from karkhana.quality import paths, reach
from karkhana.quality.changed import ChangedFile, changed_functions
from karkhana.quality.examples import documentation, examples
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural
from karkhana.syntax import Unparsable

NAME = "differential"


class Differential:
    """Compares the programs before and after on recorded and generated inputs."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        try:
            files = [f for f in reach.changed_files(context) if f.functions or f.outside]
        except Unparsable as error:
            return _unknown(f"the changed code cannot be read: {error}")
        if not files:
            code = reach.python_code(context)
            return _unknown("no function changed") if code else _same()
        needing, others = _tests(context, files)
        if not needing and not others:
            return _unknown("no test that passes is known to reach the changed code")
        swapped = all(file.swappable for file in files)
        found = _compare(context, files, needing, others, fresh=not swapped)
        if not found.pairs and swapped:
            # Functions that capture other variables than before cannot stand in for each other.
            found = _compare(context, files, needing, others, fresh=True)
        return judge(found.pairs, found.examples)


def against(context: GateContext, other: Mapping[str, bytes | None]) -> tuple[Pair, ...] | None:
    """The program after the change beside another one, on inputs that tests of the change lead to.

    ``other``: path → bytes of the files in which the other program is not the one before the change. Each pair has as
    ``before`` what the other program does. ``None``: the two are the same; no pairs: they cannot be compared. Raises
    ``InfrastructureFailure``.
    """
    if _differ_elsewhere(context, other):
        return ()
    files = []
    try:
        for path in sorted({*reach.python_code(context), *(p for p in other if p.endswith(".py"))}):
            before, after = context.contents.get(path) or (None, context.after.read(path))
            text = other.get(path, before)
            if after is not None and after != text:
                files.append(changed_functions(path, text, after))
        changed = reach.changed_files(context)
    except Unparsable:
        return ()
    taken = {(file.path, name) for file in changed for name in file.gone}
    if any((file.path, name) in taken for file in files for name in file.gone):
        return ()  # no input shows that a function is no longer there
    files = [file for file in files if file.functions or file.outside]
    if not files:
        return None
    needing, others = _tests(context, changed)
    if not needing and not others:
        return ()
    fresh = not all(file.swappable for file in files)
    return _compare(context, files, needing, others, fresh=fresh).pairs


def _differ_elsewhere(context: GateContext, other: Mapping[str, bytes | None]) -> bool:
    """Whether the two have different files beside Python's, or one of them a file that the other has not."""
    for path in {*context.change.paths, *other}:
        if not paths.is_test(path) and paths.is_executable_kind(path):
            before, after = context.contents.get(path) or (None, context.after.read(path))
            text = other.get(path, before)
            if after != text and (not path.endswith(".py") or after is None or (text is None and path in other)):
                return True
    return False


def _unknown(summary: str) -> GateResult:
    return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=summary)


def _same() -> GateResult:
    return GateResult(
        gate=NAME,
        status=GateStatus.PASSED,
        summary="the change has no code outside tests",
        measures=Account(pairs=()).measures(),
    )


def _tests(context: GateContext, files: Iterable[ChangedFile]) -> tuple[list[str], list[str]]:
    """Tests that reach the changed code: those that need the change, and the quickest of the others."""
    measurement = reach.measured(context, after=True)
    found: set[str] = set()
    for file in files:
        spans = [(f.place.start, f.place.end) for f in file.functions] or [(1, file.text.count("\n") + 1)]
        for first, last in spans:
            found |= reach.tests_reaching(measurement, file.path, range(first, last + 1))
    wanted = reach.target_tests(context)
    rows = sorted((r for r in context.result.results if r.name in found), key=lambda r: r.duration_s)
    needing = [r.name for r in rows if r.name in wanted]
    others = [r.name for r in rows if r.name not in wanted]
    most = int(limits(NAME)["tests"])
    return needing[:most], others[: max(0, most - len(needing))]


def _compare(
    context: GateContext, files: Sequence[ChangedFile], needing: list[str], others: list[str], *, fresh: bool
) -> Comparison:
    rule = limits(NAME)
    revised = _revised(files, fresh=fresh)
    texts = {file.path: file.text for file in files}
    tests = [*needing, *others]
    durations = {r.name: r.duration_s for r in context.result.results if r.outcome is Outcome.PASSED}
    return differences(
        reach.run_in(context.after),
        arguments=reach.arguments_for(context, tests),
        tests=tests,
        limits=[max(rule["shortest_s"], rule["times"] * durations[name]) for name in tests],
        needing=range(len(needing)),
        others=range(len(needing), len(tests)),
        revised=revised,
        fresh=fresh,
        examples=[
            (number, call, said)
            for number, one in enumerate(revised)
            if one.place is not None and not one.place.classes
            for call, said in examples(one.place.name, documentation(one.text), context.ticket.text, texts[one.path])
        ],
        lines={file.path: {*file.lines, *(n for f in file.functions for n in f.lines)} for file in files},
        count=int(rule["inputs"]),
        scripts=int(rule["scripts"]),
        seconds=min(rule["most_s"], max(rule["least_s"], rule["suites"] * context.result.duration_s)),
    )


def _revised(files: Iterable[ChangedFile], *, fresh: bool) -> list[Revised]:
    found: list[Revised] = []
    for file in files:
        found += [
            Revised(path=file.path, place=f.place, text=f.text, old=f.old or "")
            for f in file.functions
            if f.old is not None or fresh
        ]
        if fresh and file.old is not None:
            quiet = bool(file.functions)
            found.append(Revised(path=file.path, place=None, text=file.text, old=file.old, quiet=quiet))
    return found


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the inputs."""

    pairs: tuple[Pair, ...]
    intended: tuple[Pair, ...] = ()
    unintended: tuple[Pair, ...] = ()
    left: int = 0
    """Inputs on which the error that a test complained about is still there."""
    examples: tuple[tuple[bool, bool], ...] = ()
    """Per example, whether the program before and the one after keep it."""

    @property
    def broken(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.unintended if pair.breaks)

    def measures(self) -> dict[str, float]:
        total = len(self.pairs) or 1
        near = [pair for pair in self.pairs if pair.origin.endswith("passing")]
        return {
            "inputs": float(len(self.pairs)),
            "same": float(len(self.pairs) - len(self.intended) - len(self.unintended)),
            "intended": float(len(self.intended)),
            "unintended": float(len(self.unintended)),
            "broken": float(len(self.broken)),
            "unintended_share": round(len(self.unintended) / total, 4),
            "broken_share": round(len(self.broken) / total, 4),
            "left_share": round(self.left / total, 4),
            "changed_share": round(sum(p.differs for p in near) / (len(near) or 1), 4),
            "examples": float(len(self.examples)),
            "examples_failed": float(sum(not after for _, after in self.examples)),
            "examples_lost": float(sum(before and not after for before, after in self.examples)),
        }


def account(pairs: Iterable[Pair], kept: tuple[tuple[bool, bool], ...] = ()) -> Account:
    """Tell intended differences from others."""
    found = tuple(pairs)
    models = [pair for pair in found if pair.origin == "failing" and pair.differs]
    ways = frozenset(way for pair in models for way in pair.ways)
    complaints = frozenset(_kind(pair.before) for pair in models)
    errors = {kind for kind in complaints if kind[:1] in "!~"} - {_kind(pair.after) for pair in models}
    may_break = any(pair.breaks for pair in models)

    def intended(pair: Pair) -> bool:
        if pair.origin == "failing":
            return True
        if pair.breaks and not may_break:
            return False
        return _kind(pair.before) in complaints and (not pair.ways or not ways.isdisjoint(pair.ways))

    differing = [pair for pair in found if pair.differs]
    return Account(
        pairs=found,
        examples=kept,
        intended=tuple(pair for pair in differing if intended(pair)),
        unintended=tuple(pair for pair in differing if not intended(pair)),
        left=sum(not pair.differs and _kind(pair.after) in errors for pair in found),
    )


def _kind(outcome: str) -> str:
    """An answer, no end, or an error of one type."""
    if outcome[:1] != "!":
        return outcome[:1]
    return outcome.split(" and ", 1)[0].split(":", 1)[0]


def judge(pairs: Sequence[Pair], kept: tuple[tuple[bool, bool], ...] = ()) -> GateResult:
    """What the pairs, and the examples that either program keeps, say of the change."""
    found = account(pairs, kept)
    rule = limits(NAME)
    if len(pairs) < rule["fewest"]:
        return _unknown(f"only {plural(len(pairs), 'input')} could be given to the program before and after")
    share = len(found.unintended) / len(pairs)
    worst = sorted(found.unintended, key=lambda p: (not p.breaks, p.kind != "call", len(p.text), p.text))
    differing = len(found.intended) + len(found.unintended)
    summary = f"of {len(pairs)} inputs {differing} give another outcome than before"
    if differing:
        summary += f", {len(found.intended)} of them in the way that the tests ask for"
    lost = found.measures()["examples_lost"]
    if lost:
        summary += f"; {plural(int(lost), 'example')} of the documentation no longer true"
    return GateResult(
        gate=NAME,
        status=GateStatus.FAILED if share > rule["unintended"] or lost else GateStatus.PASSED,
        summary=summary,
        measures=found.measures(),
        findings=tuple(
            Finding(
                rule="differential:broken" if pair.breaks else "differential:unintended",
                message=f"{pair.text}: {_shown(pair.before)} before, {_shown(pair.after)} after",
                severity=Severity.INFO,
            )
            for pair in worst[: int(rule["shown"])]
        ),
    )


def _shown(outcome: str) -> str:
    text = {"=": "", "!": "raises ", "~": "no end"}[outcome[:1]] + outcome[1:]
    return text if len(text) <= 80 else text[:77] + "…"
