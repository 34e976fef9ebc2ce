"""Which of the passing candidates is the right one, and how sure is that?

From the text: what the template is, how small the change is, whether it smells of the test. From behaviour: on
inputs like those of the tests, does it leave alone what was not broken, does it keep the examples of the
documentation, does it fail where others answer? Candidates that behave alike stand together. Knows texts and
outcomes; runs nothing.
"""

import keyword
import math
import re
from collections.abc import Sequence

import msgspec

from karkhana.behaviour.observation import Observations
from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.patching import changed_lines

_ELSEWHERE = 0.3
"""Disagreement with an equally good change of another function, whose behaviour cannot be compared."""
_PLAUSIBLE = 4.0
"""Rivals so many log units behind the best no longer count as alternatives."""


_NEUTRAL = re.compile(
    r"(True|False|None) [+*/-]|(?<![\w.])0 [+*-] |[+-] 0(?![\w.])|\* [01](?![\w.])|// 1(?![\w.])|(?<![\w.])1 \* |\+ -"
)
"""Arithmetic that changes nothing, or that nobody would write."""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Log units per unit of evidence."""

    added_token: float = 0.15
    removed_token: float = 0.05
    test_literal: float = 3.0
    self_comparison: float = 3.0
    constant_condition: float = 2.0
    neutral_arithmetic: float = 1.5
    odd_form: float = 1.5
    unused_variable: float = 1.0
    only_deletes: float = 0.7
    newly_broken: float = 4.0
    fails: float = 1.5
    changed_passing: float = 3.0
    changed_near_passing: float = 2.0
    changed_near_failing: float = 0.2
    changed_after_error: float = 6.0
    """When the failing tests failed by an exception, what was answered near them was right."""
    example_broken: float = 3.0
    company: float = 0.15
    """Per e-fold of candidates that behave alike."""


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A passing candidate with what speaks for and against it."""

    hypothesis: Hypothesis
    value: float
    reasons: tuple[str, ...] = ()
    absurd: bool = False
    """It fits the tests and nothing else: never to be handed over."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The candidates in order of preference, and how far the others disagree with the first."""

    ranked: tuple[Ranked, ...]
    classes: int = 1
    disagreement: float = 0.0
    distinguishing: str = ""
    """An input and what the chosen and its best rival answer to it."""
    question: str = ""


def naturalness(place: Place, hypothesis: Hypothesis, literals: tuple[str, ...], weights: Weights) -> Ranked:
    """A candidate by its text alone: its log-weight and the reasons against it."""
    before, after = changed_lines(place.text, hypothesis.edits)
    old, new = "".join(before), "".join(after)
    value = math.log(max(hypothesis.score, 1e-6))
    reasons: list[str] = []
    absurd = False
    added, removed = _difference(old, new)
    value -= weights.added_token * len(added) + weights.removed_token * len(removed)
    numbers = [t for t in added if re.fullmatch(r"-?\d{2,}|-?\d+\.\d+|'.+'|\".+\"", t)]
    if any(n in literals for n in numbers):
        value -= weights.test_literal
        reasons.append("it names a literal of the test")
    same = r"(?<![\w.\])])(\w+(?:\.\w+|\[[^\]]*\])*) (==|!=|<|>|<=|>=|is|is not|in|not in) \1(?![\w.\[(])"
    if re.search(same, new) and not re.search(same, old):
        value -= weights.self_comparison
        reasons.append("it compares something with itself")
        absurd = True
    if re.search(r"\b(if|while|and|or) (not )?(True|False|None|\d+)(:| and| or|$)", new) and "while True" not in old:
        value -= weights.constant_condition
        reasons.append("its condition is constant")
        absurd = True
    if len(_NEUTRAL.findall(new)) > len(_NEUTRAL.findall(old)):
        value -= weights.neutral_arithmetic
        reasons.append("it calculates with nothing")
    odd = r"len\([\w.]+\[[^\]]*:[^\]]*\]\)|\bnot not\b|\[:\]|not \("
    if len(re.findall(odd, new)) > len(re.findall(odd, old)):
        value -= weights.odd_form
        reasons.append("nobody would write it so")
    whole = apply(place.text, hypothesis.edits)
    forgotten = [t for t in dict.fromkeys(removed) if t.isidentifier() and len(re.findall(rf"\b{t}\b", whole)) == 1]
    if forgotten and not keyword.iskeyword(forgotten[0]):
        value -= weights.unused_variable
        reasons.append(f"`{forgotten[0]}` is no longer used")
    if not added:
        value -= weights.only_deletes
        reasons.append("it only deletes")
    return Ranked(hypothesis=hypothesis, value=value, reasons=tuple(reasons), absurd=absurd)


