"""Evidence: what the gates found out about a change."""

import enum

import msgspec


class Severity(enum.StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One remark on a change, tied to a place."""

    rule: str
    """Stable name, e.g. ``weakened-test`` or ``ruff:S105``."""
    message: str
    severity: Severity = Severity.WARNING
    path: str = ""
    line: int = 0
    """1-based line in the new file; 0 when there is none."""


class GateStatus(enum.StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    """The change is worse by this gate's measure."""
    UNKNOWN = "unknown"
    """The gate could not measure. Never counts as good."""


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate measured."""

    gate: str
    status: GateStatus
    hard: bool = False
    """A failed hard gate rules out delivery without a human, whatever the score."""
    summary: str
    """One sentence for a person."""
    measures: dict[str, float] = {}
    """Named numbers, e.g. ``{"changed_lines": 3, "covered_lines": 3}``."""
    findings: tuple[Finding, ...] = ()


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about a change when its confidence is computed."""

    gates: tuple[GateResult, ...]
    review: tuple[Finding, ...] = ()
    """Findings of the self-review that still stand."""
    alternatives: int = 0
    """Other candidates that passed the same tests."""
    disagreement: float = 0.0
    """Share, in [0,1], of generated inputs on which passing candidates behave differently from the chosen one."""
    probability: float | None = None
    """The engineer's calibrated probability, in [0,1], that its change is right; ``None`` when it states none."""
    risk: float | None = None
    """Chance, in [0,1], that a change like this one needs a fix later, from the history; ``None``: not known."""
    risk_reasons: tuple[str, ...] = ()
    """What makes it risky or not, the weightiest first."""

    def gate(self, name: str) -> GateResult | None:
        return next((g for g in self.gates if g.gate == name), None)
