"""How a program and variants of it behave on inputs like those of its tests; which variants behave alike.

:func:`compare` takes variants of any functions or files and looks at them where tests enter the repository. Knows
outcomes as texts; knows nothing of what the variants are for. The work happens in ``probes/observe.py``.

What a call did is its value, its exception, the state of its arguments (the receiver among them) afterwards, and the
variables of the modules concerned. What a test did is what its calls into the repository returned, and how it ended.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec

from karkhana.behaviour.running import Run, ask, false_answer
from karkhana.behaviour.validation import Proposal, Target, target_data

ENDLESS, UNKNOWN = "~", "?"


class Observations(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes per input, for the unchanged program and each variant.

    An outcome begins with ``=`` (a value), ``!`` (an exception), ``~`` (no end) or ``?`` (not known: the budget was
    spent, or the input could not be carried into another process). What is not known differs from nothing.
    """

    inputs: tuple[tuple[str, str], ...]
    """(origin, text); origin is ``failing``, ``passing``, ``near-failing`` or ``near-passing``: the tests that
    gave it, or that gave what it was made from; ``annotated`` when it was made from annotations."""
    original: tuple[str, ...]
    variants: tuple[tuple[str, ...], ...]
    examples: tuple[tuple[bool, ...], ...] = ()
    """Per variant: which examples it keeps, those of the documentation first."""
    examples_before: tuple[bool, ...] = ()
    claims: int = 0
    """So many of the examples, the last ones, are a ticket's. One that the unchanged program keeps says nothing: it may
    show the fault."""
    kinds: tuple[str, ...] = ()
    """Per input ``call`` or ``script`` (a test, as it is or with one of its constants changed)."""
    entries: tuple[str, ...] = ()
    """Qualified names of the functions that were called."""

    def seen(self, variant: int) -> bool:
        """Whether anything is known of a variant."""
        return any(text != UNKNOWN for text in self.variants[variant])

    def classes(self) -> list[list[int]]:
        """Numbers of the variants, those with the same outcomes on every input together; in order of appearance.

        One of which something is not known joins the first class that what is known fits.
        """
        found: list[tuple[tuple[str, ...], list[int]]] = []
        exact: dict[tuple[str, ...], list[int]] = {}
        for number, outcomes in enumerate(self.variants):
            members = exact.get(outcomes)
            if members is None and UNKNOWN in outcomes and self.seen(number):
                members = next((m for row, m in found if _alike(row, outcomes)), None)
            if members is None:
                members = []
                found.append((outcomes, members))
            exact[outcomes] = members
            members.append(number)
        return [members for _, members in found]

    def difference(self, one: int, other: int) -> float:
        """Share of all inputs on which two variants differ, in [0,1]."""
        if not self.inputs:
            return 0.0
        pairs = zip(self.variants[one], self.variants[other], strict=True)
        return sum(_differ(a, b) for a, b in pairs) / len(self.inputs)

    def dispute(self, one: int, other: int) -> float:
        """Share on which two variants differ, of the inputs on which either changes anything, in [0,1]."""
        rows = list(zip(self.original, self.variants[one], self.variants[other], strict=True))
        touched = sum(_differ(before, a) or _differ(before, b) for before, a, b in rows)
        return sum(_differ(a, b) for _, a, b in rows) / touched if touched else 0.0

    def changed(self, variant: int, origin: str) -> float:
        """Share of the inputs of one origin on which a variant differs from the unchanged program."""
        return self._changed(variant, [n for n, (o, _) in enumerate(self.inputs) if o == origin])

    def changed_answers(self, variant: int, origin: str) -> float:
        """As :meth:`changed`, counting only inputs that the unchanged program gave an answer to."""
        answered = [n for n, (o, _) in enumerate(self.inputs) if o == origin and self.original[n][:1] == "="]
        return self._changed(variant, answered)

    def _changed(self, variant: int, rows: list[int]) -> float:
        if not rows:
            return 0.0
        return sum(_differ(self.variants[variant][n], self.original[n]) for n in rows) / len(rows)

    def broken(self, variant: int) -> float:
        """Share of inputs on which a variant raises or does not end although the unchanged program answered."""
        if not self.inputs:
            return 0.0
        pairs = zip(self.original, self.variants[variant], strict=True)
        return sum(a[:1] == "=" and b[:1] in "!~" for a, b in pairs) / len(self.inputs)

    def failing(self, variant: int) -> float:
        """Share of inputs on which a variant raises or does not end."""
        if not self.inputs:
            return 0.0
        return sum(b[:1] in "!~" for b in self.variants[variant]) / len(self.inputs)

    def gained(self, variant: int) -> int:
        """Examples that a variant keeps and the unchanged program does not."""
        before = self.examples_before or (False,) * len(self.examples[variant])
        return sum(now and not old for now, old in zip(self.examples[variant], before, strict=True))

    def lost(self, variant: int) -> int:
        """Examples that a variant does not keep, although the unchanged program or another variant does."""
        before = self.examples_before or (False,) * len(self.examples[variant])
        documented = len(before) - self.claims
        return sum(
            not now and (n < documented if old else any(row[n] for row in self.examples))
            for n, (now, old) in enumerate(zip(self.examples[variant], before, strict=True))
        )

    def distinguishing(self, one: int, other: int) -> tuple[str, str, str] | None:
        """The shortest input on which two variants differ, and what each answers; calls before tests."""
        found = [
            (kind != "call", len(text), text, a, b)
            for kind, text, a, b in self._rows(one, other)
            if _differ(a, b) and "~" not in a[:1] + b[:1]
        ] or [(kind != "call", len(text), text, a, b) for kind, text, a, b in self._rows(one, other) if _differ(a, b)]
        if not found:
            return None
        _, _, text, a, b = min(found)
        return text, a, b

    def _rows(self, one: int, other: int) -> Iterator[tuple[str, str, str, str]]:
        kinds = self.kinds or ("call",) * len(self.inputs)
        for kind, (_, text), a, b in zip(kinds, self.inputs, self.variants[one], self.variants[other], strict=True):
            yield kind, text, a, b


