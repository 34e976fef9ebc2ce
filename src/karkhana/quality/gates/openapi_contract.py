"""Gate ``openapi_contract``: does the change break clients of an HTTP interface?

Compares OpenAPI descriptions before and after: files in the change, files that a changed file is part of, and what
FastAPI, Flask and Django applications write of themselves when they are imported in the sandbox. A break that the
ticket asks for, or that comes with a new major version of the interface, is told and not blamed. An application that
can no longer describe itself is UNKNOWN, as is a description with references that were not followed.

Knows nothing of behaviour behind an unchanged description.
"""

import json
import posixpath
import re
from collections.abc import Callable, Iterator

import msgspec

from karkhana.domain.errors import ToolRefused
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.ports import GateContext
from karkhana.quality import paths
from karkhana.quality.contracts.openapi import Comparison, ContractChange, Unreadable, Weight, compare
from karkhana.quality.contracts.openapi.generated import Generated, generate
from karkhana.quality.contracts.openapi.lines import lines
from karkhana.quality.gates.intent import intended, raised
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural, some

NAME = "openapi_contract"
_DATA = (".json", ".yaml", ".yml")
_BEGINNING = re.compile(rb"""\s*(?:\{\s*)?(?:#[^\n]*\n\s*)*["']?(?:openapi|swagger)["']?\s*:""")
_GENERIC = frozenset({"path", "query", "header", "cookie", "parameter", "of", "anonymous", "unnamed", "an", "one"})
Read = Callable[[str], bytes | None]


class _Seen(msgspec.Struct):
    """What the gate has found so far."""

    compared: list[str] = []
    unknown: list[str] = []
    changes: list[tuple[str, ContractChange, bool]] = []
    """Description, change, and whether it is intended."""


