"""Gate ``flaky``: which failing tests say nothing about the change?

Tests that passed before the change and fail after it are run again (``reruns``) before the gate ``suite`` blames
the change. Those that fail now and then are named here. Knows nothing of why they do.
"""

from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.ports import GateContext
from karkhana.quality.gates.reruns import NAME, rerun
from karkhana.quality.gates.wording import plural, some


class Flaky:
    """Tells broken tests from those that fail now and then."""

    name = NAME

    def check(self, context: GateContext) -> GateResult:
        found = rerun(context)
        measures = {"flaky": float(len(found.flaky)), "blamed": float(len(found.blamed))}
        measures["only_after"] = float(len(found.only_after))
        if not found.suspects:
            summary = "no test passed before and fails after"
        elif found.note and not found.flaky:
            summary = f"{plural(len(found.suspects), 'failing test')} could not be run again: {found.note}"
        elif found.flaky:
            summary = f"{some(tuple(found.flaky))} would fail now and then without the change as well"
        else:
            summary = f"{some(found.blamed)} fails each time, and only after the change"
        unknown = found.note and not found.flaky
        return GateResult(
            gate=NAME,
            status=GateStatus.UNKNOWN if unknown else GateStatus.FAILED if found.flaky else GateStatus.PASSED,
            summary=summary,
            measures=measures,
            findings=tuple(
                Finding(
                    rule="flaky:test",
                    message=f"{name} {how}",
                    severity=Severity.INFO,
                    path=name.split("::")[0],
                )
                for name, how in found.flaky.items()
            ),
        )
