"""New arguments for a function from those that its tests gave it, or from its annotations when they gave none.

Changes recorded values a little (an element less, a neighbour of a number, the empty case, ``None`` where the
annotation allows it) and mixes calls. What all recorded values have in common (numbers are not negative, lists are
sorted) is kept, because the tests show which inputs are legitimate. Deterministic for a seed.
"""

from __future__ import annotations

import ast
import copy
import random
import types
from collections.abc import Callable
from typing import Any

from .outcomes import canonical

_MIXED, _NONE, _RECEIVER = 0.2, 0.15, 0.7
"""Chances: an argument of another call, ``None`` where it is allowed, the receiver left as it is."""


def literal(text: str) -> Any:
    """The value of a literal, ``None`` when it is none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def boundaries(code: types.CodeType) -> list[Any]:
    """Constants that code compares or calculates with, and the numbers next to them."""
    found: list[Any] = []
    for value in code.co_consts[1:]:
        if type(value) is int and abs(value) < 1 << 40:
            found += [value - 1, value, value + 1]
        elif type(value) is str and len(value) < 40:
            found.append(value)
        elif isinstance(value, types.CodeType):
            found += boundaries(value)
    return found[:40]


class Domain:
    """What the recorded values of one parameter have in common."""

    def __init__(self, values: list[Any]) -> None:
        numbers = [v for v in _flat(values) if isinstance(v, (int, float)) and not isinstance(v, bool)]
        self.negative = any(n < 0 for n in numbers)
        self.largest = max([abs(n) for n in numbers], default=3)
        self.letters = sorted({c for v in _flat(values) if isinstance(v, str) for c in v}) or list("ab")
        sequences = [v for v in values if isinstance(v, (list, tuple)) and len(v) > 1]
        self.sorted = bool(sequences) and all(_is_sorted(s) for s in sequences)
        self.distinct = bool(sequences) and all(len({canonical(x) for x in s}) == len(s) for s in sequences)
        self.elements = [e for s in values if isinstance(s, (list, tuple, set, frozenset)) for e in s][:60]
        self.values = values


def _flat(values: list[Any], depth: int = 0) -> list[Any]:
    found: list[Any] = []
    for value in values[:80]:
        if isinstance(value, (list, tuple, set, frozenset)) and depth < 4:
            found.extend(_flat(list(value), depth + 1))
        elif isinstance(value, dict) and depth < 4:
            found.extend(_flat([*value.keys(), *value.values()], depth + 1))
        else:
            found.append(value)
    return found


def _is_sorted(values: Any) -> bool:
    try:
        return all(values[i] <= values[i + 1] for i in range(len(values) - 1))
    # Elements that cannot be compared are in no order.
    except Exception:
        return False


class Generator:
    """Makes calls like the recorded ones, which come as ``(origin, call)`` pairs.

    ``literals`` are values worth trying; ``optional`` names the positions and keywords that may be ``None``.
    """

    def __init__(
        self, recorded: list[Any], literals: list[Any], seed: int, optional: frozenset[Any] = frozenset()
    ) -> None:
        self.random = random.Random(seed)  # noqa: S311 - test data, not a secret
        self.calls = calls = [call for _, call in recorded]
        self.by_origin: dict[str, list[Any]] = {}
        for origin, call in recorded:
            self.by_origin.setdefault(origin, []).append(call)
        self.literals = literals
        self.optional = optional
        width = max((len(arguments) for arguments, _ in calls), default=0)
        self.domains = [Domain([arguments[i] for arguments, _ in calls if i < len(arguments)]) for i in range(width)]

    def generate(self, count: int) -> list[Any]:
        """At most ``count`` distinct new calls, each with ``near-`` and the origin of the call it was made from."""
        seen = {canonical(call) for call in self.calls}
        found: list[Any] = []
        for attempt in range(count * 6):
            if len(found) >= count or not self.calls:
                break
            try:
                origin = sorted(self.by_origin)[attempt % len(self.by_origin)]
                call = self._one(self.by_origin[origin], attempt)
                text = canonical(call)
            # Copying or comparing objects of the repository may fail in any way.
            except Exception:  # noqa: S112
                continue
            if text not in seen:
                seen.add(text)
                found.append(("near-" + origin, call))
        return found

    def _one(self, calls: list[Any], attempt: int) -> Any:
        arguments, named = copy.deepcopy(self.random.choice(calls))
        places: list[Any] = [*range(len(arguments)), *named]
        if len(places) > 1 and arguments and hasattr(arguments[0], "__dict__") and self.random.random() < _RECEIVER:
            # A receiver whose attributes were changed from outside may be one that cannot come about.
            del places[0]
        changes = 1 if attempt % 3 else self.random.randint(1, 3)
        for _ in range(changes if places else 0):
            place = self.random.choice(places)
            held: Any = named if isinstance(place, str) else arguments
            if place in self.optional and self.random.random() < _NONE:
                held[place] = None
            elif not isinstance(place, str) and self.random.random() < _MIXED:
                other = self.random.choice(self.calls)[0]
                if place < len(other):
                    held[place] = copy.deepcopy(other[place])
            else:
                domain = Domain([held[place]]) if isinstance(place, str) else self.domains[place]
                held[place] = self.change(held[place], domain, 0)
        return arguments, named

    def change(self, value: Any, domain: Domain, depth: int) -> Any:
        """A value like ``value``, of the same type."""
        kind = type(value)
        change: Callable[..., Any] | None = _CHANGES.get(kind)
        if change is not None:
            return change(self, value, domain, depth)
        state = getattr(value, "__dict__", None)
        if isinstance(state, dict) and state and depth < 3:
            name = self.random.choice(sorted(map(str, state)))
            state[name] = self.change(state[name], Domain([state[name]]), depth + 1)
        return value

    def _boolean(self, value: bool, domain: Domain, depth: int) -> bool:
        return not value

    def _integer(self, value: int, domain: Domain, depth: int) -> int:
        options = [value + 1, value - 1, value + 2, value * 2, value // 2, 0, 1, 2, self.random.randint(0, 9)]
        options += [self.random.randint(0, int(domain.largest) + 2) for _ in range(3)]
        options += [n for n in self.literals if isinstance(n, int) and abs(n) <= 4 * domain.largest + 10]
        if domain.negative:
            options += [-value, -1, -2]
        else:
            options = [n for n in options if n >= 0]
        return self.random.choice(options or [value])

    def _float(self, value: float, domain: Domain, depth: int) -> float:
        options = [value + 1, value / 2, value * 2, 0.0, 1.0, value + 0.5, round(self.random.random() * 10, 2)]
        if domain.negative:
            options += [-value, -1.0]
        return self.random.choice(options)

    def _text(self, value: str, domain: Domain, depth: int) -> str:
        letter = self.random.choice(domain.letters)
        place = self.random.randint(0, len(value))
        words = [w for w in self.literals if isinstance(w, str)]
        options = [
            value[:place] + letter + value[place:],
            value[:place] + value[place + 1 :],
            value[:place] + letter + value[place + 1 :],
            value[::-1],
            value + value,
            value[: len(value) // 2],
            value[len(value) // 2 :],
            "",
            letter,
            "".join(self.random.choice(domain.letters) for _ in range(self.random.randint(1, len(value) + 2))),
        ]
        return self.random.choice(options + words[:4])

    def _list(self, value: list[Any], domain: Domain, depth: int) -> list[Any]:
        found = list(value)
        action = self.random.randrange(9)
        element = copy.deepcopy(self.random.choice(domain.elements)) if domain.elements else None
        if action == 0:
            found = found[:1] if self.random.random() < 0.5 else []
        elif action == 1 and found:
            del found[self.random.randrange(len(found))]
        elif action == 2 and domain.elements:
            found.insert(self.random.randint(0, len(found)), element)
        elif action == 3 and len(found) > 1:
            one, other = self.random.randrange(len(found)), self.random.randrange(len(found))
            found[one], found[other] = found[other], found[one]
        elif action == 4:
            found.reverse()
        elif action == 5 and found:
            found.append(copy.deepcopy(self.random.choice(found)))
        elif action == 6:
            self.random.shuffle(found)
        elif found and depth < 4:
            place = self.random.randrange(len(found))
            found[place] = self.change(found[place], Domain(found), depth + 1)
        if domain.sorted and depth == 0 and not _is_sorted(found):
            found.sort()
        if domain.distinct and depth == 0:
            found = list({canonical(x): x for x in found}.values())
        return found

    def _tuple(self, value: tuple[Any, ...], domain: Domain, depth: int) -> tuple[Any, ...]:
        # A tuple is more often a record than a sequence: its length stays.
        found = list(value)
        if found:
            place = self.random.randrange(len(found))
            found[place] = self.change(found[place], Domain([found[place]]), depth + 1)
        return tuple(found)

    def _set(self, value: Any, domain: Domain, depth: int) -> Any:
        found = sorted(value, key=canonical)
        return type(value)(self._list(found, Domain([found]), depth + 1))

    def _dict(self, value: dict[Any, Any], domain: Domain, depth: int) -> dict[Any, Any]:
        found = dict(value)
        action = self.random.randrange(4)
        if not found:
            return found
        key = self.random.choice(list(found))
        if action == 0:
            del found[key]
        elif action == 1:
            found[self.change(copy.deepcopy(key), Domain(list(found)), depth + 1)] = copy.deepcopy(found[key])
        else:
            found[key] = self.change(copy.deepcopy(found[key]), Domain(list(found.values())), depth + 1)
        return found


_CHANGES: dict[type, Callable[..., Any]] = {
    bool: Generator._boolean,
    int: Generator._integer,
    float: Generator._float,
    str: Generator._text,
    list: Generator._list,
    tuple: Generator._tuple,
    set: Generator._set,
    frozenset: Generator._set,
    dict: Generator._dict,
}
