"""A passing candidate by its looks alone: what the template is, how small the change is, what smells of the test.

Knows texts; runs nothing and knows nothing of behaviour.
"""

import builtins
import keyword
import math
import re
from collections.abc import Iterable, Sequence

import msgspec

from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.choice.faults import new_faults
from karkhana.engineers.symbolic.choice.vetoes import hollow, no_longer_read, special_case, undefined_names, unreachable
from karkhana.engineers.symbolic.circumstances import Circumstances
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.patching import changed_lines, whole_file

_NEUTRAL = re.compile(
    r"(True|False|None) [+*/-]|(?<![\w.])0 [+*-] |[+-] 0(?![\w.])|\* [01](?![\w.])|// 1(?![\w.])|(?<![\w.])1 \* |\+ -"
)
"""Arithmetic that changes nothing, or that nobody would write."""
_SELF = re.compile(
    r"(?<![\w.\])])(\w+(?:\.\w+|\[[^\]]*\])*) (==|!=|<|>|<=|>=|is|is not|in|not in) \1(?![\w.\[(])",
)
_CONSTANT = re.compile(r"\b(if|while|and|or) (not )?(True|False|None|\d+)(:| and| or|$)")
_ODD = re.compile(r"len\([\w.]+\[[^\]]*:[^\]]*\]\)|\bnot not\b|\[:\]|not \(")
_EXCEPT = re.compile(r"\bexcept\b([^:]*):")
_BROAD = frozenset({"Exception", "BaseException"})
_EVERYDAY = frozenset({"0", "1", "0.0", "1.0", "''", '""'})
"""Literals that mean nothing when a test has them too."""
_LITERAL = re.compile(r"-?\d{2,}|-?\d+\.\d+|'.+'|\".+\"")


class TextWeights(msgspec.Struct, frozen=True, kw_only=True):
    """Log units per unit of evidence."""

    added_token: float = 0.15
    removed_token: float = 0.05
    test_literal: float = 3.0
    self_comparison: float = 3.0
    constant_condition: float = 2.0
    neutral_arithmetic: float = 1.5
    odd_form: float = 1.5
    unused_variable: float = 1.5
    only_deletes: float = 0.7
    swallowed_error: float = 2.0
    static_fault: float = 2.0


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate's text shows."""

    added: tuple[str, ...] = ()
    """Tokens."""
    removed: tuple[str, ...] = ()
    oddities: int = 0
    test_literal: bool = False
    faults: int = 0
    """Errors that it brings in and that show without running it."""


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A passing candidate with what speaks for and against it."""

    hypothesis: Hypothesis
    value: float
    """Plausibility in log units; only differences mean something."""
    reasons: tuple[str, ...] = ()
    absurd: bool = False
    """It fits the tests and nothing else: never to be handed over."""
    looks: Looks = Looks()


def rank_by_text(
    places: Sequence[Place],
    passing: Iterable[Hypothesis],
    known: Circumstances,
    weights: TextWeights | None = None,
) -> list[Ranked]:
    """Best first, from the texts alone."""
    found = [by_looks(places[h.suspect], h, known, weights or TextWeights()) for h in passing]
    return sorted(found, key=lambda r: (-r.value, apply(places[r.hypothesis.suspect].text, r.hypothesis.edits)))


def by_looks(place: Place, hypothesis: Hypothesis, known: Circumstances, weights: TextWeights) -> Ranked:
    """One candidate: its log-weight and the reasons against it."""
    before, after = changed_lines(place.text, hypothesis.edits)
    old, new = "".join(before), "".join(after)
    whole = apply(place.text, hypothesis.edits)
    added, removed = _difference(old, new)
    value = math.log(max(hypothesis.score, 1e-6))
    value -= weights.added_token * len(added) + weights.removed_token * len(removed)
    literal = any(t in known.literals for t in added if _LITERAL.fullmatch(t) and t not in _EVERYDAY)
    oddities = {
        "it calculates with nothing": weights.neutral_arithmetic if _more(_NEUTRAL, old, new) else 0.0,
        "nobody would write it so": weights.odd_form if _more(_ODD, old, new) else 0.0,
        "it swallows the very error that the test ends with": weights.swallowed_error * _swallows(new, old, known),
    }
    forgotten = sorted(no_longer_read(place.text, whole))
    unused = f"`{forgotten[0]}` is no longer used" if forgotten else ""
    static = new_faults(place.text, whole, place.file_text)
    faults = {
        "it names a literal of the test": weights.test_literal if literal else 0.0,
        **oddities,
        unused: weights.unused_variable,
        "it only deletes" if removed and not added else "": weights.only_deletes,
        **dict.fromkeys(static, weights.static_fault),
    }
    absurd = {
        "it compares something with itself": bool(_SELF.search(new)) and not _SELF.search(old),
        "its condition is constant": bool(_CONSTANT.search(new)) and "while True" not in old,
        "it leaves code that nothing reaches": not place.is_file and unreachable(whole) > unreachable(place.text),
        "it computes nothing any more": not place.is_file and hollow(place.text, whole),
        _special(place, whole, known): True,
        _undefined(place, added, whole, hypothesis): True,
    }
    value -= weights.self_comparison * absurd["it compares something with itself"]
    value -= weights.constant_condition * absurd["its condition is constant"]
    nonsense = [reason for reason, holds in absurd.items() if reason and holds]
    return Ranked(
        hypothesis=hypothesis,
        value=value - sum(loss for reason, loss in faults.items() if reason),
        reasons=(*nonsense, *(reason for reason, loss in faults.items() if reason and loss)),
        absurd=bool(nonsense),
        looks=Looks(
            added=tuple(added),
            removed=tuple(removed),
            oddities=sum(loss > 0 for loss in oddities.values()) + bool(unused),
            test_literal=literal,
            faults=len(static),
        ),
    )


def _more(pattern: re.Pattern[str], old: str, new: str) -> bool:
    return len(pattern.findall(new)) > len(pattern.findall(old))


def _swallows(new: str, old: str, known: Circumstances) -> bool:
    caught = {name for line in _EXCEPT.findall(new) for name in re.findall(r"\w+", line) or ["Exception"]}
    caught -= {name for line in _EXCEPT.findall(old) for name in re.findall(r"\w+", line) or ["Exception"]}
    return bool(known.failed_with) and bool(caught & (known.failed_with | _BROAD))


def _special(place: Place, whole: str, known: Circumstances) -> str:
    if place.is_file:
        return ""
    vouching = place.file_text + "\n" + known.ticket
    literal = special_case(place.text, whole, known.test_literals, vouching, known.inputs)
    return f"it treats {literal} of the test as a special case" if literal else ""


def _undefined(place: Place, added: Sequence[str], whole: str, hypothesis: Hypothesis) -> str:
    known = set(re.findall(r"\w+", place.text)) | set(dir(builtins))
    if all(not t.isidentifier() or keyword.iskeyword(t) or t in known for t in added):
        return ""
    new = undefined_names(whole_file(place.file_text, place.suspect.place.start, place.text, hypothesis.edits))
    unknown = sorted(new - undefined_names(place.file_text))
    return f"`{unknown[0]}` is defined nowhere" if unknown else ""


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
