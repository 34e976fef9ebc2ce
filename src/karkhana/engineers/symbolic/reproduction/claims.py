"""What should hold and does not: claims, and which of them go into the test. Knows scores; runs nothing."""

import msgspec

from karkhana.engineers.symbolic.reproduction.trial import Outcome, Trial

EQUAL, RAISES, HOLDS, RUNS = "equal", "raises", "holds", "runs"
LEAST = 0.5
"""Score of the weakest claim that a test is written for."""
CONFIRMED = 0.35
"""More when what the ticket says to happen does happen."""
SHOWN = 0.1
"""More for a result in a block of its own than for one in the midst of prose."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What should hold and does not."""

    kind: str
    """``equal``, ``raises``, ``holds`` (a statement with an assertion) or ``runs`` (no exception)."""
    trial: Trial
    outcome: Outcome
    expected: str = ""
    """Python; the exception's name for ``raises``."""
    form: str = ""
    """How the result is compared: ```` directly, ``repr``, ``str`` or ``list``."""
    score: float
    now: str
    """What happens now, in words."""
    source: int = -1
    """Which of the results that stand apart it rests on; -1: one that belongs to its call."""

    @property
    def wanted(self) -> str:
        """What the ticket asks for, in words."""
        subject = self.trial.scene.subject
        return {
            EQUAL: f"`{subject}` should give `{self.expected}`",
            RAISES: f"`{subject}` should raise {self.expected}",
            HOLDS: f"`{subject}` should hold",
            RUNS: f"`{subject}` should not raise",
        }[self.kind]


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a ticket's scenes."""

    claims: tuple[Claim, ...] = ()
    """Best first; only those that contradict what happens now."""
    agreeing: tuple[str, ...] = ()
    """Expectations that are met already, in words."""
    silent: tuple[str, ...] = ()
    """What scenes give now of which the ticket says nothing that can be checked."""
    broken: tuple[str, ...] = ()
    """Why scenes could not be run."""


def paired(claims: list[Claim]) -> list[Claim]:
    """Each result that stands apart belongs to one call: in order when there are as many, else to the likeliest."""
    kept = [c for c in claims if c.source < 0]
    owned = {c.expected for c in kept}
    apart = [c for c in claims if c.source >= 0 and c.expected not in owned]
    subjects = list(dict.fromkeys((c.trial.scene.setup, c.trial.scene.subject) for c in apart))
    sources = sorted({c.source for c in apart})
    if len(subjects) == len(sources) > 1:
        pairs = dict(zip(subjects, sources, strict=True))
        return kept + [c for c in apart if pairs[c.trial.scene.setup, c.trial.scene.subject] == c.source]
    for source in sources:
        rivals = [c for c in apart if c.source == source]
        kept.append(max(rivals, key=lambda c: (c.score, c.trial.scene.origin)))
    return kept


def chosen(claims: tuple[Claim, ...], limit: int = 4) -> tuple[Claim, ...]:
    """The claims that go into the test: the best, and others as good about other calls."""
    found: list[Claim] = []
    for claim in claims:
        same = any(_key(c) == _key(claim) for c in found)
        if claim.score >= LEAST and not same and (not found or claim.score >= found[0].score - 0.15):
            found.append(claim)
    # A result is worth more than the mere absence of an exception.
    if any(c.kind != RUNS for c in found):
        found = [c for c in found if c.kind != RUNS or c.score > 0.9]
    return tuple(found[:limit])


def _key(claim: Claim) -> tuple[object, ...]:
    if claim.kind == RUNS:
        return (RUNS, claim.trial.scene.origin)
    return (claim.kind, claim.trial.scene.subject)


def claim_of(
    kind: str, trial: Trial, outcome: Outcome, expected: str, score: float, *, form: str = "", source: int = -1
) -> Claim:
    """A claim about a scene and what came of it."""
    return Claim(
        kind=kind,
        trial=trial,
        outcome=outcome,
        expected=expected,
        form=form,
        score=round(score, 3),
        now=now(outcome),
        source=source,
    )


def now(outcome: Outcome) -> str:
    """What came of a scene, in words."""
    if outcome.stage == "late":
        return "does not end"
    if outcome.stage == "died":
        return "ends its process"
    if outcome.raised is not None:
        message = f": {outcome.raised.message[:200]}" if outcome.raised.message else ""
        return f"raises {outcome.raised.type}{message}"
    return f"gives {outcome.repr[:300]}"
