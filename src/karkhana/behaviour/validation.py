"""Many candidate changes against the failing tests and those that cover the changed function.

Knows candidates as edits of one function or file; knows nothing of where they come from. The work happens in
``probes/validate.py``.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from karkhana.behaviour.running import Run, ask, false_answer
from karkhana.behaviour.spectra import FunctionPlace

PASSES, UNCONFIRMED, FAILS, NEAR, OVERTIME, CRASHES = "p", "u", "f", "n", "t", "c"
SAME, NO_PROGRAM, UNTRIED, SKIPPED = "d", "s", "x", "-"
_LETTERS = "pufntcdsx-"


class Edit(msgspec.Struct, frozen=True, order=True):
    """Replace the characters ``start`` to ``end`` (exclusive) of a target's text."""

    start: int
    end: int
    text: str


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What candidates change: one outermost function, or (``place`` is ``None``) a whole file."""

    path: str
    text: str
    """From the line of ``def`` to the function's last line, or the whole file."""
    place: FunctionPlace | None
    failing: tuple[int, ...]
    """Numbers of the tests to turn green, quickest first."""
    passing: tuple[int, ...]
    """Numbers of the tests to keep green."""


class Proposal(msgspec.Struct, frozen=True):
    """One candidate change."""

    target: int
    edits: tuple[Edit, ...]
    fresh: bool = False
    """It changes more than the body of the function: collect the suite again."""


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the proposals."""

    statuses: str
    """One letter per proposal, see the constants of this module."""
    seconds: float
    """CPU seconds inside the sandbox."""
    start_s: float
    """Those of them that passed before the first live swap: starting pytest and collecting."""
    tried: int

    def passing(self) -> tuple[int, ...]:
        return tuple(n for n, s in enumerate(self.statuses) if s == PASSES)


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the probe: statuses from a number on, or the summary at the end."""

    start: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(default=0, name="from")
    status: Annotated[str, msgspec.Meta(pattern=f"^[{_LETTERS}]*$")] = ""
    seconds: Annotated[float, msgspec.Meta(ge=0.0, le=1e6)] = 0.0
    begun: Annotated[float, msgspec.Meta(ge=0.0, le=1e6)] = msgspec.field(default=0.0, name="start")
    tried: Annotated[int, msgspec.Meta(ge=0)] = 0


def apply(text: str, edits: Iterable[Edit]) -> str:
    """``text`` with ``edits`` carried out; they must not overlap.

    >>> apply("a < b", [Edit(2, 3, "<=")])
    'a <= b'
    """
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def validate(
    run: Run,
    *,
    arguments: Iterable[str],
    tests: Sequence[str],
    limits: Sequence[float],
    targets: Sequence[Target],
    proposals: Sequence[Proposal],
    seconds: float,
    wall_seconds: float | None = None,
    beyond: int | Sequence[int] = 200,
    beyond_seconds: float = 8.0,
    batch: int = 24,
    ordered: bool = False,
) -> Validation:
    """Try ``proposals`` in their order.

    ``limits`` are CPU seconds per test; ``seconds`` bounds the whole in CPU time, ``wall_seconds`` (the same when
    absent) in wall-clock time; after the first
    hit another ``beyond`` proposals are tried (one number for all, or one per proposal that may be the hit), for at
    most ``beyond_seconds`` (or as long as the hit took). Raises ``ProbeFailed``.
    """
    wall = seconds if wall_seconds is None else wall_seconds
    job = {
        "pytest": list(arguments),
        "tests": list(tests),
        "limits": list(limits),
        "targets": [target_data(t) for t in targets],
        "candidates": [[p.target, [[e.start, e.end, e.text] for e in p.edits], p.fresh] for p in proposals],
        "batch": batch,
        "seconds": seconds,
        "wall_seconds": wall,
        "beyond": [beyond] * len(proposals) if isinstance(beyond, int) else list(beyond),
        "beyond_seconds": beyond_seconds,
        "ordered": ordered,
    }
    statuses = [SKIPPED] * len(proposals)
    spent, began, tried = 0.0, 0.0, 0
    for answer in ask(run, "validate", job, wall + 30, _Answer):
        end = answer.start + len(answer.status)
        if end > len(proposals) or answer.tried > len(proposals):
            false_answer("validate", f"{end} statuses of {len(proposals)} proposals")
        statuses[answer.start : end] = answer.status
        spent, began, tried = max(spent, answer.seconds), max(began, answer.begun), max(tried, answer.tried)
    return Validation(statuses="".join(statuses), seconds=spent, start_s=began, tried=tried)


def target_data(target: Target) -> dict[str, object]:
    place = target.place or FunctionPlace(name="", top=1, start=1, end=1)
    return {
        "path": target.path,
        "name": place.name,
        "classes": list(place.classes),
        "top": place.top,
        "start": place.start,
        "end": place.end,
        "text": target.text,
        "failing": list(target.failing),
        "passing": list(target.passing),
    }
