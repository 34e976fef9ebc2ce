"""Edits of OpenAPI descriptions, each of a known kind: it breaks clients, or it does not.

The label comes from the kind of edit and from the direction in which the data flows at its place
(:mod:`benchmarks.openapi_sites`), never from Karkhana's comparison. Each edit changes a copy at a place drawn by
the given generator, and says what it did; ``None`` when the description has no such place.
"""

import random
from collections.abc import Callable
from typing import Any

from benchmarks.openapi_sites import METHODS, Pointer, Sites, at

Document = dict[str, Any]
Edit = Callable[[Document, Sites, random.Random], str | None]
BREAKING: dict[str, Edit] = {}
HARMLESS: dict[str, Edit] = {}
REQUEST, RESPONSE = frozenset({"request"}), frozenset({"response"})
_WORD = "zz_karkhana"
_FORMATS = ("date-time", "uuid", "uri", "date", "email")


def _kind(table: dict[str, Edit]) -> Callable[[Edit], Edit]:
    def register(edit: Edit) -> Edit:
        table[edit.__name__.rstrip("_")] = edit
        return edit

    return register


breaking, harmless = _kind(BREAKING), _kind(HARMLESS)


# Places


def _schema(
    doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool], fits: Callable[[Any], bool]
) -> tuple[Pointer, Any] | None:
    """A schema that stands for itself, whose directions and content are as wanted."""
    free = [p for p, d in sites.schemas.items() if used(d) and p not in sites.masked and fits(at(doc, p))]
    return _drawn(doc, free, rng)


def _drawn(doc: Document, places: list[Pointer], rng: random.Random) -> tuple[Pointer, Any] | None:
    if not places:
        return None
    place = rng.choice(places)
    return place, at(doc, place)


def _sent(directions: frozenset[str]) -> bool:
    return "request" in directions


def _got(directions: frozenset[str]) -> bool:
    return "response" in directions


def _only_sent(directions: frozenset[str]) -> bool:
    return directions == REQUEST


def _only_got(directions: frozenset[str]) -> bool:
    return directions == RESPONSE


def _anywhere(directions: frozenset[str]) -> bool:
    return bool(directions)


def _plain(schema: Any, *types: str) -> bool:
    kind = schema.get("type")
    return kind in types and not any(k in schema for k in ("allOf", "oneOf", "anyOf", "enum", "const", "not"))


def _said(place: Pointer) -> str:
    return "/".join(map(str, place))


def _visible_in(doc: Document, child: Any, direction: str) -> bool:
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


def _property(
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
            if (name in required) is needed and _visible_in(doc, child, direction)
        ]  # fmt: skip

    found = _schema(doc, sites, rng, used, lambda value: bool(fitting(value)))
    return None if found is None else (*found, rng.choice(fitting(found[1])))


def _holder(parameter: Any) -> Any:
    """What holds the type of a parameter: its schema, or itself in 2.0."""
    return parameter.get("schema", parameter)


def _new_operation(doc: Document) -> Any:
    return {"responses": {"200": {"description": _WORD}}}


# Edits that break clients


@breaking
def remove_path(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, sites.paths, rng)
    if found is None or not any(m in found[1] for m in METHODS):
        return None
    del doc["paths"][found[0][1]]
    return _said(found[0])


@breaking
def remove_operation(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, sites.operations, rng)
    if found is None:
        return None
    del at(doc, found[0][:-1])[found[0][-1]]
    return _said(found[0])


@breaking
def remove_response_status(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, [p for p in sites.responses if len(at(doc, p)) > 1], rng)
    if found is None:
        return None
    status = rng.choice(list(found[1]))
    del found[1][status]
    return f"{_said(found[0])}/{status}"


@breaking
def remove_media_type(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, [p for p, _ in sites.contents], rng)
    if found is None:
        return None
    name = rng.choice(list(found[1]))
    del found[1][name]
    found[1]["application/vnd.zz+json"] = {}
    return f"{_said(found[0])}: {name}"


@breaking
def add_required_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _add_parameter(doc, sites, rng, required=True)


@breaking
def add_required_header_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _add_parameter(doc, sites, rng, required=True, location="header")