class OpenApiContract:
    """Compares descriptions, written and generated."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        seen = _Seen()
        for path in _descriptions(context):
            before, after = _reader(context, 0), _reader(context, 1)
            _compare(path, (before(path), after(path)), (before, after), context, seen)
        if any(paths.is_python(p) and not paths.is_test(p) for p in context.change.paths):
            _compare_applications(context, seen)
        blamed = [change for _, change, wanted in seen.changes if change.severity is Weight.BREAKING and not wanted]
        wanted = sum(1 for _, _, intent in seen.changes if intent)
        return GateResult(
            gate=NAME,
            status=GateStatus.FAILED if blamed else GateStatus.UNKNOWN if seen.unknown else GateStatus.PASSED,
            summary=_summary(seen, blamed, wanted),
            measures={
                "descriptions": float(len(seen.compared)),
                "breaking": float(len(blamed)),
                "intended": float(wanted),
                "risky": float(sum(change.severity is Weight.RISKY for _, change, _ in seen.changes)),
            },
            findings=tuple(_findings(seen, _reader(context, 1))),
        )


def _descriptions(context: GateContext) -> list[str]:
    """Descriptions that the change alters, or that a file which it alters may be a part of."""
    changed = [p for p in context.change.paths if p.lower().endswith(_DATA) and not paths.is_test(p)]
    own = [p for p in changed if _is_description(p, context)]
    rest = [p for p in changed if p not in own]
    if not rest:
        return own
    folders = {posixpath.dirname(p) for p in rest}
    above = {"/".join(parts[:n]) for f in folders for parts in [f.split("/")] for n in range(len(parts) + 1)}
    known = _reader(context, 1)
    names = [f"{name}{end}" for name in limits(NAME)["names"] for end in _DATA]
    places = [posixpath.join(folder, name) for folder in sorted(above) for name in names]
    return own + [p for p in places if p not in own and known(p) is not None and b"$ref" in (known(p) or b"")]


def _is_description(path: str, context: GateContext) -> bool:
    name = posixpath.basename(path).lower()
    sides = [content for content in context.contents[path] if content is not None]
    return any(_BEGINNING.match(content[:4096]) for content in sides) or name.startswith(tuple(limits(NAME)["names"]))


def _reader(context: GateContext, side: int) -> Read:
    """Reads files as they were before (0) or are after (1) the change."""
    workspace = (context.before, context.after)[side]

    def read(path: str) -> bytes | None:
        if path in context.contents:
            return context.contents[path][side]
        try:
            return workspace.read(path)
        except ToolRefused:
            return None

    return read


def _compare(
    path: str, texts: tuple[bytes | None, bytes | None], read: tuple[Read, Read], context: GateContext, seen: _Seen
) -> None:
    before, after = texts
    if before is None:
        return
    if after is None:
        seen.unknown.append(f"{path} was deleted")
        return
    try:
        found = compare(path, before, after, read_old=read[0], read_new=read[1])
    except Unreadable as error:
        if _speaks(before):
            seen.unknown.append(f"{path} cannot be compared: {error}")
        return
    seen.compared.append(path)
    if found.unread or not found.complete:
        seen.unknown.append(
            f"{path} refers to {some(found.unread)}, which was not followed" if found.unread else f"{path} is too large"
        )
    _keep(path, found, context, seen)


def _keep(path: str, found: Comparison, context: GateContext, seen: _Seen) -> None:
    major = raised(*found.versions)
    for change in found.changes:
        if change.severity is not Weight.COMPATIBLE:
            asked = major or intended(context.ticket.text, _names(change))
            wanted = change.severity is Weight.BREAKING and asked
            seen.changes.append((path, change, wanted))


def _names(change: ContractChange) -> tuple[str, ...]:
    """What a ticket has to name: the thing itself, or the path when the whole operation is meant."""
    own = tuple(word for word in re.findall(r"[\w./{}-]+", change.name) if word not in _GENERIC)
    whole = change.code.startswith(("path_", "operation_", "security_", "body_", "response_removed", "required_body"))
    return (*own, *change.operation.split()[1:]) if whole else own


def _compare_applications(context: GateContext, seen: _Seen) -> None:
    timeout_s = limits(NAME)["timeout_s"]
    after = generate(context.after, timeout_s)
    before = generate(context.before, timeout_s) if after.descriptions or after.failed else Generated()
    if not after.descriptions and not after.failed:
        return
    for name, why in after.failed.items():
        worse = " any more" if name in before.descriptions else ""
        seen.unknown.append(f"{name} does not describe itself{worse}: {why}")
    for name, old in before.descriptions.items():
        new = after.descriptions.get(name)
        if new is None and name not in after.failed:
            seen.unknown.append(f"the application {name} is gone")
        elif new is not None:
            texts = json.dumps(old).encode(), json.dumps(new).encode()
            _compare(name, texts, (_nothing, _nothing), context, seen)


def _speaks(content: bytes) -> bool:
    """Whether a file that cannot be read means to be a description."""
    return re.search(rb"""^\W{0,20}(?:openapi|swagger)\W{1,9}\d""", content, re.MULTILINE) is not None


def _nothing(path: str) -> bytes | None:
    return None


def _findings(seen: _Seen, read: Read) -> Iterator[Finding]:
    order = sorted(seen.changes, key=lambda each: (each[1].severity is not Weight.BREAKING, each[2]))
    shown = order[: limits(NAME)["most"]]
    places = [_place(path, change) for path, change, _ in shown]
    known = {
        file: lines(read(file) or b"", [pointer for other, pointer in places if other == file])
        for file in dict.fromkeys(file for file, _ in places if file)
    }
    for (_, change, wanted), (file, pointer) in zip(shown, places, strict=True):
        told = change.severity is Weight.BREAKING and not wanted
        yield Finding(
            rule=f"openapi:{change.code}",
            message=change.message + (" (the ticket or the version says so)" if wanted else ""),
            severity=Severity.WARNING if told else Severity.INFO,
            path=file,
            line=known.get(file, {}).get(pointer, 0),
        )


def _place(path: str, change: ContractChange) -> tuple[str, str]:
    """The file and pointer of a change; what an application wrote of itself is in none."""
    file, _, pointer = (change.new or change.old).partition("#")
    return ("", "") if ":" in path else (file or path, pointer)


def _summary(seen: _Seen, blamed: list[ContractChange], wanted: int) -> str:
    if blamed:
        text = f"{plural(len(blamed), 'change')} that can break clients: {some([c.message for c in blamed])}"
    elif seen.compared:
        text = f"{plural(len(seen.compared), 'OpenAPI description')} stayed compatible"
    else:
        text = "no OpenAPI description changed"
    if wanted:
        text += f"; asked for: {plural(wanted, 'break')}"
    return text + (f"; {some(seen.unknown)}" if seen.unknown else "")
