"""Reads a schema from all the places that say what it demands: references, ``allOf`` and the keywords themselves.

The conjunction of several nodes becomes one :class:`View`. The dialects meet here: ``nullable`` (3.0) and
``x-nullable`` (2.0), lists of types and ``const`` (3.1), exclusive bounds as flags (2.0, 3.0) and as numbers (3.1).
An alternative that only admits null makes the rest nullable.

Knows nothing of comparing. Sources: OpenAPI 2.0, 3.0.3 and 3.1.1, JSON Schema 2020-12.
"""

from collections.abc import Iterable
from typing import Any, TypeGuard

from karkhana.quality.contracts.openapi.documents import Library, Node
from karkhana.quality.contracts.openapi.views import LOWER, UPPER, Bound, Nodes, View, canonical, tighter

OPAQUE = (
    "contains", "propertyNames", "dependentSchemas", "unevaluatedItems", "if", "then", "else", "contentEncoding",
    "contentMediaType", "contentSchema",
)  # fmt: skip
"""Keywords that are compared as they stand."""
_FOR_ARRAYS = ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains")
_FOR_OBJECTS = ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties")
_NATURAL = {"minLength": 0, "minItems": 0, "minProperties": 0}


def view(parts: Iterable[tuple[Node, bool]], library: Library) -> View:
    """Read a conjunction of schemas; of those with ``True`` the alternatives are left out."""
    reading = _Reading(library)
    for node, bare in parts:
        reading.add(node, bare=bare)
    return reading.finish()