def _add_parameter(
    doc: Document, sites: Sites, rng: random.Random, *, required: bool, location: str = "query"
) -> str | None:
    found = _drawn(doc, sites.operations, rng)
    if found is None:
        return None
    kind: Any = {"type": "string"}
    parameter = {"name": _WORD, "in": location, "required": required}
    parameter |= kind if "swagger" in doc else {"schema": kind}
    found[1]["parameters"] = [*found[1].get("parameters", []), parameter]
    return _said(found[0])


@breaking
def require_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, [p for p in sites.parameters if at(doc, p).get("required") is not True], rng)
    if found is None:
        return None
    found[1]["required"] = True
    return _said(found[0])


@breaking
def move_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, [p for p in sites.parameters if at(doc, p).get("in") == "query"], rng)
    if found is None:
        return None
    found[1]["in"] = "header"
    return _said(found[0])


@breaking
def rename_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, [p for p in sites.parameters if at(doc, p).get("in") in ("query", "header", "formData")], rng)
    if found is None:
        return None
    found[1]["name"] = _WORD
    return _said(found[0])


@breaking
def change_array_style(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    def fits(value: Any) -> bool:
        return value.get("in") == "query" and _holder(value).get("type") == "array" and "content" not in value

    found = _drawn(doc, [p for p in sites.parameters if fits(at(doc, p))], rng)
    if found is None:
        return None
    if "swagger" in doc:
        found[1]["collectionFormat"] = "multi" if found[1].get("collectionFormat") != "multi" else "csv"
    else:
        found[1]["explode"] = not found[1].get("explode", found[1].get("style", "form") == "form")
    return _said(found[0])


@breaking
def change_type(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _anywhere, lambda s: _plain(s, "string", "integer", "boolean", "number"))
    if found is None:
        return None
    others = {"string": "boolean", "integer": "string", "number": "boolean", "boolean": "integer"}
    found[1]["type"] = others[found[1]["type"]]
    return _said(found[0])


@breaking
def scalar_to_array(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _got, lambda s: _plain(s, "string"))
    if found is None:
        return None
    kept = dict(found[1])
    found[1].clear()
    found[1].update({"type": "array", "items": kept})
    return _said(found[0])


@breaking
def number_to_integer_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _retype(doc, sites, rng, _sent, ("number", "integer"))


@breaking
def integer_to_number_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _retype(doc, sites, rng, _got, ("integer", "number"))


def _retype(
    doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool], change: tuple[str, str]
) -> str | None:
    found = _schema(doc, sites, rng, used, lambda s: _plain(s, change[0]))
    if found is None:
        return None
    found[1]["type"] = change[1]
    found[1].pop("format", None)
    return _said(found[0])


def _listed(schema: Any) -> bool:
    values = schema.get("enum")
    return isinstance(values, list) and len([v for v in values if v is not None]) > 1 and schema.get("type") == "string"


@breaking
def remove_enum_value_from_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _shorten_enum(doc, sites, rng, _sent)


def _shorten_enum(
    doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool]
) -> str | None:
    found = _schema(doc, sites, rng, used, _listed)
    if found is None:
        return None
    value = rng.choice([v for v in found[1]["enum"] if v is not None])
    found[1]["enum"] = [v for v in found[1]["enum"] if v != value]
    return f"{_said(found[0])}: {value}"


@breaking
def add_enum_value_to_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _lengthen_enum(doc, sites, rng, _got)


def _lengthen_enum(
    doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool]
) -> str | None:
    found = _schema(doc, sites, rng, used, _listed)
    if found is None:
        return None
    found[1]["enum"] = [*found[1]["enum"], _WORD]
    return _said(found[0])


@breaking
def confine_request_to_enum(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _sent, lambda s: _plain(s, "string"))
    if found is None:
        return None
    found[1]["enum"] = ["one", "two"]
    return _said(found[0])


@breaking
def free_response_of_enum(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _got, _listed)
    if found is None:
        return None
    del found[1]["enum"]
    return _said(found[0])


