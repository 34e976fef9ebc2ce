"""How much effort each gate is given: cheap ones run always and as they are, dear ones by what the change risks.

The lower the chance that a change needs a fix later, the smaller the run of a dear gate: fewer faults, inputs, rounds.
A kind of bug that names a gate makes it thorough, whatever the chance. When a hard gate has failed, a person decides
whatever dear gates would find, so they are left out. What is shortened or left out says so in its result; the limits of
each effort are in ``selection.toml``. Knows nothing of how the chance is found, nor of what a result is worth.

>>> from karkhana.quality.gates import default_gates
>>> chosen = select(default_gates(), risk=0.01, checks=("differential",))
>>> [effort_of(gate) for gate in chosen if gate.name in ("suite", "mutation", "differential")]
['usual', 'brief', 'thorough']
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import msgspec

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.ports import Gate, GateContext
from karkhana.quality.gates.limits import other_limits

Effort = Literal["brief", "usual", "thorough"]
LEFT_OUT = "left out: a hard gate has failed, so a person decides whatever this one would find"


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed form of ``selection.toml``."""

    dear: frozenset[str]
    remembered: frozenset[str]
    brief_below: float
    thorough_from: float
    brief: dict[str, dict[str, Any]]
    thorough: dict[str, dict[str, Any]]

    def limits(self, gate: str, effort: Effort) -> Mapping[str, Any]:
        """What differs from the usual limits; nothing where this effort is the usual one."""
        return {"brief": self.brief, "usual": {}, "thorough": self.thorough}[effort].get(gate, {})


@lru_cache(maxsize=1)
def rules() -> Rules:
    """The ones that ship with Karkhana."""
    data = resources.files("karkhana.quality.gates").joinpath("selection.toml").read_bytes()
    return msgspec.toml.decode(data, type=Rules)


def select(
    gates: Iterable[Gate],
    *,
    risk: float | None,
    checks: Collection[str] = (),
    decided: bool = False,
    effort: Effort | Literal["auto"] = "auto",
) -> tuple[Gate, ...]:
    """The gates as they should run.

    ``risk``: chance in [0,1] that the change needs a fix later; ``None``: nothing is known, which asks for the usual
    effort. ``checks``: gates that the kinds of bugs which the change invites ask for. ``decided``: a hard gate has
    failed already. ``effort`` other than "auto" is what all dear gates get, and none is left out.
    """
    return tuple(_one(gate, risk, checks, decided, effort) for gate in gates)


def left_out(gate: Gate) -> Gate:
    """A gate in whose place nothing is measured, if it is a dear one whose effort was not asked for by a person."""
    if gate.name not in rules().dear or getattr(gate, "forced", False):
        return gate
    return _LeftOut(gate.name)


def effort_of(gate: Gate) -> Effort:
    """The effort that a gate was given."""
    effort: Effort = getattr(gate, "effort", "usual")
    return effort


def _one(
    gate: Gate, risk: float | None, checks: Collection[str], decided: bool, effort: Effort | Literal["auto"]
) -> Gate:
    if gate.name not in rules().dear:
        return gate
    if effort != "auto":
        return _Told(gate, effort, "as the settings say", forced=True)
    if decided:
        return _LeftOut(gate.name)
    if gate.name in checks:
        return _Told(gate, "thorough", "the change invites a kind of bug that it looks for")
    if risk is not None and risk < rules().brief_below:
        return _Told(gate, "brief", f"the chance that the change needs a fix later is {risk:.2f}")
    if risk is not None and risk >= rules().thorough_from:
        return _Told(gate, "thorough", f"the chance that the change needs a fix later is {risk:.2f}")
    return gate


class _Told:
    """A gate that is given an effort, and says which and why."""

    def __init__(self, gate: Gate, effort: Effort, why: str, *, forced: bool = False) -> None:
        self.name = gate.name
        self.effort: Effort = effort
        self.forced = forced
        self._gate = gate
        self._why = why

    def check(self, context: GateContext) -> GateResult:
        rows = rules().limits(self.name, self.effort)
        if not rows:
            return self._gate.check(context)
        with other_limits(self.name, rows):
            result = self._gate.check(context)
        summary = f"{result.summary} ({self.effort}: {self._why})"
        return msgspec.structs.replace(result, summary=summary)


class _LeftOut:
    """In the place of a gate that could change nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, context: GateContext) -> GateResult:
        return GateResult(gate=self.name, status=GateStatus.UNKNOWN, summary=LEFT_OUT)
