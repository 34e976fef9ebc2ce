"""Gate ``api_fuzz``: does a changed endpoint fail on requests that its description allows, or does not?

schemathesis asks the operations that the change touches, of the program after it and, where it objects to something, of
the one before. What it objects to in both is old. A server error is asked again of both programs, in processes of their
own; one that only the program after gives is blamed, as are answers that break the described schema or media type. A
status that nobody described is no fault: few descriptions name them all.

UNKNOWN when schemathesis is not installed, the application does not start, or nothing describes it although it changed.
Knows nothing of sequences of requests, nor of what an answer should have said.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from karkhana.domain.errors import ToolRefused
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.ports import GateContext, Workspace
from karkhana.quality import reach
from karkhana.quality.contracts.openapi.documents import Unreadable, load, plain
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural, printable, some
from karkhana.quality.traffic.endpoints import Operation, answered_otherwise, described_otherwise, only, operations
from karkhana.quality.traffic.fuzzing import Failure, Fuzzed, FuzzLimits, Looked, base_of, fuzz, look
from karkhana.quality.traffic.sandboxed import replay, survey
from karkhana.syntax import Unparsable

NAME = "api_fuzz"
SERVER_ERROR = "not_a_server_error"
_ERRORS = 500


class _Side(msgspec.Struct, frozen=True):
    """One program: how it is found, and what describes it."""

    looked: Looked
    description: dict[str, Any] | None
    generated: bool

    @property
    def base(self) -> str:
        return base_of(self.description, generated=self.generated)


class ApiFuzz:
    """Fuzzes the operations that a change touches."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        if not reach.python_code(context) and not any(
            p in survey(context.after).descriptions for p in context.change.paths
        ):
            return _nothing("the change has no code outside tests")
        if not survey(context.after).applications:
            return _nothing("no web application found")
        before, after = _side(context.before), _side(context.after)
        if not after.looked.application:
            return _unknown(f"no application could be started: {_why(after.looked)}")
        if after.description is None:
            return _unknown(f"no OpenAPI description of {after.looked.application} is known")
        touched = _touched(context, before, after)
        if not touched:
            return _nothing("no described endpoint is known to reach what changed")
        most = int(limits(NAME)["operations"])
        asked = only(after.description, touched[:most])
        found = fuzz(context.after, asked, after.base, _limits(min(len(touched), most)))
        if found.missing:
            return _unknown("schemathesis is not installed: run `karkhana doctor` for the command that adds it")
        old = _old(context.before, before, touched[:most]) if found.failures else Fuzzed(complete=True)
        new, unsure = _new(context, found, old)
        if not found.complete and not new:
            return _unknown(f"the endpoints could not be fuzzed to the end: {found.why}")
        return judge(new, unsure, touched, most, known=len(found.failures) - len(new) - len(unsure))


def _side(workspace: Workspace) -> _Side:
    looked = look(workspace, limits(NAME)["start_s"])
    if looked.description is not None:
        return _Side(looked, looked.description, generated=True)
    for path in survey(workspace).descriptions if looked.application else ():
        try:
            document = plain(load(workspace.read(path) or b""))
        except (Unreadable, ToolRefused):
            continue
        if any(True for _ in operations(document)):
            return _Side(looked, document, generated=False)
    return _Side(looked, None, generated=False)


def _touched(context: GateContext, before: _Side, after: _Side) -> list[Operation]:
    """In the order of the description."""
    new = after.description or {}
    found = described_otherwise(before.description or {}, new)
    if before.description is None:
        found = set()  # nothing to compare with: what is described for the first time is no change of each endpoint
    if not after.looked.routes:
        found |= {operation for operation, _ in operations(new)} if reach.python_code(context) else set()
    else:
        try:
            files = reach.changed_files(context)
        except Unparsable:
            found |= {operation for operation, _ in operations(new)}
        else:
            found |= answered_otherwise(new, after.looked.routes, files)
    return [operation for operation, _ in operations(new) if operation in found]


def _limits(count: int) -> FuzzLimits:
    rule = limits(NAME)
    seconds = min(rule["most_s"], rule["least_s"] + count * rule["operation_s"])
    return FuzzLimits(
        examples=int(rule["examples"]),
        checks=list(rule["checks"]),
        seconds=rule["answer_s"],
        cpu_s=int(seconds),
        total_s=rule["wall"] * seconds,
    )


