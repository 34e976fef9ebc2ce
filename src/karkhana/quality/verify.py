"""Runs the gates on a change and collects what they find.

A gate that breaks for reasons of the machinery is UNKNOWN, with the reason; anything else that escapes a gate
is a bug and rises. Knows nothing of what the evidence is worth.

    evidence = verify(default_gates(), context, review=findings, progress=lambda r: print(r.gate, r.status))
"""

from collections.abc import Callable, Iterable

from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus
from karkhana.ports import Gate, GateContext


def verify(
    gates: Iterable[Gate],
    context: GateContext,
    *,
    review: tuple[Finding, ...] = (),
    alternatives: int = 0,
    disagreement: float = 0.0,
    progress: Callable[[GateResult], None] | None = None,
) -> Evidence:
    """Measure the change by every gate, in order.

    ``progress`` is called after each gate. ``review``, ``alternatives`` and ``disagreement`` are carried over
    into the evidence as they are.
    """
    results = []
    for gate in gates:
        result = check(gate, context)
        results.append(result)
        if progress is not None:
            progress(result)
    return Evidence(gates=tuple(results), review=review, alternatives=alternatives, disagreement=disagreement)


def check(gate: Gate, context: GateContext) -> GateResult:
    """One gate's result; UNKNOWN when the sandbox or a tool broke under it."""
    try:
        return gate.check(context)
    except (InfrastructureFailure, ToolRefused) as failure:
        return GateResult(gate=gate.name, status=GateStatus.UNKNOWN, summary=f"could not measure: {failure.message}")