_BOUNDS: tuple[tuple[str, str, Any], ...] = (
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


@breaking
def tighten_bound_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _bound(doc, sites, rng, _sent)


def _bound(doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool]) -> str | None:
    name, kind, value = rng.choice(_BOUNDS)
    found = _schema(doc, sites, rng, used, lambda s: _plain(s, kind) and name not in s)
    if found is None:
        return None
    for old in ("exclusiveMinimum", "exclusiveMaximum"):
        found[1].pop(old, None)
    found[1][name] = value
    return f"{_said(found[0])}: {name}"


def _bounded(schema: Any) -> list[str]:
    return [
        name for name, kind, _ in _BOUNDS
        if schema.get("type") == kind and schema.get(name) not in (None, 0, False) and "exclusiveM" not in str(schema)
    ]  # fmt: skip


@breaking
def drop_bound_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _unbound(doc, sites, rng, _got)


def _unbound(doc: Document, sites: Sites, rng: random.Random, used: Callable[[frozenset[str]], bool]) -> str | None:
    found = _schema(doc, sites, rng, used, lambda s: bool(_bounded(s)))
    if found is None:
        return None
    name = rng.choice(_bounded(found[1]))
    del found[1][name]
    return f"{_said(found[0])}: {name}"


@breaking
def change_format(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _anywhere, lambda s: s.get("format") in _FORMATS)
    if found is None:
        return None
    found[1]["format"] = "ipv6"
    return _said(found[0])


@breaking
def add_format_to_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _sent, lambda s: _plain(s, "string") and "format" not in s)
    if found is None:
        return None
    found[1]["format"] = "uuid"
    return _said(found[0])


@breaking
def add_required_property_to_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _sent, lambda s: isinstance(s.get("properties"), dict))
    if found is None:
        return None
    found[1]["properties"][_WORD] = {"type": "string"}
    found[1]["required"] = [*found[1].get("required", []), _WORD]
    return _said(found[0])


@breaking
def require_property_of_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _property(doc, sites, rng, _sent, "request", needed=False)
    if found is None:
        return None
    found[1]["required"] = [*found[1].get("required", []), found[2]]
    return f"{_said(found[0])}: {found[2]}"


@breaking
def loosen_property_of_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _property(doc, sites, rng, _got, "response", needed=True)
    if found is None:
        return None
    found[1]["required"] = [name for name in found[1]["required"] if name != found[2]]
    return f"{_said(found[0])}: {found[2]}"


@breaking
def remove_property_of_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _property(doc, sites, rng, _got, "response", needed=rng.random() < 0.5)
    if found is None:
        return None
    del found[1]["properties"][found[2]]
    found[1]["required"] = [name for name in found[1].get("required", []) if name != found[2]]
    return f"{_said(found[0])}: {found[2]}"


@breaking
def rename_property(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _property(doc, sites, rng, _got, "response", needed=rng.random() < 0.5)
    if found is None:
        return None
    found[1]["properties"] = {(_WORD if k == found[2] else k): v for k, v in found[1]["properties"].items()}
    found[1]["required"] = [(_WORD if k == found[2] else k) for k in found[1].get("required", [])]
    return f"{_said(found[0])}: {found[2]}"


def _set_nullable(doc: Document, schema: Any) -> None:
    if str(doc.get("openapi", "")).startswith("3.1"):
        schema["type"] = [schema["type"], "null"]
    else:
        schema["x-nullable" if "swagger" in doc else "nullable"] = True


def _is_nullable(schema: Any) -> bool:
    kind = schema.get("type")
    if any(k in schema for k in ("enum", "oneOf", "anyOf", "allOf")):
        return False
    return (isinstance(kind, list) and "null" in kind and len(kind) == 2) or (
        isinstance(kind, str) and True in (schema.get("nullable"), schema.get("x-nullable"))
    )


def _forbid_null(schema: Any) -> None:
    if isinstance(schema["type"], list):
        schema["type"] = next(t for t in schema["type"] if t != "null")
    schema.pop("nullable", None)
    schema.pop("x-nullable", None)


def _not_nullable(schema: Any) -> bool:
    return _plain(schema, "string", "integer", "object", "array", "boolean") and True not in (
        schema.get("nullable"),
        schema.get("x-nullable"),
    )


@breaking
def null_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _got, _not_nullable)
    if found is None:
        return None
    _set_nullable(doc, found[1])
    return _said(found[0])


