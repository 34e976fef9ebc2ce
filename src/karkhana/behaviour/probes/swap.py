"""Put the code of a changed function into the live function objects of a running program.

The changed text of one outermost function is compiled alone, at its own line and under empty classes of the
right names (so private names and ``super()`` work), and its code objects replace those of all live functions
that were made from the original, wherever decorators or registries have put them.

Not possible when a default, a decorator or the set of captured variables changes: :class:`Unswappable`.
"""

from __future__ import annotations
import __future__

import gc
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag


class Unswappable(Exception):
    """This change needs a fresh interpreter."""


class Target:
    """One outermost function of one file."""

    def __init__(self, root: str, data: dict[str, Any]) -> None:
        self.path = str(Path(root, data["path"]).resolve())
        self.name: str = data["name"]
        self.classes: list[str] = data["classes"]
        self.top: int = data["top"]
        self.start: int = data["start"]
        self.text: str = data["text"]
        self.flags = 0

    def edited(self, edits: list[list[Any]]) -> str:
        """The text with ``[start, end, replacement]`` edits (character offsets) applied."""
        text = self.text
        for start, end, replacement in sorted(edits, reverse=True, key=lambda e: (e[0], e[1])):
            text = text[:start] + replacement + text[end:]
        return text

    def compile(self, text: str) -> types.CodeType:
        """The code of the function as ``text`` has it; raises ``SyntaxError`` or ``ValueError``."""
        headers = [" " * i + "class " + name + ":\n" for i, name in enumerate(self.classes)]
        if not headers and text[:1] in " \t":
            headers = ["if 1:\n"]
        blank = max(0, self.start - 1 - len(headers))
        source = "\n" * blank + "".join(headers) + text
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code: types.CodeType = compile(source, self.path, "exec", self.flags, dont_inherit=True)
        for name in [*self.classes, self.name]:
            code = next(c for c in _children(code) if c.co_name == name)
        return code


def _children(code: types.CodeType) -> list[types.CodeType]:
    return [c for c in code.co_consts if isinstance(c, types.CodeType)]


def _tree(code: types.CodeType, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], types.CodeType]]:
    yield path, code
    seen: dict[str, int] = {}
    for child in _children(code):
        seen[child.co_name] = seen.get(child.co_name, -1) + 1
        yield from _tree(child, (*path, (child.co_name, seen[child.co_name])))


def fingerprint(code: types.CodeType) -> Any:
    """What the code does, without where it stands: equal for texts that compile to the same program."""
    constants = tuple(
        fingerprint(c) if isinstance(c, types.CodeType) else (type(c).__name__, repr(c)) for c in code.co_consts
    )
    return (
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_kwonlyargcount,
        code.co_flags,
        constants,
        getattr(code, "co_exceptiontable", b""),
    )


class LiveFunctions:
    """The function objects of one target in this process."""

    def __init__(self, target: Target, functions: list[types.FunctionType]) -> None:
        self.target = target
        roots = [f for f in functions if self._is_root(f)]
        if not roots:
            raise Unswappable(f"no live function for {target.name}")
        self.original = roots[0].__code__
        target.flags = self.original.co_flags & _FUTURES
        self._places = {(c.co_name, c.co_firstlineno): path for path, c in _tree(self.original)}
        self._live = [
            (function, function.__code__, self._places[key])
            for function in functions
            if (key := (function.__code__.co_name, function.__code__.co_firstlineno)) in self._places
        ]
        self.root = roots[0]

    def _is_root(self, function: types.FunctionType) -> bool:
        code = function.__code__
        return code.co_name == self.target.name and code.co_firstlineno in (self.target.top, self.target.start)

    def install(self, code: types.CodeType) -> None:
        """Make the live functions run ``code``; raises :class:`Unswappable` and leaves them as they were."""
        fresh = dict(_tree(code))
        plan: list[tuple[types.FunctionType, types.CodeType]] = []
        for function, _, place in self._live:
            replacement = fresh.get(place)
            if replacement is None or len(replacement.co_freevars) != len(function.__code__.co_freevars):
                raise Unswappable(f"{self.target.name} captures other variables")
            if replacement.co_freevars != function.__code__.co_freevars:
                raise Unswappable(f"{self.target.name} captures other variables")
            plan.append((function, replacement))
        for function, replacement in plan:
            function.__code__ = replacement

    def restore(self) -> None:
        for function, original, _ in self._live:
            function.__code__ = original


def live_functions(root: str) -> dict[str, list[types.FunctionType]]:
    """All Python functions of the program by the resolved path of their file, inside ``root``."""
    found: dict[str, list[types.FunctionType]] = {}
    names: dict[str, str] = {}
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType:
            file = thing.__code__.co_filename
            path = names.get(file)
            if path is None:
                path = names[file] = file if file.startswith("<") else str(Path(file).resolve())
            if path.startswith(root):
                found.setdefault(path, []).append(thing)
    return found
