"""Arguments from annotations and defaults, for functions that no test calls with values that can be copied.

Knows the plain types and containers of them; a parameter without annotation or default ends the attempt.

>>> def f(n: int, words: "list[str]" = ()): ...
>>> len(calls_for(f, 5, 0))
5
"""

from __future__ import annotations

import collections.abc
import inspect
import random
import types
import typing
from typing import Any

_DEPTH = 3
_VALUES: dict[Any, list[Any]] = {
    bool: [False, True],
    int: [0, 1, 2, -1, 3, 10, 7, 100],
    float: [0.0, 1.0, -1.0, 0.5, 2.25, 1e6],
    complex: [0j, 1 + 2j],
    str: ["", "a", "ab", "A b", "hello world", "1", " x ", "aba"],
    bytes: [b"", b"a", b"ab\n"],
    type(None): [None],
    Any: [0, "", None, [1]],
    object: [0, "", None],
}
_SEQUENCES = (collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection, list)
_MAPPINGS = (collections.abc.Mapping, collections.abc.MutableMapping, dict)


class _Unknown(Exception):
    """No value can be made for an annotation."""


def hints_of(function: Any) -> dict[str, Any]:
    """The evaluated annotations of a function, as far as they can be evaluated."""
    try:
        return typing.get_type_hints(function)
    # Annotations are code of the repository, or name what is only imported for a type checker.
    except Exception:
        return {}


def optional_parameters(function: Any) -> frozenset[Any]:
    """Positions and names of parameters whose annotation, or default, says that they may be ``None``."""
    hints = hints_of(function)
    found: set[Any] = set()
    for number, parameter in enumerate(inspect.signature(function, follow_wrapped=False).parameters.values()):
        hint = hints.get(parameter.name)
        if type(None) in typing.get_args(hint) or parameter.default is None:
            found |= {number, parameter.name}
    return frozenset(found)


def calls_for(function: Any, count: int, seed: int) -> list[tuple[list[Any], dict[str, Any]]]:
    """At most ``count`` calls, as (positional arguments, keyword arguments); none when a parameter is unknown."""
    chance = random.Random(seed)  # noqa: S311 - test data, not a secret
    hints = hints_of(function)
    try:
        signature = inspect.signature(function, follow_wrapped=False)
        return [_call(signature, hints, chance) for _ in range(count)]
    except (_Unknown, ValueError, TypeError):
        return []


def _call(signature: Any, hints: dict[str, Any], chance: random.Random) -> tuple[list[Any], dict[str, Any]]:
    arguments: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in hints:
            value = _value(hints[parameter.name], chance, 0)
        elif parameter.default is not parameter.empty and type(parameter.default) in _VALUES:
            value = chance.choice([parameter.default, *_VALUES[type(parameter.default)]])
        elif parameter.default is not parameter.empty:
            value = parameter.default
        else:
            raise _Unknown(parameter.name)
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            arguments.append(value)
    return arguments, named


def _value(hint: Any, chance: random.Random, depth: int) -> Any:
    if hint in _VALUES:
        return chance.choice(_VALUES[hint])
    if depth > _DEPTH:
        raise _Unknown(str(hint))
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is typing.Union or origin is getattr(types, "UnionType", typing.Union):
        return _value(chance.choice(inner), chance, depth + 1)
    if origin is typing.Literal:
        return chance.choice(inner)
    if origin in _SEQUENCES:
        return _several(inner[:1], chance, depth)
    if origin in (set, frozenset):
        return origin(_several(inner[:1] or (int,), chance, depth))
    if origin is tuple:
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_several(inner[:1], chance, depth))
        return tuple(_value(i, chance, depth + 1) for i in inner)
    if origin in _MAPPINGS:
        key, value = inner or (str, int)
        return {_value(key, chance, depth + 1): _value(value, chance, depth + 1) for _ in range(chance.randrange(4))}
    raise _Unknown(str(hint))


def _several(inner: Any, chance: random.Random, depth: int) -> list[Any]:
    return [_value(inner[0] if inner else int, chance, depth + 1) for _ in range(chance.randrange(4))]
