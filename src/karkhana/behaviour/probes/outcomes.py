"""One text for what a call did, the same for equal behaviour: the value, the exception, changed arguments.

Addresses and the order of sets do not show; floats are rounded; depth and length are bounded.
"""

from __future__ import annotations

import types
from typing import Any

_DEPTH = 8
_ITEMS = 400
_DIGITS = 9


def canonical(value: Any, depth: int = 0, seen: tuple[int, ...] = ()) -> str:
    """A text that is equal for values that a caller could not tell apart."""
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return repr(round(value, _DIGITS)) if abs(value) < 1e15 else repr(value)
    if id(value) in seen:
        return f"<again {len(seen) - seen.index(id(value))}>"
    if depth > _DEPTH:
        return "…"
    inner = (*seen, id(value))
    if kind in (list, tuple):
        parts = [canonical(v, depth + 1, inner) for v in value[:_ITEMS]]
        return f"[{', '.join(parts)}]" if kind is list else f"({', '.join(parts)},)"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(canonical(v, depth + 1, inner) for v in value)) + "}"
    if isinstance(value, dict):
        pairs = [f"{canonical(k, depth + 1, inner)}: {canonical(v, depth + 1, inner)}" for k, v in dict.items(value)]
        return "{" + ", ".join(pairs[:_ITEMS]) + "}"
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type, types.ModuleType)):
        return getattr(value, "__qualname__", getattr(value, "__name__", "?"))
    return _object(value, depth, inner)


def _object(value: Any, depth: int, seen: tuple[int, ...]) -> str:
    name = type(value).__name__
    if isinstance(value, (list, tuple)) or name == "deque":
        return f"{name}({', '.join(canonical(v, depth + 1, seen) for v in list(value)[:_ITEMS])})"
    if isinstance(value, (int, float, str, bytes)):
        return f"{name}({value!r})"
    state = getattr(value, "__dict__", None)
    if isinstance(state, dict):
        parts = [f"{k}={canonical(v, depth + 1, seen)}" for k, v in sorted(state.items(), key=lambda p: str(p[0]))]
        return f"{name}({', '.join(parts[:_ITEMS])})"
    described: Any = type(value).__repr__
    if described is not object.__repr__:
        try:
            text = repr(value)
        # A broken __repr__ of the repository is no reason to give up.
        except Exception:
            text = ""
        if " at 0x" not in text:
            return text
    return name


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
