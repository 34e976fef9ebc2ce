"""Collects what a comparison finds: each finding once, with its sentence from the list.

Knows nothing of schemas or operations.
"""

from karkhana.quality.contracts.openapi.findings import ContractChange, Direction, Weight, catalogue

LONGEST = 120
"""Characters of a word in a sentence; names and values come from files that nobody vouches for."""


class Report:
    """Findings in the order in which they came."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], ContractChange] = {}

    @property
    def breaks(self) -> bool:
        """Whether a breaking change is among them."""
        return any(f.severity is Weight.BREAKING for f in self._found.values())

    @property
    def findings(self) -> tuple[ContractChange, ...]:
        return tuple(self._found.values())

    def add(
        self,
        code: str,
        direction: Direction | None = None,
        /,
        *,
        operation: str = "",
        place: str = "",
        name: str = "",
        was: str = "",
        now: str = "",
        old: str = "",
        new: str = "",
    ) -> None:
        """One finding; the same one at the same place is told once. Raises ``KeyError`` for an unknown code."""
        kind = catalogue()[code]
        key = (code, old, new, name)
        if key in self._found:
            return
        words = {"name": _short(name), "was": _short(was), "now": _short(now), "place": _short(place)}
        sentence = kind.sentence.format(**words)
        self._found[key] = ContractChange(
            code=code,
            severity=kind.severity,
            direction=direction,
            operation=operation,
            old=old,
            new=new,
            message=f"{operation}: {sentence}" if operation else sentence,
            name=_short(name),
        )


def _short(word: str) -> str:
    plain = "".join(c if c.isprintable() else "�" for c in word)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
