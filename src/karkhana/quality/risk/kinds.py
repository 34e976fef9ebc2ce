"""Which kinds of bugs a change is likely to bring, why, and which extra checks look for them.

What is known of a kind comes from three places: how common repairs of it are in this repository, whether files of the
change had such repairs before, and syntax in the added lines that invites it. The three are combined as odds (naive
Bayes over signs that are there; how much each sign speaks for a kind is in ``kinds_learned.toml``), so that shares over
all kinds sum to 1: "if this change brings a bug, it is of this kind". How likely any bug is says
:mod:`karkhana.quality.risk.model`.

Patterns are data (``kinds.toml``). Lines and messages are untrusted and only matched. Knows nothing of gates.

>>> from karkhana.git.patches import FilePatch, Hunk
>>> change = FilePatch("cart.py", "cart.py", (Hunk(1, (), 1, ("threading.Lock()", "async def pay(): await x")),))
>>> "concurrency" in {one.kind for one in predict((change,), PastRepairs(), most=13) if one.evidence}
True
"""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources

import msgspec

from karkhana.domain.risks import InvitingLine, LikelyBug
from karkhana.git.patches import FilePatch
from karkhana.quality.history.code import is_source, means_something

MOST_LINES = 3_000
"""Added lines of a change that are looked at."""
MOST_EVIDENCE = 5
SHIPPED = 30
"""Repairs that the shipped shares count like; a repository with many repairs speaks for itself."""
_LONGEST = 400
"""Characters of a line that patterns see."""


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An extra check."""

    says: str
    gate: str | None = None
    """The gate that carries it out; ``None``: nothing does, and a person who reviews the change is told."""


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of bug, as ``kinds.toml`` has it."""

    says: str
    words: tuple[str, ...]
    repairs: tuple[str, ...]
    invites: tuple[str, ...]
    checks: tuple[str, ...]


class Learned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What histories said of one kind."""

    share: float
    """Of all repairs."""
    steps: tuple[float, ...]
    """Log odds that a later bug of a change is of this kind, by how much of its added lines invites it: none, then the
    thirds of what is usual among changes that have any."""
    cuts: tuple[float, float]
    """Where the thirds begin, in inviting lines a hundred added ones."""


class _Catalogue(msgspec.Struct, frozen=True):
    kinds: dict[str, Kind]
    checks: dict[str, Check]


class PastRepairs:
    """How a repository's repairs so far divide among kinds; add them in the order of time."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.files: dict[str, dict[str, list[str]]] = {}

    def add(self, commit: str, message: str, patch: Sequence[FilePatch]) -> None:
        """Remember one repair."""
        self.remember(commit, kinds_of_repair(message, patch), sources(patch))

    def remember(self, commit: str, kinds: Iterable[str], paths: Sequence[str]) -> None:
        """Remember one repair, of these kinds and in these files of source code."""
        for kind in kinds:
            self.kinds[kind] += 1
            for path in paths:
                self.files.setdefault(path, {}).setdefault(kind, []).append(commit)

    def usual(self, learned: Mapping[str, Learned]) -> dict[str, float]:
        """Kind → its share of repairs; the shipped shares count like so many repairs (``SHIPPED``) more."""
        total = sum(self.kinds.values()) + SHIPPED
        return {kind: (self.kinds[kind] + SHIPPED * one.share) / total for kind, one in learned.items()}


def sources(patch: Sequence[FilePatch]) -> tuple[str, ...]:
    """The files of source code that a patch touches."""
    return tuple(file.path for file in patch if is_source(file.path))


def kinds_of_repair(message: str, patch: Sequence[FilePatch] = ()) -> tuple[str, ...]:
    """The kinds that a repair was of: those that its message speaks of, else what its added lines look like."""
    said = [name for name, (words, _, _) in _patterns().items() if words.search(message)]
    if said:
        return tuple(said[:3])
    lines = [text for _, _, text in _added(patch)]
    counts = {name: sum(bool(repairs.search(text)) for text in lines) for name, (_, repairs, _) in _patterns().items()}
    best = max(counts.values(), default=0)
    return tuple(name for name, count in counts.items() if count == best)[:2] if best else ()


