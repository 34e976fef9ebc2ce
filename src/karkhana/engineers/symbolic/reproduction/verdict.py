"""From what a ticket says and what its examples give now to claims that a test can hold.

A claim is only made when what happens now contradicts it. Knows outcomes and words; runs nothing.
"""

import difflib
import re
from collections.abc import Iterator, Sequence

from karkhana.engineers.symbolic.reproduction.claims import (
    CONFIRMED,
    EQUAL,
    RAISES,
    SHOWN,
    Claim,
    Judgement,
    claim_of,
    now,
    paired,
)
from karkhana.engineers.symbolic.reproduction.failures import is_assert, is_told, of_failure
from karkhana.engineers.symbolic.reproduction.sentences import ACTUAL, EXPECTED, UNKNOWN
from karkhana.engineers.symbolic.reproduction.told import STRUCTURE, Said
from karkhana.engineers.symbolic.reproduction.trial import Agreement, Outcome, Trial

_LIKE = 0.5
"""How much words of the prose must look like the result to be meant as one."""
_OPPOSITE = 0.6
"""Score of the opposite of a truth value that the ticket complains of."""
_UNNAMED = 0.55
"""Weight of a result that nothing calls expected or actual."""


def judge(trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> Judgement:
    """Claims, agreements and what could not be told."""
    claims: list[Claim] = []
    agreeing: list[str] = []
    silent: list[str] = []
    broken: list[str] = []
    for trial, outcome in zip(trials, outcomes, strict=True):
        subject = trial.scene.subject
        if outcome.stage == "import" and outcome.raised is not None:
            told = any(s.kind == "raises" and is_told(outcome.raised, s) for s in trial.scene.said)
            if not told:
                broken.append(
                    f"`{'; '.join(trial.imports)}` fails with {outcome.raised.type}: {outcome.raised.message}"
                )
                continue
        found = list(_claims(trial, outcome))
        claims += found
        agreed = list(_agreements(trial, outcome))
        agreeing += agreed
        if not found and not agreed and not _mention(trial, outcome):
            silent.append(f"`{subject}` {now(outcome)}")
    if not claims:
        claims = _opposites(trials, outcomes)
    return Judgement(
        claims=tuple(sorted(paired(claims), key=lambda c: -c.score)),
        agreeing=tuple(dict.fromkeys(agreeing)),
        silent=tuple(dict.fromkeys(silent)),
        broken=tuple(dict.fromkeys(broken)),
    )


def _opposites(trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> list[Claim]:
    """Who complains of a single truth value and names no other wants the opposite."""
    found = [
        (trial, outcome)
        for trial, outcome in zip(trials, outcomes, strict=True)
        if outcome.stage == "done"
        and outcome.type == "bool"
        and not any(s.role == EXPECTED for s in trial.scene.said)
        and any(
            a.equal and s.role == ACTUAL and s.source < 0 for s, a in zip(trial.scene.said, outcome.said, strict=True)
        )
    ]
    if len(found) != 1:
        return []
    trial, outcome = found[0]
    return [claim_of(EQUAL, trial, outcome, repr(outcome.repr != "True"), _OPPOSITE)]


# -- one scene -----------------------------------------------------------------------------------------------------


def _claims(trial: Trial, outcome: Outcome) -> Iterator[Claim]:
    if outcome.stage == "died":
        return
    said = list(zip(trial.scene.said, [*outcome.said, *([Agreement()] * len(trial.scene.said))], strict=False))
    if outcome.stage == "done":
        yield from _of_value(trial, outcome, said)
    else:
        yield from of_failure(trial, outcome, [s for s, _ in said])


def _of_value(trial: Trial, outcome: Outcome, said: list[tuple[Said, Agreement]]) -> Iterator[Claim]:
    """The scene gives a value (or ends, for a statement)."""
    confirmed = any(s.kind == "value" and a.agrees and s.role != EXPECTED for s, a in said)
    met = any(s.kind == "value" and a.agrees and s.role == EXPECTED and s.weight >= STRUCTURE for s, a in said)
    for one, agreement in said:
        if met and one.weight < STRUCTURE:
            continue
        if one.kind == "raises":
            if one.role == EXPECTED and one.weight >= 0.8:
                bonus = CONFIRMED if confirmed else 0.0
                yield claim_of(RAISES, trial, outcome, one.text, one.weight + bonus, source=one.source)
            continue
        # Two results of one call, and the other one is what it gives: this is the one that is missed.
        left_over = one.role == ACTUAL and confirmed and one.weight < STRUCTURE and not (one.linked or one.seen)
        if agreement.agrees or (one.role == ACTUAL and not left_over):
            continue
        if outcome.type == "bool" and not agreement.alike and one.weight < STRUCTURE:
            continue  # what is true or false today should not become something else
        if trial.scene.statement and not outcome.printed:
            continue
        form, expected = _form(one, agreement, outcome)
        if not expected:
            continue
        score = one.weight * (1.0 if one.role == EXPECTED else _UNNAMED)
        score += (CONFIRMED if confirmed else 0.0) + (SHOWN if one.shown else 0.0)
        plain = confirmed and one.role == EXPECTED and one.source < 0 and re.fullmatch(r"[\w.-]+", one.words)
        if one.bare and not plain and _unlike(one, outcome):
            continue
        if one.role == UNKNOWN and not confirmed and one.weight < STRUCTURE:
            continue
        if one.role != EXPECTED and not (agreement.alike or form):
            score -= 0.2
        if left_over:
            score -= 0.1
        if one.weight < STRUCTURE and not (agreement.alike or form in ("repr", "str", "list")):
            score -= 0.3
        yield claim_of(EQUAL, trial, outcome, expected, score, form=form, source=one.source)


def _unlike(said: Said, outcome: Outcome) -> bool:
    words = said.words or said.text.strip("'\"")
    return difflib.SequenceMatcher(None, words, outcome.repr.strip("'")).ratio() < _LIKE


def _form(said: Said, agreement: Agreement, outcome: Outcome) -> tuple[str, str]:
    """How to compare, and the Python to compare with; empty when there is no way."""
    textual = outcome.type == "str"
    if agreement.evaluated:
        if textual and agreement.type != "str" and said.words:
            return "", repr(said.words)
        if outcome.iterator and agreement.type in ("list", "tuple"):
            return ("list", said.text)
        if outcome.type not in _PLAIN and agreement.plain and agreement.type == "str" and said.printed:
            return "str", said.text
        return "", said.text
    if not said.words or len(said.words) > 2000:
        return "", ""
    if textual and (not said.text or said.text.isidentifier()):
        return "", repr(said.words)
    if said.printed and not textual and (said.words.startswith("<") or "(" in said.words):
        return "repr", repr(said.words)
    return "", ""


_PLAIN = frozenset({"int", "float", "str", "bytes", "bool", "list", "tuple", "dict", "set", "NoneType", "frozenset"})


def _mention(trial: Trial, outcome: Outcome) -> bool:
    """Whether ``f()`` only names the function."""
    return trial.scene.subject.endswith("()") and outcome.raised is not None and not outcome.raised.frames


def _agreements(trial: Trial, outcome: Outcome) -> Iterator[str]:
    subject = trial.scene.subject
    if outcome.stage == "done":
        for said, agreement in zip(trial.scene.said, outcome.said, strict=True):
            if said.kind == "value" and agreement.agrees and said.role != ACTUAL and said.weight >= 0.8:
                yield f"`{subject}` gives {outcome.repr[:200]}"
        if any(s.kind == "raises" and s.role == ACTUAL and _told_of(s, trial) for s in trial.scene.said):
            yield f"`{subject}` raises nothing; it gives {outcome.repr[:200]}"
        if is_assert(trial):
            yield f"`{subject}` holds"
    elif outcome.raised is not None:
        for said in trial.scene.said:
            if said.kind == "raises" and said.role == EXPECTED and is_told(outcome.raised, said):
                yield f"`{subject}` raises {outcome.raised.type}"


def _told_of(said: Said, trial: Trial) -> bool:
    """Whether an exception was told of this very call, not only near it."""
    if said.source < 0:
        return True
    if not said.through and any(s.through and s.text == said.text for s in trial.scene.said):
        return False  # the traceback tells where it came from
    called = set(re.findall(r"\w+(?=\()", trial.scene.subject.split("\n")[0]))
    last = {name for name in called if any(re.search(rf"\b{name}\b", row) for row in said.through)}
    return said.weight >= 0.8 and bool(last if said.through else called)
