"""The evidence on a passing change as named numbers: what the probability of being right is made from.

Knows texts, counts and outcomes; runs nothing. What a number means is told in ``features.toml``.
"""

import math
from collections.abc import Sequence

import msgspec

from karkhana.engineers.symbolic.localisation.localise import words_of

_LEAST = 1e-6


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """All features; counts are ``log(1 + n)``, shares lie in [0,1], truths are 0 or 1."""

    # what kind of change
    prior: float
    """Log of the score that it had before it was tried."""
    error_driven: float
    """Its template answers to the failure's own kind of error."""
    two_places: float
    fresh: float
    """It changes a constant, a default or a signature."""
    crowd: float
    """Candidates of its template in its function: one of many is right by chance less often."""
    suspects: float
    """Places that changes were tried at: the fault may be in any of them."""
    file_lines: float
    """Length of the changed file."""
    suspicion: float
    """Suspicion of its function, relative to the most suspicious."""
    # what it looks like
    size: float
    """Tokens added and removed."""
    only_deletes: float
    test_literal: float
    oddities: float
    static_faults: float
    """Errors that it brings in and that show without running it."""
    surprise: float
    """Bits per token of its lines."""
    surprise_added: float
    """The same, less that of the lines before."""
    surprise_over_rivals: float
    """The same, less that of the least surprising other class."""
    seen_elsewhere: float
    """Share of its token triples that the code base has elsewhere."""
    ticket_words: float
    """Words of what it adds that the ticket or the documentation has too."""
    # how it was found
    target_tests: float
    asserts: float
    """Assertions of the target tests, parameter sets counted."""
    held_out: float
    """Candidates that a part of the target tests would have accepted, per one that all accept; log."""
    guarding_tests: float
    """Passing tests that run the function."""
    guarding_line: float
    """Those of them that run the changed line: what it does for them is known to be right."""
    failing_share: float
    """Share of failing tests among those that run the function."""
    tried: float
    """Candidates tried before the first hit."""
    rank: float
    """Passing candidates that were found before it."""
    hit_rate: float
    """Log of the share of candidates that pass: a weak test accepts many."""
    places: float
    """Functions with a passing candidate."""
    raised: float
    """The tests failed by an exception of the code, not by an assertion."""
    # what it does
    compared: float
    """Its behaviour was observed."""
    share: float
    """Of its behaviour class among all passing candidates, by plausibility."""
    classes: float
    margin: float
    """Plausibility of its class over the best other class, in log units within ±10."""
    dispute: float
    """Share of the touched inputs on which the best other class differs."""
    consensus: float
    """How far the other classes, weighed by plausibility, answer as it does."""
    centrality: float
    """The same, less that of the class that most others agree with."""
    changed_passing: float
    """Share of inputs of passing tests on which it changes the outcome."""
    changed_near_passing: float
    changed_near_failing: float
    broken: float
    """Share of inputs that were answered before and that it fails on."""
    fails: float
    odd_answers: float
    """Share of its new answers whose type no other answer has."""
    examples_lost: float
    """Examples of the documentation or the ticket, not in the tests, that it does not keep and others do."""
    examples_gained: float
    """Those that it keeps and the unchanged program does not."""
    # who stands behind it
    proposed: float
    """No template made a change that does the same: somebody proposed it."""
    agreeing: float
    """``1 - 1 / n`` for n voices that do the same: that of the templates, and one for each proposal."""

    def named(self) -> dict[str, float]:
        """As plain numbers, by name."""
        return {name: round(float(getattr(self, name)), 4) for name in self.__struct_fields__}


def count(number: float) -> float:
    """``log(1 + n)``."""
    return math.log1p(max(0.0, number))


def log_share(part: float, whole: float) -> float:
    return math.log(max(_LEAST, part) / max(_LEAST, whole))


def shared_words(added: Sequence[str], *texts: str) -> int:
    """Distinct words of added tokens that occur in one of the texts."""
    words = words_of(" ".join(added))
    return len(words & frozenset(word for text in texts for word in words_of(text)))


def odd_answers(original: Sequence[str], changed: Sequence[str]) -> float:
    """Share of the changed answers whose type is not among the answers of the original; whole for broken numbers: half.

    >>> odd_answers(["=1", "=2", "!E"], ["=1", "=None", "=3"])
    0.5
    >>> odd_answers(["=1.5", "!E"], ["=1.5", "=0"])
    0.5
    """
    usual = {_type(answer) for answer in original if answer[:1] == "="}
    new = [b for a, b in zip(original, changed, strict=True) if a != b and b[:1] == "="]
    if not new or not usual:
        return 0.0
    return sum(_oddity(_type(answer), usual) for answer in new) / len(new)


_NUMBERS = frozenset({"int", "float"})


def _oddity(kind: str, usual: set[str]) -> float:
    if kind in usual:
        return 0.0
    return 0.5 if kind in _NUMBERS and usual & _NUMBERS else 1.0


def _type(answer: str) -> str:
    """A guess from the text of a value: its first character, or the word before the parenthesis."""
    text = answer[1:].lstrip("-")
    if text[:1].isdigit():
        return "int" if text.isdigit() else "float"
    if text[:1].isalpha() or text[:1] == "_":
        word = text.split("(", 1)[0]
        return "bool" if word in ("True", "False") else word[:40]
    return "'" if text[:1] == '"' else text[:1]
