"""Compares what two schemas demand of a single value: type, null, enumeration, format, bounds, pattern.

``inner`` is the side whose values have to fit into the ``outer`` one: for a request the old schema has to fit into
the new one, for a response the new into the old. So each rule is written once, and each has a name per direction.

Knows nothing of properties, items or alternatives.
"""

from collections.abc import Iterator
from typing import NamedTuple

from karkhana.quality.contracts.openapi.findings import Direction
from karkhana.quality.contracts.openapi.views import LOWER, UPPER, View, canonical, tighter

_WIDER_FORMATS = {("int32", "int64"), ("float", "double"), ("int32", "double"), ("int32", "float"), ("int64", "double")}
"""Formats whose values all fit into another one's."""
_ANNOTATIONS = frozenset({"password", "textarea", "markdown", "html"})
"""Formats that say how to show a value, not what it may be."""


class Violation(NamedTuple):
    """What of ``inner`` does not fit. ``code`` without the direction."""

    code: str
    was: str = ""
    now: str = ""
    name: str = ""


def violations(old: View, new: View, direction: Direction) -> Iterator[Violation]:
    """Everything about single values that breaks in this direction."""
    request = direction is Direction.REQUEST
    inner, outer = (old, new) if request else (new, old)
    yield from _null(inner, outer, request=request)
    yield from _enum(inner, outer, request=request)
    if not _formatted_within(inner.format, outer.format):
        yield Violation("format_changed", old.format or "any format", new.format or "any format")
    yield from _bounds(old, new, request=request)
    if set(outer.patterns) - set(inner.patterns):
        yield Violation("pattern_changed", " and ".join(old.patterns) or "any", " and ".join(new.patterns) or "any")
    if outer.multiple and not (inner.multiple and _divides(outer.multiple, inner.multiple)):
        yield Violation("bound_changed", _shown(old.multiple), _shown(new.multiple), "multipleOf")
    if outer.unique and not inner.unique:
        yield Violation("bound_changed", str(old.unique).lower(), str(new.unique).lower(), "uniqueItems")
    for key in sorted(outer.opaque.keys() | inner.opaque.keys()):
        if outer.opaque.get(key, inner.opaque.get(key)) != inner.opaque.get(key):
            yield Violation("constraint_changed", name=key)


def types_clash(old: View, new: View) -> Violation | None:
    """When no value of one type is a value of the other, nothing below is worth comparing."""
    if old.types is None or new.types is None or not old.types or not new.types:
        return None
    if _shared(old.types, new.types):
        return None
    return Violation("type_changed", _names(old), _names(new))


def types_violation(old: View, new: View, direction: Direction) -> Violation | None:
    """Types that ``inner`` may have and ``outer`` may not."""
    request = direction is Direction.REQUEST
    inner, outer = (old, new) if request else (new, old)
    code = "type_narrowed" if request else "type_widened"
    if outer.impossible and not inner.impossible:
        return Violation(code, _names(old), _names(new))
    if outer.types is None:
        return None
    if inner.types is None or any(not _admitted(t, outer.types) for t in inner.types):
        return Violation(code, _names(old), _names(new))
    return None


def _formatted_within(inner: str, outer: str) -> bool:
    return not outer or outer in _ANNOTATIONS or inner == outer or (inner, outer) in _WIDER_FORMATS


def _shared(types: frozenset[str], others: frozenset[str]) -> bool:
    return any(_admitted(t, others) for t in types) or any(_admitted(t, types) for t in others)


def _admitted(name: str, types: frozenset[str]) -> bool:
    return name in types or (name == "integer" and "number" in types)


def _names(view: View) -> str:
    if view.impossible:
        return "nothing"
    return " or ".join(sorted(view.types)) if view.types is not None else "anything"


def _null(inner: View, outer: View, *, request: bool) -> Iterator[Violation]:
    if inner.nullable and not outer.nullable and not outer.is_open:
        yield Violation("became_not_nullable" if request else "became_nullable")


def _enum(inner: View, outer: View, *, request: bool) -> Iterator[Violation]:
    if outer.enum is None:
        return
    if inner.enum is None:
        values = ", ".join(list(outer.enum)[:5])
        yield Violation("enum_added" if request else "enum_removed", now=values, was=values)
        return
    missing = [value for value in inner.enum if value not in outer.enum]
    if missing:
        code = "enum_value_removed" if request else "enum_value_added"
        yield Violation(code, name=", ".join(missing[:5]))


def _bounds(old: View, new: View, *, request: bool) -> Iterator[Violation]:
    for names, was, now in ((LOWER, old.lower, new.lower), (UPPER, old.upper, new.upper)):
        inner, outer = (was, now) if request else (now, was)
        for name in names:
            if name in outer and (name not in inner or tighter(name, outer[name], inner[name])):
                yield Violation(
                    "bound_changed",
                    _shown(was[name].value if name in was else None),
                    _shown(now[name].value if name in now else None),
                    _exclusively(name, was.get(name) != now.get(name) and outer[name].exclusive),
                )


def _exclusively(name: str, exclusive: bool) -> str:
    return f"exclusive {name}" if exclusive else name


def _shown(value: float | None) -> str:
    return "none" if value is None else canonical(value)


def _divides(part: float, whole: float) -> bool:
    ratio = whole / part
    return abs(ratio - round(ratio)) < 1e-9 * max(1.0, abs(ratio))
