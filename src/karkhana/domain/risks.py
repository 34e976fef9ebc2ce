"""How likely a change is to need a repair later, which kinds of bugs it would bring, and what looks for them.

Said before any gate runs, from the history and the lines of the change alone. Knows nothing of how it is found out.

>>> Risk(chance=0.31, kinds=(LikelyBug(kind="time", says="a clock is wrong", share=0.4, usual=0.1),)).kinds[0].lift
4.0
"""

import msgspec

_SHOWN = 2
"""Inviting lines of a kind that a person is shown; the trail has more."""


class InvitingLine(msgspec.Struct, frozen=True, kw_only=True):
    """One added line that invites a kind of bug."""

    path: str
    line: int
    """1-based, after the change."""
    text: str


class LikelyBug(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of bug that a change may bring."""

    kind: str
    says: str
    share: float
    """Probability, in [0,1], that a bug of this change is of this kind; all kinds sum to 1."""
    usual: float
    """The same for any change of this repository."""
    evidence: tuple[InvitingLine, ...] = ()
    repaired_here: tuple[str, ...] = ()
    """Past repairs of this kind in the files of the change, as commits, the newest last."""
    checks: tuple[str, ...] = ()
    """Names of the checks that look for it."""
    asks: bool = False
    """The change itself speaks for this kind, so that its checks are asked for."""

    @property
    def lift(self) -> float:
        """How much more often this kind than for any change of this repository."""
        return self.share / self.usual if self.usual else 1.0


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """The chance that a change needs a fix later, and why."""

    chance: float | None
    """In [0,1]; ``None``: nothing can be said."""
    reasons: tuple[str, ...] = ()
    kinds: tuple[LikelyBug, ...] = ()
    """The likeliest kinds of bugs first; none for a change without code."""
    checks: tuple[str, ...] = ()
    """Names of the gates that look for the kinds that the change speaks for, the likeliest kind's first."""
    advice: tuple[str, ...] = ()
    """What no gate does, for a person who reviews the change."""


def in_brief(risk: Risk) -> str:
    """One line.

    >>> in_brief(Risk(chance=0.312, kinds=(LikelyBug(kind="time", says="a clock is wrong", share=0.4, usual=0.1),)))
    '31% of changes like this one needed a fix later; if so, most likely: time (40%)'
    """
    head = "how often changes like this one need a fix is not known"
    if risk.chance is not None:
        head = f"{risk.chance:.0%} of changes like this one needed a fix later"
    if not risk.kinds:
        return head
    return f"{head}; if so, most likely: " + ", ".join(f"{kind.kind} ({kind.share:.0%})" for kind in risk.kinds)


def in_full(risk: Risk) -> list[str]:
    """Lines for a person who reviews the change: why, which kinds of bugs, where they would be, what nobody tried."""
    plain = msgspec.structs.replace(risk, kinds=())
    found = [in_brief(plain), *(f"    {reason}" for reason in risk.reasons[:3])]
    if risk.kinds:
        found.append("If it brings a bug, most likely:")
    for kind in risk.kinds:
        than = f" (of any change here {kind.usual:.0%})"
        found.append(f"    {kind.share:.0%} {kind.kind}: {kind.says}{than}")
        found += [f"        {line.path}:{line.line}: {line.text}" for line in kind.evidence[:_SHOWN]]
        if kind.repaired_here:
            found.append("        repaired in these files before: " + ", ".join(c[:12] for c in kind.repaired_here))
    if risk.checks:
        found.append("Looked at the more closely for that: " + ", ".join(risk.checks))
    if risk.advice:
        found += ["No gate looks for this, so a person should:", *(f"    {one}" for one in risk.advice)]
    return found
