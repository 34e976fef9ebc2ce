"""Claims about scenes that raise, or do not end. Knows outcomes and words; runs nothing."""

import re
from collections.abc import Iterator

from karkhana.engineers.symbolic.reproduction.claims import (
    CONFIRMED,
    EQUAL,
    HOLDS,
    RAISES,
    RUNS,
    SHOWN,
    Claim,
    claim_of,
)
from karkhana.engineers.symbolic.reproduction.sentences import ACTUAL, EXPECTED
from karkhana.engineers.symbolic.reproduction.told import STRUCTURE, Said
from karkhana.engineers.symbolic.reproduction.trial import Outcome, Raised, Trial


def of_failure(trial: Trial, outcome: Outcome, said: list[Said]) -> Iterator[Claim]:
    """The scene raises, or does not end."""
    raised = outcome.raised
    late = outcome.stage == "late"
    if (
        raised is not None
        and outcome.stage == "subject"
        and raised.type == "AssertionError"
        and is_assert(trial)
        and not _inside(raised)
    ):
        yield claim_of(HOLDS, trial, outcome, "", 1.0)
        return
    if raised is not None and outcome.stage == "subject" and is_assert(trial) and _plausible(raised):
        # It raises where it should compare.
        yield claim_of(HOLDS, trial, outcome, "", 0.9)
        return
    if raised is not None and outcome.stage == "setup" and is_assert(trial) and _inside(raised):
        # It never comes to the assertion, and the ticket says that something is raised.
        if any(s.kind == "raises" and s.role == ACTUAL for s in said):
            yield claim_of(HOLDS, trial, outcome, "", 0.6)
        return
    told = next((s for s in said if s.kind == "raises" and s.role != EXPECTED and raised and is_told(raised, s)), None)
    wished = [s for s in said if s.kind == "raises" and s.role == EXPECTED]
    if raised is not None and any(is_told(raised, s) for s in wished):
        return
    plausible = late or (raised is not None and _plausible(raised))
    if told is None and not plausible:
        return
    bonus = CONFIRMED if told else 0.0
    for one in wished:
        if one.weight >= 0.8:
            yield claim_of(RAISES, trial, outcome, one.text, one.weight + bonus, source=one.source)
    if outcome.stage != "import" and not trial.scene.statement:
        for one in said:
            if one.kind != "value" or one.role == ACTUAL or not one.text or one.bare:
                continue
            if one.role == EXPECTED or (one.weight >= STRUCTURE and told):
                # What is shown beside a call that raises is what was hoped for.
                score = one.weight + bonus
                score += SHOWN if one.shown else 0.0
                form = "list" if outcome.iterator and one.text[:1] in "[(" else ""
                yield claim_of(EQUAL, trial, outcome, one.text, score, form=form, source=one.source)
    if told is not None and raised is not None and not wished:
        score = 0.45 + 0.25 * told.weight
        if told.message and raised.message:
            score += 0.15 if _alike(told.message, raised.message) else -0.1
        yield claim_of(RUNS, trial, outcome, "", score)


def is_assert(trial: Trial) -> bool:
    """Whether the scene ends in an assertion."""
    return bool(re.match(r"assert\b", trial.scene.subject))


def _inside(raised: Raised) -> bool:
    return bool(raised.frames)


def _plausible(raised: Raised) -> bool:
    """Whether an exception may be the fault rather than a slip of the example."""
    if raised.type in ("NameError", "SyntaxError", "IndentationError", "ModuleNotFoundError", "ImportError"):
        return bool(raised.frames)
    # A call that does not fit its function never gets inside.
    return bool(raised.frames) or raised.type not in ("TypeError", "AttributeError")


def is_told(raised: Raised, said: Said) -> bool:
    """Whether an exception is the one that was said."""
    name = said.text.rpartition(".")[2]
    return name == raised.type or (name in raised.bases and name not in ("Exception", "BaseException", "object"))


def _alike(one: str, other: str) -> bool:
    def squeeze(text: str) -> str:
        return re.sub(r"0x[0-9a-f]+|\s+|['\"`]", "", text.lower())

    a, b = squeeze(one), squeeze(other)
    return a == b or (len(a) > 12 and (a in b or b in a))