def _difference(old: str, new: str) -> tuple[list[str], list[str]]:
    added, removed = _tokens(new), []
    for token in _tokens(old):
        if token in added:
            added.remove(token)
        else:
            removed.append(token)
    return added, removed


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+(?:\.\d+)?|'[^']*'|\"[^\"]*\"|[<>=!]=|[^\w\s]", text)


def rank_by_text(
    places: tuple[Place, ...], passing: Sequence[Hypothesis], literals: tuple[str, ...], weights: Weights | None = None
) -> list[Ranked]:
    """Best first, from the texts alone."""
    found = [naturalness(places[h.suspect], h, literals, weights or Weights()) for h in passing]
    return sorted(found, key=lambda r: (-r.value, apply(places[r.hypothesis.suspect].text, r.hypothesis.edits)))


def choose(
    ranked: Sequence[Ranked], observations: Observations | None, *, raised: bool, weights: Weights | None = None
) -> Choice:
    """Weigh candidates of one place with what they do.

    ``raised``: the failing tests failed by an exception of the code, so what it answered elsewhere was right.
    """
    if observations is None or not ranked:
        unsure = 0.0 if len(ranked) < 2 else min(0.5, 0.1 * (len(ranked) - 1))
        return Choice(ranked=tuple(ranked), classes=max(1, len(ranked)), disagreement=unsure)
    weight = weights or Weights()
    judged = [_judged(r, observations, n, raised, weight) for n, r in enumerate(ranked)]
    groups = observations.classes()
    standing: list[tuple[float, list[int]]] = []
    for group in groups:
        members = sorted(group, key=lambda n: -judged[n].value)
        standing.append((judged[members[0]].value + weight.company * math.log(len(group)), members))
    standing.sort(key=lambda pair: (-pair[0], pair[1]))
    best_value, best = standing[0]
    rivals = [(value, members) for value, members in standing[1:] if value >= best_value - _PLAUSIBLE]
    disagreement = max(
        (math.exp(value - best_value) * observations.dispute(best[0], members[0]) for value, members in rivals),
        default=0.0,
    )
    order = [n for _, members in standing for n in members]
    told, question = "", ""
    if rivals and (found := observations.distinguishing(best[0], rivals[0][1][0])) is not None:
        text, mine, other = found
        told = f"for ({text}): {_answer(mine)} against {_answer(other)}"
        question = f"For the arguments ({text}), is {_answer(mine)} right, or {_answer(other)}?"
    return Choice(
        ranked=tuple(judged[n] for n in order),
        classes=len(groups),
        disagreement=min(1.0, disagreement),
        distinguishing=told[:500],
        question=question[:500],
    )


def with_others(choice: Choice, others: Sequence[Ranked]) -> Choice:
    """The choice with passing candidates in other places behind it, whose behaviour was not compared."""
    if not others or not choice.ranked:
        return choice
    best = choice.ranked[0].value
    doubt = max(_ELSEWHERE * math.exp(min(0.0, other.value - best)) for other in others)
    return msgspec.structs.replace(
        choice,
        ranked=(*choice.ranked, *others),
        classes=choice.classes + len(others),
        disagreement=max(choice.disagreement, doubt),
    )


def _judged(ranked: Ranked, seen: Observations, number: int, raised: bool, weight: Weights) -> Ranked:
    value, reasons = ranked.value, list(ranked.reasons)
    broken = seen.broken(number)
    if broken:
        value -= weight.newly_broken * broken
        reasons.append(f"it fails on {broken:.0%} of inputs that were answered before")
    value -= weight.fails * seen.failing(number)
    value -= weight.changed_passing * seen.changed(number, "passing")
    near_passing = weight.changed_after_error if raised else weight.changed_near_passing
    near_failing = weight.changed_after_error if raised else weight.changed_near_failing
    value -= near_passing * seen.changed_answers(number, "near-passing")
    value -= near_failing * seen.changed_answers(number, "near-failing")
    lost = sum(not now for now in seen.examples[number])
    if lost:
        value -= weight.example_broken * lost
        reasons.append(f"{lost} example(s) of the documentation are not kept")
    return msgspec.structs.replace(ranked, value=value, reasons=tuple(reasons))


def _answer(outcome: str) -> str:
    if outcome.startswith("="):
        return f"`{outcome[1:120]}`"
    return "no end" if outcome.startswith("~") else f"raising {outcome[1:60]}"