def predict(
    patch: Sequence[FilePatch], past: PastRepairs, most: int = 5, learned: Mapping[str, Learned] | None = None
) -> tuple[LikelyBug, ...]:
    """The likeliest kinds first, at most ``most``; nothing when the change adds no line of source code.

    ``learned``: other numbers than those that ship.
    """
    lines = list(_added(patch))
    if not lines:
        return ()
    catalogue, learned = load_catalogue(), learned or load_learned()
    usual = past.usual(learned)
    found: dict[str, tuple[float, list[InvitingLine], list[str]]] = {}
    for name in catalogue.kinds:
        invites = _patterns()[name][2]
        evidence = [
            InvitingLine(path=p, line=n, text=text.strip()[:160]) for p, n, text in lines if invites.search(text)
        ]
        here = [one for file in patch for one in past.files.get(file.path, {}).get(name, ())]
        odds = (
            math.log(usual[name]) + step(learned[name], len(evidence), len(lines)) + 0.35 * math.log1p(len(set(here)))
        )
        found[name] = (odds, evidence, list(dict.fromkeys(here)))
    top = max(odds for odds, _, _ in found.values())
    whole = sum(math.exp(odds - top) for odds, _, _ in found.values())
    ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))[:most]
    return tuple(
        LikelyBug(
            kind=name,
            says=catalogue.kinds[name].says,
            share=math.exp(odds - top) / whole,
            usual=usual[name],
            evidence=tuple(evidence[:MOST_EVIDENCE]),
            repaired_here=tuple(here[-MOST_EVIDENCE:]),
            checks=catalogue.kinds[name].checks,
        )
        for name, (odds, evidence, here) in ordered
    )


def step(learned: Learned, inviting: int, lines: int) -> float:
    """How much ``inviting`` of ``lines`` added lines speak for a kind, in log odds."""
    if not inviting:
        return learned.steps[0]
    density = 100 * inviting / lines
    return learned.steps[1 + sum(density >= cut for cut in learned.cuts)]


def inviting_lines(kind: str, patch: Sequence[FilePatch]) -> tuple[int, int]:
    """(added lines that invite ``kind``, all added lines) of the source code of a change."""
    lines = list(_added(patch))
    return sum(bool(_patterns()[kind][2].search(text)) for _, _, text in lines), len(lines)


def load_checks() -> dict[str, Check]:
    """Every extra check by name."""
    return load_catalogue().checks


@lru_cache(maxsize=1)
def load_catalogue() -> _Catalogue:
    """``kinds.toml``."""
    raw = resources.files("karkhana.quality.risk").joinpath("kinds.toml").read_bytes()
    return msgspec.toml.decode(raw, type=_Catalogue)


@lru_cache(maxsize=1)
def load_learned() -> dict[str, Learned]:
    """``kinds_learned.toml``."""
    raw = resources.files("karkhana.quality.risk").joinpath("kinds_learned.toml").read_text("utf-8")
    return {name: msgspec.convert(one, Learned) for name, one in tomllib.loads(raw)["kinds"].items()}


@lru_cache(maxsize=1)
def _patterns() -> dict[str, tuple["re.Pattern[str]", "re.Pattern[str]", "re.Pattern[str]"]]:
    return {
        name: (
            re.compile("|".join(kind.words), re.IGNORECASE),
            re.compile("|".join(kind.repairs)),
            re.compile("|".join(kind.invites)),
        )
        for name, kind in load_catalogue().kinds.items()
    }


def _added(patch: Iterable[FilePatch]) -> Iterable[tuple[str, int, str]]:
    """(path, line after the change, text) of each added line of source code that means something."""
    left = MOST_LINES
    for file in patch:
        if is_source(file.path):
            for hunk in file.hunks:
                for number, text in enumerate(hunk.added, hunk.new_start):
                    if left and means_something(file.path, text):
                        left -= 1
                        yield file.path, number, text[:_LONGEST]