_Origin = Literal["failing", "passing", "near-failing", "near-passing", "annotated"]
_Kind = Literal["call", "script"]
_Text = Annotated[str, msgspec.Meta(max_length=1000)]
_Outcome = Annotated[str, msgspec.Meta(pattern="^[=!~?]", max_length=10_000)]


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the probe: the inputs, or what the program or a variant did with them."""

    inputs: Annotated[tuple[tuple[_Origin, _Kind, _Text], ...], msgspec.Meta(max_length=5000)] = ()
    entries: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=100)] = ()
    variant: Annotated[int, msgspec.Meta(ge=0)] | None = None
    outcomes: tuple[_Outcome, ...] = ()
    examples: tuple[bool, ...] = ()
    end_of_answers: bool = False


def _differ(one: str, other: str) -> bool:
    return one != other and UNKNOWN not in {one, other}


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    return not any(_differ(a, b) for a, b in zip(one, other, strict=True))


def compare(
    run: Run,
    *,
    arguments: Iterable[str],
    tests: Sequence[str],
    limits: Sequence[float],
    targets: Sequence[Target],
    variants: Sequence[Proposal],
    literals: Iterable[str] = (),
    examples: Sequence[tuple[int, str, str]] = (),
    claims: int = 0,
    count: int = 120,
    scripts: int = 60,
    fresh: int = 16,
    call_limit_s: float = 0.05,
    seconds: float = 10.0,
    seed: int = 0,
) -> Observations | None:
    """Observe variants in any of the ``targets`` together, where the tests enter the repository.

    Inputs are calls of *entries* (functions that tests call on their way to the targets, the outermost that reach all
    of them first) and ``scripts``: tests with one of their constants changed, whose calls are noted. ``examples`` are
    (number of the target, expression, expected text), the last ``claims`` of them from a ticket. At most ``fresh`` of
    the variants that need a new interpreter state are run; the outcomes of the others are unknown. When the unchanged
    program cannot be imported, the first of those gives the inputs. ``seconds`` bounds the CPU of the swapped variants
    together, and that of the fresh ones together. ``None`` when nothing could be observed. Raises ``ProbeFailed``.
    """
    job: dict[str, Any] = {
        "pytest": list(arguments),
        "tests": list(tests),
        "limits": list(limits),
        "failing": list(dict.fromkeys(n for t in targets for n in t.failing)),
        "passing": list(dict.fromkeys(n for t in targets for n in t.passing)),
        "targets": [target_data(t) for t in targets],
        "variants": [[v.target, [[e.start, e.end, e.text] for e in v.edits], v.fresh] for v in variants],
        "examples": [list(e) for e in examples],
        "literals": list(literals),
        "count": count,
        "scripts": scripts,
        "fresh": fresh,
        "call_limit": call_limit_s,
        "seconds": seconds,
        "seed": seed,
    }
    return _observed(run, job, len(variants), claims)


def _observed(run: Run, job: dict[str, Any], variants: int, claims: int) -> Observations | None:
    inputs: tuple[tuple[_Origin, _Kind, _Text], ...] = ()
    entries: tuple[str, ...] = ()
    rows: dict[int, tuple[str, ...]] = {}
    kept: dict[int, tuple[bool, ...]] = {}
    for answer in ask(run, "observe", job, job["seconds"] * 8 + 200, _Answer):
        if answer.inputs:
            inputs, entries = answer.inputs, answer.entries
        elif answer.variant is not None and answer.outcomes:
            if len(answer.outcomes) != len(inputs) or len(answer.examples) != len(job["examples"]):
                false_answer("observe", f"{len(answer.outcomes)} outcomes of {len(inputs)} inputs")
            rows[answer.variant], kept[answer.variant] = answer.outcomes, answer.examples
    if 0 not in rows:
        return None
    unknown = (UNKNOWN,) * len(inputs)
    numbers = range(1, variants + 1)
    return Observations(
        inputs=tuple((origin, text) for origin, _, text in inputs),
        kinds=tuple(kind for _, kind, _ in inputs),
        entries=entries,
        original=rows[0],
        variants=tuple(rows.get(n) or unknown for n in numbers),
        examples=tuple(kept.get(n) or kept[0] for n in numbers),
        examples_before=kept[0],
        claims=claims,
    )