@breaking
def no_null_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _sent, _is_nullable)
    if found is None:
        return None
    _forbid_null(found[1])
    return _said(found[0])


@breaking
def close_request_object(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _sent, lambda s: _plain(s, "object") and "additionalProperties" not in s)
    if found is None:
        return None
    found[1]["additionalProperties"] = False
    return _said(found[0])


@breaking
def add_security(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, sites.operations, rng)
    if found is None:
        return None
    scheme = {"type": "apiKey", "in": "header", "name": _WORD}
    if "swagger" in doc:
        doc.setdefault("securityDefinitions", {})[_WORD] = scheme
    else:
        doc.setdefault("components", {}).setdefault("securitySchemes", {})[_WORD] = scheme
    before = found[1].get("security", doc.get("security")) or [{}]
    found[1]["security"] = [{**each, _WORD: []} for each in before]
    return _said(found[0])


@breaking
def demand_scope(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    places = [p for p in sites.operations if any(at(doc, p).get("security", doc.get("security")) or ())]
    found = _drawn(doc, places, rng)
    if found is None:
        return None
    before = found[1].get("security", doc.get("security"))
    found[1]["security"] = [{name: [*scopes, _WORD] for name, scopes in each.items()} for each in before if each]
    return _said(found[0])


@breaking
def replace_security(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    place = doc.get("securityDefinitions") or doc.get("components", {}).get("securitySchemes")
    places = [p for p in sites.operations if any(at(doc, p).get("security", doc.get("security")) or ())]
    found = _drawn(doc, places, rng)
    if found is None or not place:
        return None
    place[_WORD] = {"type": "apiKey", "in": "query", "name": _WORD}
    found[1]["security"] = [{_WORD: []}]
    return _said(found[0])


@breaking
def require_body(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, [p for p in sites.bodies if at(doc, p).get("required") is not True], rng)
    if found is None:
        return None
    found[1]["required"] = True
    return _said(found[0])


@breaking
def remove_response_header(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, sites.headers, rng)
    if found is None:
        return None
    del at(doc, found[0][:-1])[found[0][-1]]
    return _said(found[0])


def _alternatives(schema: Any) -> str:
    return next((k for k in ("oneOf", "anyOf") if len(schema.get(k, ())) > 2), "")


@breaking
def add_alternative_to_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _got, lambda s: bool(_alternatives(s)) and "type" not in s)
    if found is None:
        return None
    fresh = {"type": "object", "properties": {_WORD: {"type": "string"}}, "required": [_WORD]}
    found[1][_alternatives(found[1])].append(fresh)
    return _said(found[0])


@breaking
def remove_alternative_from_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    def fits(schema: Any) -> bool:
        parts = schema.get(_alternatives(schema) or "-", ())
        return len(parts) > 2 and len({str(p.get("$ref", p.get("type"))) for p in parts}) == len(parts)

    found = _schema(doc, sites, rng, _sent, fits)
    if found is None:
        return None
    key = _alternatives(found[1])
    parts = [p for p in found[1][key] if p.get("type") not in ("integer", "null")]
    gone = rng.choice(parts)
    found[1][key] = [p for p in found[1][key] if p is not gone]
    return f"{_said(found[0])}: {gone.get('$ref', gone.get('type'))}"


@breaking
def change_discriminator(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _anywhere, lambda s: isinstance(s.get("discriminator"), dict | str))
    if found is None:
        return None
    if isinstance(found[1]["discriminator"], str):
        found[1]["discriminator"] = _WORD
    else:
        found[1]["discriminator"]["propertyName"] = _WORD
    return _said(found[0])


@breaking
def move_server(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    if "swagger" in doc:
        doc["basePath"] = doc.get("basePath", "").rstrip("/") + "/zz"
    elif doc.get("servers"):
        doc["servers"][0]["url"] = doc["servers"][0]["url"].rstrip("/") + "/zz"
    else:
        return None
    return "servers"


# Edits that break nobody


@harmless
def add_path(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    doc["paths"][f"/{_WORD}"] = {"get": _new_operation(doc)}
    return f"/{_WORD}"


@harmless
def add_operation(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, [p for p in sites.paths if "trace" not in at(doc, p)], rng)
    if found is None:
        return None
    found[1][next((m for m in METHODS if m not in found[1]), "trace")] = _new_operation(doc)
    return _said(found[0])


@harmless
def add_optional_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _add_parameter(doc, sites, rng, required=False)


@harmless
def relax_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    places = [p for p in sites.parameters if at(doc, p).get("required") is True and at(doc, p)["in"] != "path"]
    found = _drawn(doc, places, rng)
    if found is None:
        return None
    found[1]["required"] = False
    return _said(found[0])


@harmless
def add_response_status(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, sites.responses, rng)
    if found is None:
        return None
    found[1]["418"] = {"description": _WORD}
    return _said(found[0])


@harmless
def add_media_type(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, [p for p, _ in sites.contents], rng)
    if found is None:
        return None
    found[1]["application/vnd.zz+json"] = {"schema": {"type": "object"}}
    return _said(found[0])


@harmless
def add_enum_value_to_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _lengthen_enum(doc, sites, rng, _only_sent)


@harmless
def remove_enum_value_from_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _shorten_enum(doc, sites, rng, _only_got)


@harmless
def drop_bound_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _unbound(doc, sites, rng, _only_sent)


@harmless
def tighten_bound_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _bound(doc, sites, rng, _only_got)


@harmless
def integer_to_number_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return _retype(doc, sites, rng, _only_sent, ("integer", "number"))


@harmless
def add_optional_property(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _anywhere, lambda s: isinstance(s.get("properties"), dict))
    if found is None:
        return None
    found[1]["properties"][_WORD] = {"type": "string"}
    return _said(found[0])


@harmless
def add_required_property_to_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _only_got, lambda s: isinstance(s.get("properties"), dict))
    if found is None:
        return None
    found[1]["properties"][_WORD] = {"type": "integer"}
    found[1]["required"] = [*found[1].get("required", []), _WORD]
    return _said(found[0])


@harmless
def relax_property_of_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _property(doc, sites, rng, _only_sent, "request", needed=True)
    if found is None:
        return None
    found[1]["required"] = [name for name in found[1]["required"] if name != found[2]]
    return f"{_said(found[0])}: {found[2]}"


@harmless
def promise_property_of_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _property(doc, sites, rng, _only_got, "response", needed=False)
    if found is None:
        return None
    found[1]["required"] = [*found[1].get("required", []), found[2]]
    return f"{_said(found[0])}: {found[2]}"


@harmless
def null_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _only_sent, _not_nullable)
    if found is None:
        return None
    _set_nullable(doc, found[1])
    return _said(found[0])


@harmless
def no_null_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _only_got, _is_nullable)
    if found is None:
        return None
    _forbid_null(found[1])
    return _said(found[0])


