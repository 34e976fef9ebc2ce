"""How a function and variants of it behave on inputs like those of its tests; which variants behave alike.

Knows outcomes as texts; knows nothing of what the variants are for. The work happens in ``probes/observe.py``.
"""

from collections.abc import Iterable, Sequence

import msgspec

from karkhana.behaviour.running import Run, ask
from karkhana.behaviour.validation import Edit, Target, target_data

ENDLESS = "~"


class Observations(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes per input, for the unchanged function and each variant."""

    inputs: tuple[tuple[str, str], ...]
    """(origin, text); origin is ``failing``, ``passing``, ``near-failing`` or ``near-passing``: the tests that
    gave it, or that gave what it was made from."""
    original: tuple[str, ...]
    variants: tuple[tuple[str, ...], ...]
    examples: tuple[tuple[bool, ...], ...] = ()
    """Per variant: which examples of the documentation it keeps."""
    examples_before: tuple[bool, ...] = ()

    def classes(self) -> list[list[int]]:
        """Numbers of the variants, those with the same outcomes on every input together; in order of appearance."""
        found: dict[tuple[str, ...], list[int]] = {}
        for number, outcomes in enumerate(self.variants):
            found.setdefault(outcomes, []).append(number)
        return list(found.values())

    def difference(self, one: int, other: int) -> float:
        """Share of all inputs on which two variants differ, in [0,1]."""
        if not self.inputs:
            return 0.0
        pairs = zip(self.variants[one], self.variants[other], strict=True)
        return sum(a != b for a, b in pairs) / len(self.inputs)

    def dispute(self, one: int, other: int) -> float:
        """Share on which two variants differ, of the inputs on which either changes anything, in [0,1]."""
        rows = list(zip(self.original, self.variants[one], self.variants[other], strict=True))
        touched = sum(before != a or before != b for before, a, b in rows)
        return sum(a != b for _, a, b in rows) / touched if touched else 0.0

    def changed(self, variant: int, origin: str) -> float:
        """Share of the inputs of one origin on which a variant differs from the unchanged function."""
        rows = [n for n, (o, _) in enumerate(self.inputs) if o == origin]
        if not rows:
            return 0.0
        return sum(self.variants[variant][n] != self.original[n] for n in rows) / len(rows)

    def changed_answers(self, variant: int, origin: str) -> float:
        """As :meth:`changed`, counting only inputs that the unchanged function gave an answer to."""
        rows = [n for n, (o, _) in enumerate(self.inputs) if o == origin and self.original[n][:1] == "="]
        if not rows:
            return 0.0
        return sum(self.variants[variant][n] != self.original[n] for n in rows) / len(rows)

    def broken(self, variant: int) -> float:
        """Share of inputs on which a variant raises or does not end although the unchanged function answered."""
        if not self.inputs:
            return 0.0
        pairs = zip(self.original, self.variants[variant], strict=True)
        return sum(a[:1] == "=" and b[:1] != "=" for a, b in pairs) / len(self.inputs)

    def failing(self, variant: int) -> float:
        """Share of inputs on which a variant raises or does not end."""
        if not self.inputs:
            return 0.0
        return sum(b[:1] != "=" for b in self.variants[variant]) / len(self.inputs)

    def distinguishing(self, one: int, other: int) -> tuple[str, str, str] | None:
        """The shortest input on which two variants differ, and what each answers."""
        found = [
            (len(text), text, a, b)
            for (_, text), a, b in zip(self.inputs, self.variants[one], self.variants[other], strict=True)
            if a != b
        ]
        if not found:
            return None
        _, text, a, b = min(found)
        return text, a, b


def observe(
    run: Run,
    *,
    arguments: Iterable[str],
    tests: Sequence[str],
    limits: Sequence[float],
    target: Target,
    variants: Sequence[tuple[Edit, ...]],
    literals: Iterable[str] = (),
    examples: Iterable[tuple[str, str]] = (),
    count: int = 150,
    call_limit_s: float = 0.05,
    seconds: float = 10.0,
    seed: int = 0,
) -> Observations | None:
    """Run the target and its variants on recorded and generated inputs; ``None`` when that is not possible."""
    job = {
        "pytest": list(arguments),
        "tests": list(tests),
        "limits": list(limits),
        "failing": list(target.failing),
        "passing": list(target.passing),
        "target": target_data(target),
        "variants": [[[e.start, e.end, e.text] for e in edits] for edits in variants],
        "literals": list(literals),
        "examples": [list(e) for e in examples],
        "count": count,
        "call_limit": call_limit_s,
        "seconds": seconds,
        "seed": seed,
    }
    inputs: list[tuple[str, str]] = []
    rows: dict[int, tuple[str, ...]] = {}
    kept: dict[int, tuple[bool, ...]] = {}
    for answer in ask(run, "observe", job, seconds * 3 + 60):
        if "inputs" in answer:
            inputs = [(origin, text) for origin, text in answer["inputs"]]
        elif "variant" in answer:
            rows[answer["variant"]] = tuple(answer["outcomes"])
            kept[answer["variant"]] = tuple(answer["examples"])
    if len(rows) != len(variants) + 1 or not inputs:
        return None
    return Observations(
        inputs=tuple(inputs),
        original=rows[0],
        variants=tuple(rows[n + 1] for n in range(len(variants))),
        examples=tuple(kept[n + 1] for n in range(len(variants))),
        examples_before=kept[0],
    )