def _old(workspace: Workspace, side: _Side, touched: Sequence[Operation]) -> Fuzzed:
    """What the program before is blamed for by the same means; nothing where it had none of these operations."""
    known = {operation for operation, _ in operations(side.description)}
    common = [operation for operation in touched if operation in known]
    if not side.looked.application or side.description is None or not common:
        return Fuzzed(complete=True)
    return fuzz(workspace, only(side.description, common), side.base, _limits(len(common)))


def _new(context: GateContext, found: Fuzzed, old: Fuzzed) -> tuple[list[tuple[Failure, str]], list[Failure]]:
    """Objections that are new, each with a word on the answers; and server errors that did not show again."""
    known = {failure.key for failure in old.failures}
    errors = _first([f for f in found.failures if f.check == SERVER_ERROR], int(limits(NAME)["again"]))
    # without the whole of both runs nobody can say which of them are old
    both = found.complete and old.complete
    others = _first([f for f in found.failures if both and f.check != SERVER_ERROR and f.key not in known], 1)
    rule = limits(NAME)
    sides = [
        replay(w, [f.request for f in errors], seconds=rule["answer_s"], largest=1000, timeout_s=rule["most_s"]).answers
        for w in ((context.before, context.after) if errors else ())
    ]
    new: list[tuple[Failure, str]] = []
    unsure: list[Failure] = []
    for number, failure in enumerate(errors):
        was, now = (side.get(number) for side in sides)
        if now is None or now.status < _ERRORS:
            unsure.append(failure)
        elif was is None or was.status < _ERRORS:
            new.append(
                (failure, f"{now.status}{f' ({now.error})' if now.error else ''}, was {was.status if was else '-'}")
            )
    # an answer that is a server error breaks its schema as well: one word on it is enough
    failing = {failure.operation for failure, _ in new}
    return [*new, *((f, "") for f in others if f.operation not in failing)], unsure


def _first(failures: Sequence[Failure], most: int) -> list[Failure]:
    """Of each key the first ``most``."""
    counts: dict[tuple[str, ...], int] = {}
    kept = []
    for failure in failures:
        counts[failure.key] = counts.get(failure.key, 0) + 1
        if counts[failure.key] <= most:
            kept.append(failure)
    return kept


def judge(
    new: Sequence[tuple[Failure, str]],
    unsure: Sequence[Failure],
    touched: Sequence[Operation],
    most: int,
    *,
    known: int,
) -> GateResult:
    """What the objections say of the change."""
    endpoints = {failure.operation for failure, _ in new}
    count = min(len(touched), most)
    summary = f"{plural(count, 'changed endpoint')} fuzzed: {plural(len(endpoints), 'endpoint')} newly at fault"
    if len(touched) > most:
        summary += f"; {len(touched) - most} more were left out"
    if unsure:
        summary += f"; {plural(len(unsure), 'server error')} did not show again"
    return GateResult(
        gate=NAME,
        status=GateStatus.FAILED if new else GateStatus.PASSED,
        summary=summary,
        measures={
            "endpoints": float(count),
            "at_fault": float(len(endpoints)),
            "server_errors": float(len({f.operation for f, _ in new if f.check == SERVER_ERROR})),
            "known": float(max(0, known)),
        },
        findings=tuple(_findings(new)),
    )


def _findings(new: Sequence[tuple[Failure, str]]) -> Iterator[Finding]:
    shown: set[tuple[str, ...]] = set()
    for failure, said in new:
        if failure.key in shown or len(shown) >= limits(NAME)["shown"]:
            continue
        shown.add(failure.key)
        words = said or f"{failure.title}: {failure.message.strip().splitlines()[0] if failure.message.strip() else ''}"
        body = failure.request.body[:80].decode("utf-8", "replace")
        yield Finding(
            rule=f"{NAME}:{failure.check}",
            message=printable(f"{failure.request.shown}{f' with {body}' if body else ''}: {words}"),
            severity=Severity.WARNING,
        )


def _why(looked: Looked) -> str:
    return some([f"{name}: {reason}" for name, reason in looked.failed.items()]) or "none was found"


def _nothing(summary: str) -> GateResult:
    return GateResult(gate=NAME, status=GateStatus.PASSED, summary=summary, measures={"endpoints": 0.0})


def _unknown(summary: str) -> GateResult:
    return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=summary)
