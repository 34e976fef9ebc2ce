"""A program before and after a change, on inputs like those of its tests: where do the two differ, and on which way?

The change is given as the program after it, which is on disk, and the functions (or whole files) before it. Each
program is run twice, so that what differs by itself is no difference. Knows outcomes as texts, see
:mod:`karkhana.behaviour.observation`; knows nothing of what a change is meant to do. The work happens in
``probes/differ.py``.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from karkhana.behaviour.running import Run, ask, false_answer
from karkhana.behaviour.spectra import FunctionPlace
from karkhana.behaviour.validation import Target, target_data

UNKNOWN = "?"
_BEFORE, _BEFORE_AGAIN, _AFTER_AGAIN = 1, 2, 3


class Revised(msgspec.Struct, frozen=True, kw_only=True):
    """One function (or, without a ``place``, one file) after a change, and its text before."""

    path: str
    place: FunctionPlace | None
    text: str
    old: str
    quiet: bool = False
    """Inputs need not lead to it: other parts of the change are what matters."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One input, and what the two programs did with it."""

    origin: Literal["failing", "passing", "near-failing", "near-passing", "annotated"]
    """The tests that gave it, or that gave what it was made from; "failing" are those that need the change."""
    kind: Literal["call", "script"]
    text: str
    before: str
    after: str
    ways: frozenset[str] = frozenset()
    """How the program after the change went on from the changed lines."""

    @property
    def differs(self) -> bool:
        return self.before != self.after

    @property
    def breaks(self) -> bool:
        """The program before answered, and the one after raises or does not end."""
        return self.before[:1] == "=" and self.after[:1] in "!~"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What the two programs did."""

    pairs: tuple[Pair, ...] = ()
    examples: tuple[tuple[bool, bool], ...] = ()
    """Per example, whether the program before and the one after keep it."""


def differences(
    run: Run,
    *,
    arguments: Iterable[str],
    tests: Sequence[str],
    limits: Sequence[float],
    needing: Iterable[int],
    others: Iterable[int],
    revised: Sequence[Revised],
    fresh: bool,
    lines: Mapping[str, Iterable[int]],
    examples: Sequence[tuple[int, str, str]] = (),
    count: int = 150,
    scripts: int = 40,
    call_limit_s: float = 0.05,
    seconds: float = 10.0,
    seed: int = 0,
) -> Comparison:
    """Run both programs on inputs that tests lead to; those of which something is not known are left out.

    ``needing`` and ``others`` are numbers of the tests that need the change and that do not. ``fresh``: the program
    before differs in more than bodies of functions, so it is imported anew with the whole files of ``revised``.
    ``lines``: path → changed lines, after the change. ``examples``: place in ``revised``, call, what it should give.
    ``seconds`` bounds the CPU of either program. Nothing comes back when the one before cannot be run this way. Raises
    ``ProbeFailed``.
    """
    numbered = list(enumerate(revised))
    parts = [[n, [[0, len(r.text), r.old]]] for n, r in numbered if (r.place is None) == fresh]
    same = [[n, [[0, len(r.text), r.text]]] for n, r in numbered if (r.place is None) == fresh]
    if not parts:
        return Comparison()
    variants = [[*rows[0], fresh, rows[1:]] for rows in (parts, parts, same)]
    job: dict[str, Any] = {
        "pytest": list(arguments),
        "tests": list(tests),
        "limits": list(limits),
        "failing": list(needing),
        "passing": list(others),
        "targets": [_data(one) for one in revised],
        "variants": variants,
        "examples": [list(e) for e in examples],
        "literals": [],
        "count": count,
        "scripts": scripts,
        "fresh": len(variants),
        "call_limit": call_limit_s,
        "seconds": seconds,
        "seed": seed,
        "lines": {path: sorted(rows) for path, rows in lines.items()},
    }
    answers = ask(run, "differ", job, seconds * 8 + 200, _Answer)
    kept = {a.variant: a.examples for a in answers if a.variant is not None and len(a.examples) == len(examples)}
    both = zip(kept.get(_BEFORE, ()), kept.get(0, ()), strict=False)
    return Comparison(pairs=_pairs(answers), examples=tuple(both))


def _data(one: Revised) -> dict[str, object]:
    target = Target(path=one.path, text=one.text, place=one.place, failing=(), passing=())
    return {**target_data(target), "quiet": one.quiet}


_Origin = Literal["failing", "passing", "near-failing", "near-passing", "annotated"]
_Text = Annotated[str, msgspec.Meta(max_length=1000)]
_Outcome = Annotated[str, msgspec.Meta(pattern="^[=!~?]", max_length=10_000)]
_Way = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,6}:[0-9]{1,9}>[0-9]{1,9}$|^-$")]


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the probe: the inputs, what a program did with them, or the ways."""

    inputs: Annotated[tuple[tuple[_Origin, Literal["call", "script"], _Text], ...], msgspec.Meta(max_length=5000)] = ()
    entries: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=100)] = ()
    variant: Annotated[int, msgspec.Meta(ge=0)] | None = None
    outcomes: tuple[_Outcome, ...] = ()
    examples: tuple[bool, ...] = ()
    ways: tuple[tuple[_Way, ...], ...] = ()
    end_of_answers: bool = False


def _pairs(answers: list[_Answer]) -> tuple[Pair, ...]:
    inputs = next((a.inputs for a in answers if a.inputs), ())
    rows = {a.variant: a.outcomes for a in answers if a.variant is not None and a.outcomes}
    ways = next((a.ways for a in answers if a.ways), ((),) * len(inputs))
    if any(len(row) != len(inputs) for row in (*rows.values(), ways)):
        false_answer("differ", f"not {len(inputs)} outcomes of {len(inputs)} inputs")
    if not {0, _BEFORE} <= rows.keys():
        return ()
    after, before = rows[0], rows[_BEFORE]
    after_again, before_again = rows.get(_AFTER_AGAIN, after), rows.get(_BEFORE_AGAIN, before)
    found = []
    for number, (origin, kind, text) in enumerate(inputs):
        known = UNKNOWN not in (before[number], after[number])
        # An end that one of two runs did not come to, in its time, is noise as well.
        if known and before[number] == before_again[number] and after[number] == after_again[number]:
            one = Pair(
                origin=origin,
                kind=kind,
                text=text,
                before=before[number],
                after=after[number],
                ways=frozenset(ways[number]) - {"-"},
            )
            found.append(one)
    return tuple(found)
