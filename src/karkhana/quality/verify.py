"""Runs the gates on a change and collects what they find.

A gate that breaks for reasons of the machinery is UNKNOWN, with the reason; anything else that escapes a gate
is a bug and rises. Knows nothing of what the evidence is worth.

    evidence = verify(default_gates(), context, review=findings, progress=lambda r: print(r.gate, r.status))
"""

from collections.abc import Callable, Iterable

from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus
from karkhana.ports import Gate, GateContext
from karkhana.quality.gates.selection import left_out


def verify(
    gates: Iterable[Gate],
    context: GateContext,
    *,
    review: tuple[Finding, ...] = (),
    alternatives: int = 0,
    disagreement: float = 0.0,
    progress: Callable[[GateResult], None] | None = None,
    to_the_end: bool = True,
) -> Evidence:
    """Measure the change by every gate, in order.

    Without ``to_the_end`` dear gates are left out once a hard one has failed: nothing that they find could let the
    change go ahead then. ``progress`` is called after each gate. ``review``, ``alternatives`` and ``disagreement`` are
    carried over into the evidence as they are.
    """
    results = list[GateResult]()
    decided = False
    for gate in gates:
        result = check(left_out(gate) if decided else gate, context)
        results.append(result)
        decided = decided or (not to_the_end and result.hard and result.status is GateStatus.FAILED)
        if progress is not None:
            progress(result)
    return Evidence(gates=tuple(results), review=review, alternatives=alternatives, disagreement=disagreement)


def check(gate: Gate, context: GateContext) -> GateResult:
    """One gate's result; UNKNOWN when the sandbox or a tool broke under it."""
    try:
        return gate.check(context)
    except (InfrastructureFailure, ToolRefused) as failure:
        return GateResult(gate=gate.name, status=GateStatus.UNKNOWN, summary=f"could not measure: {failure.message}")
