"""Places in an OpenAPI description that an edit can be made at, and what several edits do there.

Knows nothing of Karkhana's comparison, nor of which edit breaks clients.
"""

import random
from collections.abc import Callable
from typing import Any

from benchmarks.openapi_sites import Pointer, Sites, at

Document = dict[str, Any]
Edit = Callable[[Document, Sites, random.Random], str | None]
REQUEST, RESPONSE = frozenset({"request"}), frozenset({"response"})
WORD = "zz_karkhana"
FORMATS = ("date-time", "uuid", "uri", "date", "email")
BOUNDS: tuple[tuple[str, str, Any], ...] = (
    ("maxLength", "string", 1),
    ("maxItems", "array", 1),
    ("minLength", "string", 7000),
    ("minItems", "array", 99),
    ("minimum", "integer", 123456),
    ("maximum", "integer", -123456),
    ("multipleOf", "integer", 977),
    ("minProperties", "object", 77),
    ("pattern", "string", "^zz$"),
    ("uniqueItems", "array", True),
)


def drawn_schema(
    doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool], fits: Callable[[Any], bool]
) -> tuple[Pointer, Any] | None:
    """A schema that stands for itself, whose directions and content are as wanted."""
    free = [p for p, d in sites.schemas.items() if used(d) and p not in sites.masked and fits(at(doc, p))]
    return drawn(doc, free, rng)


def drawn(doc: Document, places: list[Pointer], rng: random.Random) -> tuple[Pointer, Any] | None:
    if not places:
        return None
    place = rng.choice(places)
    return place, at(doc, place)


def anywhere(directions: frozenset[str]) -> bool:
    return bool(directions)


def plain(schema: Any, *types: str) -> bool:
    kind = schema.get("type")
    return kind in types and not any(k in schema for k in ("allOf", "oneOf", "anyOf", "enum", "const", "not"))


def shown(place: Pointer) -> str:
    return "/".join(map(str, place))


def visible_in(doc: Document, child: Any, direction: str) -> bool:
    hops = 0
    while isinstance(child, dict) and "$ref" in child and hops < 20:
        node: Any = doc
        for part in str(child["$ref"]).removeprefix("#/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            node = node[int(key)] if isinstance(node, list) else node[key]
        child, hops = node, hops + 1
    hidden = "readOnly" if direction == "request" else "writeOnly"
    return (
        isinstance(child, dict)
        and child.get(hidden) is not True
        and not any(isinstance(part, dict) for part in child.get("allOf", ()))
    )


def own_property(
    doc: Document,
    sites: Sites,
    rng: random.Random,
    used: Callable[[frozenset[str]], bool],
    direction: str,
    *,
    needed: bool,
) -> tuple[Pointer, Any, str] | None:
    """An object's own property that flows in ``direction`` and is required or not."""

    def fitting(value: Any) -> list[str]:
        if not isinstance(value.get("properties"), dict) or any(k in value for k in ("allOf", "oneOf", "anyOf")):
            return []
        required = value.get("required") if isinstance(value.get("required"), list) else []
        return [
            name for name, child in value["properties"].items()
            if (name in required) is needed and visible_in(doc, child, direction)
        ]  # fmt: skip

    found = drawn_schema(doc, sites, rng, used, lambda value: bool(fitting(value)))
    return None if found is None else (*found, rng.choice(fitting(found[1])))


def add_parameter(
    doc: Document, sites: Sites, rng: random.Random, *, required: bool, location: str = "query"
) -> str | None:
    found = drawn(doc, sites.operations, rng)
    if found is None:
        return None
    kind: Any = {"type": "string"}
    parameter = {"name": WORD, "in": location, "required": required}
    parameter |= kind if "swagger" in doc else {"schema": kind}
    found[1]["parameters"] = [*found[1].get("parameters", []), parameter]
    return shown(found[0])


def retype(
    doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool], change: tuple[str, str]
) -> str | None:
    found = drawn_schema(doc, sites, rng, used, lambda s: plain(s, change[0]))
    if found is None:
        return None
    found[1]["type"] = change[1]
    found[1].pop("format", None)
    return shown(found[0])


def listed(schema: Any) -> bool:
    values = schema.get("enum")
    return isinstance(values, list) and len([v for v in values if v is not None]) > 1 and schema.get("type") == "string"


def shorten_enum(doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool]) -> str | None:
    found = drawn_schema(doc, sites, rng, used, listed)
    if found is None:
        return None
    value = rng.choice([v for v in found[1]["enum"] if v is not None])
    found[1]["enum"] = [v for v in found[1]["enum"] if v != value]
    return f"{shown(found[0])}: {value}"


def lengthen_enum(
    doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool]
) -> str | None:
    found = drawn_schema(doc, sites, rng, used, listed)
    if found is None:
        return None
    found[1]["enum"] = [*found[1]["enum"], WORD]
    return shown(found[0])


def bound(doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool]) -> str | None:
    name, kind, value = rng.choice(BOUNDS)
    found = drawn_schema(doc, sites, rng, used, lambda s: plain(s, kind) and name not in s)
    if found is None:
        return None
    for old in ("exclusiveMinimum", "exclusiveMaximum"):
        found[1].pop(old, None)
    found[1][name] = value
    return f"{shown(found[0])}: {name}"


def bounded(schema: Any) -> list[str]:
    return [
        name for name, kind, _ in BOUNDS
        if schema.get("type") == kind and schema.get(name) not in (None, 0, False) and "exclusiveM" not in str(schema)
    ]  # fmt: skip


def unbound(doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool]) -> str | None:
    found = drawn_schema(doc, sites, rng, used, lambda s: bool(bounded(s)))
    if found is None:
        return None
    name = rng.choice(bounded(found[1]))
    del found[1][name]
    return f"{shown(found[0])}: {name}"


def set_nullable(doc: Document, schema: Any) -> None:
    if str(doc.get("openapi", "")).startswith("3.1"):
        schema["type"] = [schema["type"], "null"]
    else:
        schema["x-nullable" if "swagger" in doc else "nullable"] = True


def is_nullable(schema: Any) -> bool:
    kind = schema.get("type")
    if any(k in schema for k in ("enum", "oneOf", "anyOf", "allOf")):
        return False
    return (isinstance(kind, list) and "null" in kind and len(kind) == 2) or (
        isinstance(kind, str) and True in (schema.get("nullable"), schema.get("x-nullable"))
    )


def forbid_null(schema: Any) -> None:
    if isinstance(schema["type"], list):
        schema["type"] = next(t for t in schema["type"] if t != "null")
    schema.pop("nullable", None)
    schema.pop("x-nullable", None)


def not_nullable(schema: Any) -> bool:
    return plain(schema, "string", "integer", "object", "array", "boolean") and True not in (
        schema.get("nullable"),
        schema.get("x-nullable"),
    )
