"""Has running a candidate left something behind in the program's own state?

A fingerprint of the module and class variables of the repository's modules: when it differs after a candidate,
the process is thrown away. Caches made with ``functools.lru_cache`` are emptied instead.
"""

from __future__ import annotations

import gc
import sys
import time
import types
from pathlib import Path
from typing import Any

from .outcomes import canonical

_NODES = 3000
"""Values looked at; a program with more state than that is always run in a process of its own."""
_WORTH_S = 0.0005
"""CPU seconds that looking at the variables of the modules of interest may take after each call."""
_ATOMS = (int, float, complex, str, bytes, bool, type(None))
_OPAQUE = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, property)


class TooMuchState(Exception):
    """More values than are worth comparing after each candidate."""


class ModuleState:
    """The variables of all modules whose file lies under ``root``."""

    def __init__(self, root: str) -> None:
        self.modules = [m for m in list(sys.modules.values()) if _inside(m, root)]
        self.caches = [
            thing
            for thing in gc.get_objects()
            if type(thing).__name__ == "_lru_cache_wrapper" and _of_repository(thing, root)
        ]

    def clear_caches(self) -> None:
        for cache in self.caches:
            cache.cache_clear()

    def fingerprint(self) -> int:
        """A number that changes when a variable does; raises :class:`TooMuchState`."""
        walk = _Walk({m.__name__ for m in self.modules})
        return hash(tuple(walk.value(vars(module)) for module in self.modules))


class Variables:
    """The data in the variables of a few modules, as a text; empty when that would cost too much."""

    def __init__(self, modules: list[types.ModuleType]) -> None:
        self._modules = modules
        started = time.process_time()
        self.text()
        if time.process_time() - started > _WORTH_S:
            self._modules = []

    def text(self) -> str:
        if not self._modules:
            return ""
        data = [
            {k: v for k, v in list(vars(m).items()) if not _private(k) and not isinstance(v, (*_OPAQUE, type))}
            for m in self._modules
        ]
        try:
            return canonical(data)
        # Values of the repository may refuse to be looked at in any way.
        except Exception:
            return ""


def _of_repository(cache: Any, root: str) -> bool:
    """Whether a cache remembers results of the repository's code; those of libraries are left alone."""
    code = getattr(getattr(cache, "__wrapped__", None), "__code__", None)
    return code is None or code.co_filename.startswith(root)


def _inside(module: Any, root: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and str(Path(file).resolve()).startswith(root)


class _Walk:
    def __init__(self, modules: set[str]) -> None:
        self.own = modules | {"collections", "__main__"}
        self.seen: dict[int, int] = {}
        self.left = _NODES

    def value(self, value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value if kind is not float else repr(value)
        if isinstance(value, _OPAQUE):
            return id(value)
        number = self.seen.get(id(value))
        if number is not None:
            return ("again", number)
        self.seen[id(value)] = len(self.seen)
        self.left -= 1
        if self.left < 0:
            raise TooMuchState
        if kind is dict:
            return tuple([(self.value(k), self.value(v)) for k, v in value.items() if not _private(k)])
        if kind in (list, tuple):
            return (kind.__name__, *[self.value(v) for v in value])
        if kind in (set, frozenset):
            return (kind.__name__, frozenset(self.value(v) for v in value))
        if (value if isinstance(value, type) else kind).__module__ not in self.own:
            return id(value)
        if isinstance(value, type):
            return (id(value), *[self.value(v) for k, v in vars(value).items() if not _private(k)])
        return (id(kind), self._contents(value))

    def _contents(self, value: Any) -> Any:
        parts: list[Any] = []
        state = getattr(value, "__dict__", None)
        if isinstance(state, dict):
            parts.append(self.value(state))
        if isinstance(value, (list, tuple, set, frozenset)) or type(value).__name__ == "deque":
            parts.append(tuple([self.value(v) for v in value]))
        elif isinstance(value, dict):
            parts.append(tuple([(self.value(k), self.value(v)) for k, v in dict.items(value)]))
        return tuple(parts) or id(value)


def _private(key: Any) -> bool:
    return isinstance(key, str) and (key.startswith(("__", "@py")))
