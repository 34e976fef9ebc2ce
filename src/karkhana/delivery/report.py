"""A run as a page of Markdown: what was asked, what was wrong, the diff, the tests, the confidence, the decision.

Everything from outside (ticket, engineer, tests, paths) is untrusted: prose is escaped, blocks are fenced longer
than any fence inside them. Knows nothing of where the page is shown.

    Path("report.md").write_text(report(dossier))
"""

from collections.abc import Sequence

import msgspec

from karkhana.delivery.text import clean, fenced, inline
from karkhana.domain.changes import Change
from karkhana.domain.confidence import Confidence
from karkhana.domain.evidence import Evidence, Finding, GateStatus, Severity
from karkhana.domain.policy import Decision
from karkhana.domain.risks import Risk, in_full
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Ticket
from karkhana.ports import Receipt

TICKET_MAX = 8_000
DIFF_MAX = 60_000
FINDINGS_MAX = 50

_GLYPHS = {GateStatus.PASSED: "✔ passed", GateStatus.FAILED: "✘ failed", GateStatus.UNKNOWN: "? not measured"}
_SEVERITIES = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report tells about a run."""

    run_id: str
    task_id: str
    ticket: Ticket
    change: Change
    baseline: TestReport | None
    """``None``: the suite was not measured before the change."""
    result: TestReport | None
    evidence: Evidence
    confidence: Confidence
    decision: Decision
    receipt: Receipt | None = None
    risk: Risk | None = None


def report(dossier: Dossier) -> str:
    """The page, ending with a line feed."""
    sections = [
        f"# {inline(dossier.change.title or dossier.ticket.title)}",
        _facts(dossier),
        "## What was asked\n\n" + fenced(_cut(dossier.ticket.text, TICKET_MAX), "text"),
        "## What was wrong, and what changed\n\n" + fenced(dossier.change.summary or "(nothing said)", "text"),
        "## The change\n\n" + _files(dossier.change) + "\n\n" + fenced(_cut(dossier.change.patch, DIFF_MAX), "diff"),
        "## Tests\n\n" + _tests(dossier.baseline, dossier.result),
        "## Confidence\n\n" + _confidence(dossier.confidence),
        *(["## Risk\n\n" + fenced("\n".join(in_full(dossier.risk)), "text")] if dossier.risk is not None else []),
        "## Gates\n\n" + _gates(dossier.evidence),
        "## Findings\n\n" + _findings(dossier.evidence),
        "## How to check this\n\n" + _trail(dossier),
    ]
    return "\n\n".join(sections) + "\n"


def _facts(dossier: Dossier) -> str:
    decision = dossier.decision
    waits = ", waits for an approval" if decision.needs_approval else ""
    rows = [
        ("Score", f"**{dossier.confidence.score:.2f}**"),
        ("Decision", f"**{decision.verdict}**{waits} ({inline(decision.reason)})"),
        ("Engineer", inline(dossier.change.engineer)),
        ("Base", f"`{_code(dossier.change.base)}`"),
    ]
    if dossier.receipt is not None:
        where = f" on {inline(dossier.receipt.remote)}" if dossier.receipt.remote else ""
        rows.append(("Branch", f"`{_code(dossier.receipt.branch)}`{where}, commit `{_code(dossier.receipt.commit)}`"))
    rows += [("Task", f"`{_code(dossier.task_id)}`"), ("Run", f"`{_code(dossier.run_id)}`")]
    return _table(("", ""), rows)


def _files(change: Change) -> str:
    verbs = {(True, False): "added", (False, True): "deleted"}
    return "\n".join(
        f"- {verbs.get((file.before is None, file.after is None), 'changed')} `{_code(file.path)}`"
        for file in change.files
    )


def _tests(before: TestReport | None, after: TestReport | None) -> str:
    measured = [(when, suite) for when, suite in (("before", before), ("after", after)) if suite is not None]
    if not measured:
        return "(the suite was not measured)"
    rows = [(when, *_counted(suite)) for when, suite in measured]
    table = _table(("", "passed", "failed", "error", "skipped", "seconds"), rows)
    passed = set(after.passed) if after is not None else set()
    lists = _names("Failed before and pass now", [n for n in before.failing if n in passed] if before else [])
    lists += _names("Still failing", list(measured[-1][1].failing))
    return "\n\n".join([table, *lists])


def _counted(suite: TestReport) -> tuple[str, ...]:
    counts = suite.counts()
    numbers = [str(counts[name]) for name in ("passed", "failed", "error", "skipped")]
    return (*numbers, f"{suite.duration_s:.2f}" + (" (timed out)" if suite.timed_out else ""))


def _names(title: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f"\n- and {len(names) - 20} more" if len(names) > 20 else ""
    return [f"{title}:\n\n" + "\n".join(f"- `{_code(name)}`" for name in names[:20]) + more]


def _confidence(confidence: Confidence) -> str:
    rows = [
        (
            c.name.replace("_", " "),
            f"{c.value:.2f}",
            f"{c.weight:.2f}",
            f"{c.value * c.weight:.3f}",
            inline(c.because, 600),
        )
        for c in confidence.components
    ]
    table = _table(("component", "value", "weight", "contributes", "because"), rows)
    size = confidence.calibration_size
    known = f"calibrated on {size} outcomes" if size else "not calibrated by outcomes yet"
    caps = "".join(f"\n- held down: {inline(cap)}" for cap in confidence.caps)
    return f"{table}\n\nWeights {_code(confidence.weights_version)}, {known}." + (f"\n{caps}" if caps else "")


def _gates(evidence: Evidence) -> str:
    rows = [(g.gate, _GLYPHS[g.status] + (" (hard)" if g.hard else ""), inline(g.summary, 600)) for g in evidence.gates]
    return _table(("gate", "result", "what it found"), rows) if rows else "No gate ran."


def _findings(evidence: Evidence) -> str:
    found = [*evidence.review, *(f for gate in evidence.gates for f in gate.findings)]
    if not found:
        return "None."
    more = f"\n- and {len(found) - FINDINGS_MAX} more" if len(found) > FINDINGS_MAX else ""
    return "\n".join(_finding(f) for f in found[:FINDINGS_MAX]) + more


def _finding(finding: Finding) -> str:
    place = f" `{_code(finding.path)}{f':{finding.line}' if finding.line else ''}`" if finding.path else ""
    return f"- {_SEVERITIES[finding.severity]} ({inline(finding.rule)}){place}: {inline(finding.message)}"


def _trail(dossier: Dossier) -> str:
    run = _code(dossier.run_id)
    commands = [f"karkhana runs trace {run}", f"karkhana runs verify {run}", f"karkhana runs replay {run}"]
    if dossier.decision.needs_approval and dossier.receipt is None:
        commands.append(f"karkhana runs approve {run} --comment '...'")
    return "Every step is in the trail:\n\n" + fenced("\n".join(commands), "sh")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _code(text: str) -> str:
    """Fit for the inside of a code span, also within a table."""
    return " ".join(clean(text).replace("`", "'").replace("|", "¦").split())[:300]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n… ({len(text) - most} more characters)"
