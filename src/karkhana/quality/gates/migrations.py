"""Gate ``migrations``: can the change's database migrations be undone, do they lose data, do they lock tables?

Reads Alembic's and Django's migrations in the change (``quality/contracts/migrations.py``); nothing is run, so what
depends on the data is a warning. A migration that was there before and is altered is told as well: where it already
ran, the alteration never will.

Knows nothing of SQL files or other tools.
"""

import re

from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.ports import GateContext
from karkhana.quality import paths
from karkhana.quality.contracts.migrations import Risk, kind, risks
from karkhana.quality.gates.wording import plural, some
from karkhana.syntax import Unparsable

NAME = "migrations"
CODES = ("data_loss", "lock", "irreversible", "empty_downgrade", "may_fail", "altered", "deleted")


class Migrations:
    """Finds dangers in migrations."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        looked, unparsed = 0, list[str]()
        findings: list[Finding] = []
        for path in (p for p in context.change.paths if p.endswith(".py") and not paths.is_test(p)):
            before, after = context.contents[path]
            if not kind(after or b"") and not kind(before or b""):
                continue
            looked += 1
            try:
                findings += [_finding(path, risk) for risk in _judged(before, after)]
            except Unparsable:
                unparsed.append(path)
        counts = {code: float(sum(f.rule == f"migrations:{code}" for f in findings)) for code in CODES}
        return GateResult(
            gate=NAME,
            status=GateStatus.FAILED
            if any(f.severity is not Severity.INFO for f in findings)
            else GateStatus.UNKNOWN
            if unparsed
            else GateStatus.PASSED,
            summary=_summary(looked, findings, unparsed),
            measures={"migrations": float(looked), **counts},
            findings=tuple(findings),
        )


def _judged(before: bytes | None, after: bytes | None) -> list[Risk]:
    if after is None:
        return [Risk("deleted", "the migration is gone, but not where it already ran")]
    found = risks(after)
    if before is None:
        return found
    if _code(before) == _code(after):
        return []
    old = {(risk.code, risk.message) for risk in risks(before)}
    altered = Risk("altered", "the migration is altered, which does nothing where it already ran")
    return [altered, *(risk for risk in found if (risk.code, risk.message) not in old)]


def _code(source: bytes) -> list[bytes]:
    """The lines without comments at their end and empty lines."""
    lines = [re.sub(rb"\s*#.*", b"", line).rstrip() for line in source.splitlines()]
    return [line for line in lines if line]


def _finding(path: str, risk: Risk) -> Finding:
    severity = Severity.INFO if risk.doubtful else Severity.WARNING
    return Finding(rule=f"migrations:{risk.code}", message=risk.message, severity=severity, path=path, line=risk.line)


def _summary(looked: int, findings: list[Finding], unparsed: list[str]) -> str:
    if findings:
        text = (
            f"{plural(len(findings), 'danger')} in {plural(looked, 'migration')}: {some([f.message for f in findings])}"
        )
    elif not looked:
        text = "no database migration changed"
    else:
        text = (
            f"{plural(looked, 'migration')} can be undone, and {'loses' if looked == 1 else 'lose'} and block nothing"
        )
    return text + (f"; not parsable: {some(unparsed)}" if unparsed else "")
