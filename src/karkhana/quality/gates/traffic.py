"""Gate ``traffic``: what does the application answer to recorded requests, before the change and after it?

Requests come from HAR files and cassettes of the base commit and from the examples of its OpenAPI descriptions. They
are asked in process, in the sandbox, twice of either program: what differs by itself is no difference. A new server
error is always blamed. Another status, header or value, or a field that is gone, is blamed unless the ticket, or a test
that the change brings along or alters, speaks of that path or field. New fields are told only.

Without a recording, or without a change of anything that the application is made of, there is nothing to say. Knows
nothing of requests that nobody recorded, nor of what an answer costs.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence

import msgspec

from karkhana.domain.errors import ToolRefused
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.ports import GateContext, Workspace
from karkhana.quality import paths
from karkhana.quality.changed import changed_functions
from karkhana.quality.contracts.openapi.documents import Unreadable, load, plain
from karkhana.quality.contracts.openapi.generated import generate
from karkhana.quality.diffs import line_diff
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural, printable, some
from karkhana.quality.traffic.comparing import Difference, Kind, differences
from karkhana.quality.traffic.examples import from_description
from karkhana.quality.traffic.recordings import distinct, from_cassette, from_har
from karkhana.quality.traffic.requests import Request
from karkhana.quality.traffic.sandboxed import Replayed, Survey, replay, survey
from karkhana.syntax import Unparsable

NAME = "traffic"
_BLAMED = (Kind.BROKEN, Kind.CHANGED, Kind.LOST)
_READERS = {"hars": from_har, "cassettes": from_cassette}


class Traffic:
    """Replays recorded requests against the programs before and after."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        if not any(_matters(path) for path in context.change.paths):
            return _nothing("nothing that an application is made of changed")
        known = survey(context.before)
        if not known.applications:
            return _nothing("no web application found")
        requests = recorded(context.before, known)
        if not requests:
            return _nothing("no recorded request, and no example in an OpenAPI description")
        before = [_replay(context.before, requests) for _ in range(2)]
        after = [_replay(context.after, requests) for _ in range(2)]
        for side, words in ((before, "before"), (after, "after")):
            found = side[0].found
            if not found.application:
                why = some([f"{name}: {reason}" for name, reason in found.failed.items()]) or "none was found"
                return _unknown(f"no application could be started {words} the change: {why}")
        found_differences = differences(
            requests, [r.answers for r in before], [r.answers for r in after], limits(NAME)["headers"]
        )
        if not found_differences:
            return _unknown(f"none of {plural(len(requests), 'recorded request')} was answered before and after")
        return judge(found_differences, _wishes(context), len(requests))


def recorded(workspace: Workspace, known: Survey) -> list[Request]:
    """What the repository holds, recordings before examples."""
    found: list[Request] = []
    for kind, reader in _READERS.items():
        for path in getattr(known, kind):
            content = _read(workspace, path)
            found += reader(path, content) if content is not None else []
    found += _examples(workspace, known)
    return distinct(found, int(limits(NAME)["requests"]))


def _examples(workspace: Workspace, known: Survey) -> Iterator[Request]:
    told = False
    for path in known.descriptions:
        content = _read(workspace, path)
        try:
            document = plain(load(content)) if content is not None else None
        except Unreadable:
            continue
        told = True
        yield from from_description(path, document)
    if not told:
        for name, document in generate(workspace, limits("openapi_contract")["timeout_s"]).descriptions.items():
            yield from from_description(name, document)


def _read(workspace: Workspace, path: str) -> bytes | None:
    try:
        return workspace.read(path)
    except ToolRefused:
        return None


def _matters(path: str) -> bool:
    ending = posixpath.splitext(path)[1].lower()
    return ending in limits(NAME)["kinds"] and not paths.is_test(path) and paths.is_executable_kind(path)


def _replay(workspace: Workspace, requests: Sequence[Request]) -> Replayed:
    rule = limits(NAME)
    return replay(
        workspace, requests, seconds=rule["answer_s"], largest=int(rule["largest"]), timeout_s=rule["timeout_s"]
    )


