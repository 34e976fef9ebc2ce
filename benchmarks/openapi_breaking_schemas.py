"""Edits of schemas that break clients, each in the direction in which it does."""

import random
from typing import Any

from benchmarks.openapi_places import (
    FORMATS,
    WORD,
    Document,
    anywhere,
    bound,
    drawn_schema,
    forbid_null,
    is_nullable,
    lengthen_enum,
    listed,
    not_nullable,
    own_property,
    plain,
    retype,
    set_nullable,
    shorten_enum,
    shown,
    unbound,
)
from benchmarks.openapi_sites import Sites


def _sent(directions: frozenset[str]) -> bool:
    return "request" in directions


def _got(directions: frozenset[str]) -> bool:
    return "response" in directions


def change_type(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, anywhere, lambda s: plain(s, "string", "integer", "boolean", "number"))
    if found is None:
        return None
    others = {"string": "boolean", "integer": "string", "number": "boolean", "boolean": "integer"}
    found[1]["type"] = others[found[1]["type"]]
    return shown(found[0])


def scalar_to_array(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _got, lambda s: plain(s, "string"))
    if found is None:
        return None
    kept = dict(found[1])
    found[1].clear()
    found[1].update({"type": "array", "items": kept})
    return shown(found[0])


def number_to_integer_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return retype(doc, sites, rng, _sent, ("number", "integer"))


def integer_to_number_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return retype(doc, sites, rng, _got, ("integer", "number"))


def remove_enum_value_from_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return shorten_enum(doc, sites, rng, _sent)


def add_enum_value_to_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return lengthen_enum(doc, sites, rng, _got)


def confine_request_to_enum(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _sent, lambda s: plain(s, "string"))
    if found is None:
        return None
    found[1]["enum"] = ["one", "two"]
    return shown(found[0])


def free_response_of_enum(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _got, listed)
    if found is None:
        return None
    del found[1]["enum"]
    return shown(found[0])


def tighten_bound_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return bound(doc, sites, rng, _sent)


def drop_bound_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return unbound(doc, sites, rng, _got)


def change_format(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, anywhere, lambda s: s.get("format") in FORMATS)
    if found is None:
        return None
    found[1]["format"] = "ipv6"
    return shown(found[0])


def add_format_to_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _sent, lambda s: plain(s, "string") and "format" not in s)
    if found is None:
        return None
    found[1]["format"] = "uuid"
    return shown(found[0])


def add_required_property_to_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _sent, lambda s: isinstance(s.get("properties"), dict))
    if found is None:
        return None
    found[1]["properties"][WORD] = {"type": "string"}
    found[1]["required"] = [*found[1].get("required", []), WORD]
    return shown(found[0])


def require_property_of_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = own_property(doc, sites, rng, _sent, "request", needed=False)
    if found is None:
        return None
    found[1]["required"] = [*found[1].get("required", []), found[2]]
    return f"{shown(found[0])}: {found[2]}"


def loosen_property_of_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = own_property(doc, sites, rng, _got, "response", needed=True)
    if found is None:
        return None
    found[1]["required"] = [name for name in found[1]["required"] if name != found[2]]
    return f"{shown(found[0])}: {found[2]}"


def remove_property_of_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = own_property(doc, sites, rng, _got, "response", needed=rng.random() < 0.5)
    if found is None:
        return None
    del found[1]["properties"][found[2]]
    found[1]["required"] = [name for name in found[1].get("required", []) if name != found[2]]
    return f"{shown(found[0])}: {found[2]}"


def rename_property(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = own_property(doc, sites, rng, _got, "response", needed=rng.random() < 0.5)
    if found is None:
        return None
    found[1]["properties"] = {(WORD if k == found[2] else k): v for k, v in found[1]["properties"].items()}
    found[1]["required"] = [(WORD if k == found[2] else k) for k in found[1].get("required", [])]
    return f"{shown(found[0])}: {found[2]}"


def null_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _got, not_nullable)
    if found is None:
        return None
    set_nullable(doc, found[1])
    return shown(found[0])


def no_null_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _sent, is_nullable)
    if found is None:
        return None
    forbid_null(found[1])
    return shown(found[0])


def close_request_object(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _sent, lambda s: plain(s, "object") and "additionalProperties" not in s)
    if found is None:
        return None
    found[1]["additionalProperties"] = False
    return shown(found[0])


def _alternatives(schema: Any) -> str:
    return next((k for k in ("oneOf", "anyOf") if len(schema.get(k, ())) > 2), "")


def add_alternative_to_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _got, lambda s: bool(_alternatives(s)) and "type" not in s)
    if found is None:
        return None
    fresh = {"type": "object", "properties": {WORD: {"type": "string"}}, "required": [WORD]}
    found[1][_alternatives(found[1])].append(fresh)
    return shown(found[0])


def remove_alternative_from_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    def fits(schema: Any) -> bool:
        parts = schema.get(_alternatives(schema) or "-", ())
        return len(parts) > 2 and len({str(p.get("$ref", p.get("type"))) for p in parts}) == len(parts)

    found = drawn_schema(doc, sites, rng, _sent, fits)
    if found is None:
        return None
    key = _alternatives(found[1])
    parts = [p for p in found[1][key] if p.get("type") not in ("integer", "null")]
    gone = rng.choice(parts)
    found[1][key] = [p for p in found[1][key] if p is not gone]
    return f"{shown(found[0])}: {gone.get('$ref', gone.get('type'))}"


def change_discriminator(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, anywhere, lambda s: isinstance(s.get("discriminator"), dict | str))
    if found is None:
        return None
    if isinstance(found[1]["discriminator"], str):
        found[1]["discriminator"] = WORD
    else:
        found[1]["discriminator"]["propertyName"] = WORD
    return shown(found[0])
