"""One text for a value or a state, the same for what a caller could not tell apart.

Addresses and the order of sets do not show; floats are rounded; depth, length and the number of values looked at are
bounded. Objects are told by what they hold (``__dict__``, ``__slots__``, their items), not by their ``__repr__``,
except those of the standard library, which keep caches in their attributes.

>>> canonical({"b": [1.0000000000001, {2, 1}]})
"{'b': [1.0, {1, 2}]}"
"""

from __future__ import annotations

import enum
import sys
import types
from typing import Any

_DEPTH = 8
_ITEMS = 400
_VALUES = 6000
_DIGITS = ".12g"
_LONG_BITS = 8000
_CALLABLE = (types.FunctionType, types.BuiltinFunctionType, type, types.ModuleType, types.MethodType)
_LIBRARY: frozenset[str] = frozenset(
    getattr(sys, "stdlib_module_names", ("builtins", "datetime", "decimal", "pathlib", "re", "uuid", "ipaddress"))
)


def canonical(value: Any) -> str:
    """A text that is equal for values that a caller could not tell apart."""
    return _Writer().text(value, ())


class _Writer:
    """One value's text, with a bound on how much is looked at."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _VALUES

    def text(self, value: Any, seen: tuple[int, ...]) -> str:
        kind = type(value)
        if value is None or kind in (bool, str, bytes):
            return repr(value)
        if kind is int:
            return repr(value) if value.bit_length() < _LONG_BITS else hex(value)
        if kind is float:
            return repr(float(format(value, _DIGITS)))
        if id(value) in seen:
            return f"<again {len(seen) - seen.index(id(value))}>"
        self.left -= 1
        if len(seen) > _DEPTH or self.left < 0:
            return "…"
        inner = (*seen, id(value))
        if kind is list:
            return f"[{', '.join(self._items(value, inner))}]"
        if kind is tuple:
            return f"({', '.join(self._items(value, inner))},)"
        if kind is dict:
            return "{" + ", ".join(self._pairs(value, inner)) + "}"
        if kind in (set, frozenset):
            return "{" + ", ".join(sorted(self._items(value, inner))) + "}"
        if issubclass(kind, _CALLABLE):
            return str(getattr(value, "__qualname__", getattr(value, "__name__", "?")))
        return self._object(value, kind, inner)

    def _items(self, values: Any, seen: tuple[int, ...]) -> list[str]:
        found: list[str] = []
        for number, value in enumerate(values):
            self.left -= 1
            if number >= _ITEMS or self.left < 0:
                found.append("…")
                break
            found.append(self.text(value, seen))
        return found

    def _pairs(self, value: Any, seen: tuple[int, ...]) -> list[str]:
        pairs = list(dict.items(value))[: min(_ITEMS, max(0, self.left))]
        self.left -= len(pairs)
        return [f"{self.text(k, seen)}: {self.text(v, seen)}" for k, v in pairs]

    def _object(self, value: Any, kind: type, seen: tuple[int, ...]) -> str:
        name = kind.__name__
        if issubclass(kind, enum.Enum):
            return f"{name}.{value._name_}"
        parts = self._contents(value, kind, seen)
        if not parts and kind.__module__.partition(".")[0] in _LIBRARY:
            return _described(value, kind)
        state = self._attributes(value, kind, seen)
        if not parts and not state:
            return _described(value, kind)
        return f"{name}({', '.join([*parts, *state])})"

    def _contents(self, value: Any, kind: type, seen: tuple[int, ...]) -> list[str]:
        """What an object holds by being a container or a plain value."""
        if issubclass(kind, BaseException):
            return self._items(value.args, seen)
        for base in (list, tuple, set, frozenset):
            if issubclass(kind, base):
                found = self._items(base.__iter__(value), seen)
                return sorted(found) if base in (set, frozenset) else found
        if kind.__name__ == "deque":
            return self._items(value, seen)
        if issubclass(kind, dict):
            return self._pairs(value, seen)
        for plain in (int, float, str, bytes):
            if issubclass(kind, plain):
                return [plain.__repr__(value)]
        return []

    def _attributes(self, value: Any, kind: type, seen: tuple[int, ...]) -> list[str]:
        found: dict[str, Any] = {}
        try:
            state = object.__getattribute__(value, "__dict__")
        except AttributeError:
            state = None
        if isinstance(state, dict):
            found.update((str(k), v) for k, v in state.items())
        for base in kind.__mro__:
            slots = base.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                member = base.__dict__.get(slot) or base.__dict__.get(f"_{base.__name__.lstrip('_')}{slot}")
                if isinstance(member, types.MemberDescriptorType):
                    try:
                        found[slot] = member.__get__(value)
                    except AttributeError:
                        continue
        return [f"{k}={self.text(v, seen)}" for k, v in sorted(found.items())[:_ITEMS]]


def _described(value: Any, kind: type) -> str:
    described: Any = kind.__repr__
    if described is not object.__repr__:
        try:
            text = str(repr(value))
        # A broken __repr__ of the repository is no reason to give up.
        except Exception:
            text = " at 0x"
        if " at 0x" not in text:
            return text[:2000]
    return kind.__name__


def settled(value: Any) -> Any:
    """What a call produced, with generators and coroutines run to their end (at most ``_ITEMS`` items)."""
    if isinstance(value, types.GeneratorType):
        items: list[Any] = ["generator"]
        for item in value:
            items.append(settled(item))
            if len(items) > _ITEMS:
                break
        return items
    if isinstance(value, types.CoroutineType):
        import asyncio

        return asyncio.run(value)
    if (
        hasattr(value, "__next__")
        and hasattr(value, "__iter__")
        and type(value).__module__ in ("builtins", "itertools")
    ):
        return [type(value).__name__, *_first(value)]
    return value


def _first(iterator: Any) -> list[Any]:
    items: list[Any] = []
    for item in iterator:
        items.append(item)
        if len(items) >= _ITEMS:
            break
    return items