@harmless
def describe(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    places = [*sites.operations, *sites.schemas, *sites.parameters]
    found = _drawn(doc, places, rng)
    if found is None:
        return None
    found[1]["description"] = "Said in other words."
    found[1]["x-zz"] = {"type": "anything"}
    return _said(found[0])


@harmless
def reorder(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    for holder in (doc["paths"], doc.get("definitions"), doc.get("components", {}).get("schemas")):
        if holder:
            items = list(holder.items())
            rng.shuffle(items)
            holder.clear()
            holder.update(items)
    # all are found before any is shuffled: a pointer may lead through a list of alternatives
    schemas = [at(doc, place) for place in sites.schemas]
    operations = [at(doc, place) for place in sites.operations]
    for schema in schemas:
        for key in ("enum", "required", "oneOf", "anyOf"):
            if isinstance(schema.get(key), list):
                rng.shuffle(schema[key])
    for operation in operations:
        rng.shuffle(operation.get("parameters", []))
    return "everywhere"


@harmless
def rename_path_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    def fits(place: Pointer) -> bool:
        item = at(doc, place)
        parts = [*item.get("parameters", []), *(p for m in METHODS for p in item.get(m, {}).get("parameters", []))]
        return str(place[1]).count("{") == 1 and not any("$ref" in p for p in parts)

    found = _drawn(doc, [p for p in sites.paths if fits(p)], rng)
    if found is None:
        return None
    path = str(found[0][1])
    name = path[path.index("{") + 1 : path.index("}")]
    item = found[1]
    for part in [*item.get("parameters", []), *(p for m in METHODS for p in item.get(m, {}).get("parameters", []))]:
        if part.get("in") == "path" and part.get("name") == name:
            part["name"] = _WORD
    doc["paths"][path.replace(f"{{{name}}}", f"{{{_WORD}}}")] = doc["paths"].pop(path)
    return path


@harmless
def rename_component(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    holder, prefix = doc.get("definitions"), "#/definitions/"
    if not holder:
        holder, prefix = doc.get("components", {}).get("schemas"), "#/components/schemas/"
    names = [n for n in holder or () if "/" not in n and "~" not in n and "%" not in n]
    text = str(doc)
    names = [n for n in names if "'discriminator': {" not in text or n not in str(_mappings(doc))]
    if not names:
        return None
    name = rng.choice(names)
    holder[_WORD] = holder.pop(name)  # type: ignore[index, union-attr]
    _redirect(doc, prefix + name, prefix + _WORD)
    return name


def _mappings(value: Any) -> list[Any]:
    if isinstance(value, dict):
        own = [value["discriminator"]] if "discriminator" in value else []
        return own + [m for child in value.values() for m in _mappings(child)]
    return [m for child in value for m in _mappings(child)] if isinstance(value, list) else []


def _redirect(value: Any, old: str, new: str) -> None:
    if isinstance(value, dict):
        if value.get("$ref") == old or str(value.get("$ref", "")).startswith(f"{old}/"):
            value["$ref"] = new + value["$ref"][len(old) :]
        for child in value.values():
            _redirect(child, old, new)
    elif isinstance(value, list):
        for child in value:
            _redirect(child, old, new)


@harmless
def wrap_in_all_of(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _anywhere, lambda s: _plain(s, "object", "string", "integer"))
    if found is None or ("swagger" in doc and "in" in found[1]):
        return None
    kept = dict(found[1])
    found[1].clear()
    found[1]["allOf"] = [kept]
    return _said(found[0])


@harmless
def move_to_component(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _schema(doc, sites, rng, _anywhere, lambda s: _plain(s, "object", "array", "string"))
    if found is None or "in" in found[1] or len(found[0]) < 4:
        return None
    kept = dict(found[1])
    found[1].clear()
    if "swagger" in doc:
        doc.setdefault("definitions", {})[_WORD] = kept
        found[1]["$ref"] = f"#/definitions/{_WORD}"
    else:
        doc.setdefault("components", {}).setdefault("schemas", {})[_WORD] = kept
        found[1]["$ref"] = f"#/components/schemas/{_WORD}"
    return _said(found[0])


@harmless
def deprecate(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, sites.operations, rng)
    if found is None:
        return None
    found[1]["deprecated"] = True
    return _said(found[0])


@harmless
def rename_operation_id(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, sites.operations, rng)
    if found is None:
        return None
    found[1]["operationId"] = _WORD
    found[1]["tags"] = [_WORD]
    return _said(found[0])


@harmless
def add_server(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    if "swagger" in doc or not doc.get("servers"):
        return None
    doc["servers"].insert(0, {"url": "https://zz.example"})
    return "servers"


@harmless
def add_security_alternative(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    places = [p for p in sites.operations if any(at(doc, p).get("security", doc.get("security")) or ())]
    found = _drawn(doc, places, rng)
    if found is None or "swagger" in doc:
        return None
    doc.setdefault("components", {}).setdefault("securitySchemes", {})[_WORD] = {"type": "http", "scheme": "basic"}
    found[1]["security"] = [*found[1].get("security", doc.get("security")), {_WORD: []}]
    return _said(found[0])


@harmless
def add_response_header(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = _drawn(doc, sites.responses, rng)
    if found is None:
        return None
    status = rng.choice(list(found[1]))
    if "$ref" in found[1][status]:
        return None
    kind: Any = {"type": "string"}
    found[1][status].setdefault("headers", {})[_WORD] = kind if "swagger" in doc else {"schema": kind}
    return _said(found[0])


@harmless
def raise_version(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    doc["info"]["version"] = f"{doc['info'].get('version', '')}.1"
    doc["info"]["description"] = "Said in other words."
    return "info"
