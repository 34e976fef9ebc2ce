"""Edits of schemas that break nobody, each in the direction in which it does not."""

import random

from benchmarks.openapi_places import (
    REQUEST,
    RESPONSE,
    WORD,
    Document,
    anywhere,
    bound,
    drawn_schema,
    forbid_null,
    is_nullable,
    lengthen_enum,
    not_nullable,
    own_property,
    retype,
    set_nullable,
    shorten_enum,
    shown,
    unbound,
)
from benchmarks.openapi_sites import Sites


def _only_sent(directions: frozenset[str]) -> bool:
    return directions == REQUEST


def _only_got(directions: frozenset[str]) -> bool:
    return directions == RESPONSE


def add_enum_value_to_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return lengthen_enum(doc, sites, rng, _only_sent)


def remove_enum_value_from_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return shorten_enum(doc, sites, rng, _only_got)


def drop_bound_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return unbound(doc, sites, rng, _only_sent)


def tighten_bound_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return bound(doc, sites, rng, _only_got)


def integer_to_number_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return retype(doc, sites, rng, _only_sent, ("integer", "number"))


def add_optional_property(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, anywhere, lambda s: isinstance(s.get("properties"), dict))
    if found is None:
        return None
    found[1]["properties"][WORD] = {"type": "string"}
    return shown(found[0])


def add_required_property_to_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _only_got, lambda s: isinstance(s.get("properties"), dict))
    if found is None:
        return None
    found[1]["properties"][WORD] = {"type": "integer"}
    found[1]["required"] = [*found[1].get("required", []), WORD]
    return shown(found[0])


def relax_property_of_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = own_property(doc, sites, rng, _only_sent, "request", needed=True)
    if found is None:
        return None
    found[1]["required"] = [name for name in found[1]["required"] if name != found[2]]
    return f"{shown(found[0])}: {found[2]}"


def promise_property_of_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = own_property(doc, sites, rng, _only_got, "response", needed=False)
    if found is None:
        return None
    found[1]["required"] = [*found[1].get("required", []), found[2]]
    return f"{shown(found[0])}: {found[2]}"


def null_in_request(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _only_sent, not_nullable)
    if found is None:
        return None
    set_nullable(doc, found[1])
    return shown(found[0])


def no_null_in_response(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, _only_got, is_nullable)
    if found is None:
        return None
    forbid_null(found[1])
    return shown(found[0])