class Wishes(msgspec.Struct, frozen=True):
    """What ticket and changed tests speak of."""

    ticket: str
    tests: str

    def include(self, difference: Difference) -> bool:
        """Whether they speak of the path of the request, or the ticket of the field."""
        if difference.kind is Kind.BROKEN:
            return False
        path = difference.request.path.rstrip("/")
        segments = [s for s in path.split("/") if s]
        if segments and re.search(_like(segments), self.ticket + "\n" + self.tests):
            return True
        name = difference.field
        return len(name) > 2 and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", self.ticket) is not None


def _like(segments: Sequence[str]) -> str:
    """A path as a test or a ticket writes it: numbers and identifiers are any."""
    parts = [
        r"[^/\s\"'?]+" if re.fullmatch(r"\d+|[0-9a-f-]{16,}", segment) else re.escape(segment) for segment in segments
    ]
    return "/" + "/".join(parts) + r"/?(?=[\s\"'?`),.;:]|$)"


def _wishes(context: GateContext) -> Wishes:
    tests = [
        _altered(path, before, after)
        for path, (before, after) in context.contents.items()
        if paths.is_test(path) and path.endswith(".py") and after is not None
    ]
    return Wishes(context.ticket.text, "\n".join(tests))


def _altered(path: str, before: bytes | None, after: bytes) -> str:
    """What a change made of a file of tests: whole functions that differ, and lines outside of functions."""
    try:
        file = changed_functions(path, before, after)
    except Unparsable:
        return "\n".join(text for _, text in line_diff(before, after).added_lines())
    wanted = {*file.lines, *(n for f in file.functions for n in range(f.place.top, f.place.end + 1))}
    return "\n".join(text for number, text in enumerate(file.text.splitlines(), 1) if number in wanted)


def judge(found: Sequence[Sequence[Difference]], wishes: Wishes, asked: int) -> GateResult:
    """``found``: the differences of each request that both programs answered."""
    blamed = [[d for d in each if d.kind in _BLAMED and not wishes.include(d)] for each in found]
    differing = sum(bool(each) for each in found)
    bad = [each for each in blamed if each]
    broken = sum(any(d.kind is Kind.BROKEN for d in each) for each in found)
    summary = (
        f"{len(found)} of {plural(asked, 'recorded request')} replayed: {differing} answered otherwise than before"
    )
    if differing:
        summary += f", {differing - len(bad)} of them as asked for or harmless"
    return GateResult(
        gate=NAME,
        status=GateStatus.FAILED if bad else GateStatus.PASSED,
        summary=summary + (f"; {plural(broken, 'new server error')}" if broken else ""),
        measures={
            "requests": float(len(found)),
            "differing": float(differing),
            "unasked": float(len(bad)),
            "broken": float(broken),
        },
        findings=tuple(_findings(found, blamed)),
    )


def _findings(found: Sequence[Sequence[Difference]], blamed: Sequence[Sequence[Difference]]) -> Iterator[Finding]:
    rows = [(d, d in bad) for each, bad in zip(found, blamed, strict=True) for d in _worst(each, bad)]
    rows.sort(key=lambda row: (not row[1], row[0].kind is not Kind.BROKEN))
    for difference, is_blamed in rows[: int(limits(NAME)["shown"])]:
        yield Finding(
            rule=f"traffic:{difference.kind.value}",
            message=printable(
                f"{difference.request.shown}: {difference.part} was {difference.before}, is {difference.after}"
            ),
            severity=Severity.WARNING if is_blamed else Severity.INFO,
        )


def _worst(each: Sequence[Difference], bad: Sequence[Difference]) -> list[Difference]:
    """At most two of a request: one that is blamed first."""
    return [*bad, *(d for d in each if d not in bad)][:2]


def _nothing(summary: str) -> GateResult:
    return GateResult(gate=NAME, status=GateStatus.PASSED, summary=summary, measures={"requests": 0.0})


def _unknown(summary: str) -> GateResult:
    return GateResult(gate=NAME, status=GateStatus.UNKNOWN, summary=summary)