class _Reading:
    def __init__(self, library: Library) -> None:
        self.view = View()
        self._library = library
        self._seen: set[int] = set()
        self._typed = False
        self._null_left: bool | None = None
        self._said_nullable = False
        self._hints: set[str] = set()

    def add(self, node: Node, *, bare: bool) -> None:
        self._siblings(node)
        resolved = self._library.resolve(node)
        if resolved is None:
            self.view.unresolved |= {str(node.value.get("$ref"))}
            return
        node = resolved
        if isinstance(node.value, bool):
            self.view.impossible |= not node.value
        if not isinstance(node.value, dict) or id(node.value) in self._seen:
            return
        self._seen.add(id(node.value))
        self._keywords(node)
        for part in node.child("allOf").elements():
            self.add(part, bare=bare)
        for keyword in () if bare else ("oneOf", "anyOf"):
            self._alternatives(tuple(node.child(keyword).elements()))

    def _siblings(self, node: Node) -> None:
        """Keywords next to a reference: they count since 3.1; authors mean ``nullable`` before as well."""
        if not isinstance(node.value, dict) or "$ref" not in node.value or len(node.value) == 1:
            return
        if self._library.siblings:
            rest = {key: value for key, value in node.value.items() if key != "$ref"}
            self._keywords(Node(rest, node.file, node.pointer))
        elif node.flag("nullable"):
            self._said_nullable = True

    def _alternatives(self, group: Nodes) -> None:
        kept = tuple(n for n in group if not self._is_null(n))
        if len(kept) < len(group):
            self._said_nullable = True
        if len(kept) == 1:
            self.add(kept[0], bare=False)
        elif kept:
            self.view.groups = (*self.view.groups, kept)

    def _is_null(self, node: Node) -> bool:
        node = self._library.resolve(node) or node
        value = node.value if isinstance(node.value, dict) else {}
        return value.get("type") in ("null", ["null"]) or value.get("enum") == [None]

    def _keywords(self, node: Node) -> None:
        value, seen = node.value, self.view
        self._types(value)
        self._values(value)
        self._bounds(value)
        seen.format = node.text("format") or seen.format
        if isinstance(value.get("pattern"), str) and value["pattern"] not in seen.patterns:
            seen.patterns = (*seen.patterns, value["pattern"])
        seen.unique |= node.flag("uniqueItems")
        self._object(node)
        self._array(node)
        if "not" in value:
            seen.negated = (*seen.negated, node.child("not"))
        if isinstance(value.get("discriminator"), dict | str):
            seen.discriminator = node.child("discriminator")
        seen.default = value.get("default", seen.default)
        seen.read_only |= node.flag("readOnly")
        seen.write_only |= node.flag("writeOnly")
        for key in OPAQUE:
            if key in value:
                seen.opaque[key] = canonical(value[key])

    def _types(self, value: dict[str, Any]) -> None:
        said = value.get("type")
        names = {said} if isinstance(said, str) else {t for t in said if isinstance(t, str)} if _is_list(said) else None
        if value.get("nullable") is True or value.get("x-nullable") is True:
            self._said_nullable = True
        if names is None:
            self._hints |= {"array"} if any(key in value for key in _FOR_ARRAYS) else set()
            # a parameter of Swagger 2.0 has a flag of that name
            objects = [k for k in _FOR_OBJECTS if k in value and not isinstance(value[k], bool)]
            self._hints |= {"object"} if objects else set()
            return
        null = "null" in names
        self._null_left = null if self._null_left is None else self._null_left and null
        names -= {"null"}
        if names:
            self.view.types = frozenset(names) if self.view.types is None else _both(self.view.types, names)
            self._typed = True

    def _values(self, value: dict[str, Any]) -> None:
        said = [value["const"]] if "const" in value else value.get("enum")
        if not _is_list(said):
            return
        if None in said:
            self._said_nullable = True
        known = {canonical(v): v for v in said if v is not None}
        mine = self.view.enum
        self.view.enum = known if mine is None else {k: v for k, v in mine.items() if k in known}

    def _bounds(self, value: dict[str, Any]) -> None:
        for names, kept in ((LOWER, self.view.lower), (UPPER, self.view.upper)):
            for name in names:
                limit = value.get(name)
                flag = value.get("exclusive" + name.capitalize()) if name in ("minimum", "maximum") else None
                found = [Bound(limit, flag is True)] if _is_number(limit) else []
                found += [Bound(flag, True)] if _is_number(flag) else []
                for bound in found:
                    if bound.value != _NATURAL.get(name):
                        known = kept.get(name)
                        kept[name] = bound if known is None or tighter(name, bound, known) else known
        if _is_number(value.get("multipleOf")) and value["multipleOf"] > 0:
            self.view.multiple = value["multipleOf"]

    def _object(self, node: Node) -> None:
        seen = self.view
        seen.names_properties |= isinstance(node.value.get("properties"), dict)
        for name, child in _entries(node.child("properties")):
            seen.properties[name] = (*seen.properties.get(name, ()), child)
        for name, child in _entries(node.child("patternProperties")):
            seen.by_pattern[name] = (*seen.by_pattern.get(name, ()), child)
        if _is_list(node.value.get("required")):
            seen.required |= {name for name in node.value["required"] if isinstance(name, str)}
        for name, names in node.map("dependentRequired").items():
            if _is_list(names):
                seen.dependent[name] = seen.dependent.get(name, frozenset()) | frozenset(map(str, names))
        for key in ("additionalProperties", "unevaluatedProperties"):
            child = node.child(key)
            if child.value is False:
                seen.closed = True
            elif isinstance(child.value, dict) and child.value:
                seen.additional = (*seen.additional, child)

    def _array(self, node: Node) -> None:
        prefix = list(node.child("prefixItems").elements())
        items = node.child("items")
        if _is_list(items.value):
            prefix, items = list(items.elements()), node.child("additionalItems")
        seen = self.view
        for index, child in enumerate(prefix):
            before = seen.prefix[index] if index < len(seen.prefix) else ()
            seen.prefix = (*seen.prefix[:index], (*before, child), *seen.prefix[index + 1 :])
        if items.value is False:
            seen.no_items = True
        elif isinstance(items.value, dict):
            seen.items = (*seen.items, items)

    def finish(self) -> View:
        seen = self.view
        if seen.types is None and seen.enum:
            seen.types = frozenset(_type_of(v) for v in seen.enum.values())
        if seen.types is None and len(self._hints) == 1 and not seen.groups:
            seen.types = frozenset(self._hints)
        seen.nullable = self._said_nullable or bool(self._null_left)
        return seen


def _both(types: frozenset[str], others: set[str]) -> frozenset[str]:
    common = {t for t in types | others if (t in types and t in others) or _integral(t, types, others)}
    return frozenset(common)


def _integral(name: str, types: frozenset[str], others: set[str]) -> bool:
    """An integer is a number: the conjunction of both is the integer."""
    return name == "integer" and ("number" in types or "number" in others)


def _entries(node: Node) -> list[tuple[str, Node]]:
    """Like ``children``, with names that start with ``x-``: a property may be called anything."""
    return [(str(key), node.child(str(key))) for key in node.value] if isinstance(node.value, dict) else []


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds: dict[type, str] = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "string")


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
