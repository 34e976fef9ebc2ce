"""Edits of operations, parameters, responses, security and servers that break clients."""

import random
from typing import Any

from benchmarks.openapi_places import WORD, Document, add_parameter, drawn, shown
from benchmarks.openapi_sites import METHODS, Sites, at


def _holder(parameter: Any) -> Any:
    """What holds the type of a parameter: its schema, or itself in 2.0."""
    return parameter.get("schema", parameter)


def remove_path(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, sites.paths, rng)
    if found is None or not any(m in found[1] for m in METHODS):
        return None
    del doc["paths"][found[0][1]]
    return shown(found[0])


def remove_operation(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, sites.operations, rng)
    if found is None:
        return None
    del at(doc, found[0][:-1])[found[0][-1]]
    return shown(found[0])


def remove_response_status(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, [p for p in sites.responses if len(at(doc, p)) > 1], rng)
    if found is None:
        return None
    status = rng.choice(list(found[1]))
    del found[1][status]
    return f"{shown(found[0])}/{status}"


def remove_media_type(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, [p for p, _ in sites.contents], rng)
    if found is None:
        return None
    name = rng.choice(list(found[1]))
    del found[1][name]
    found[1]["application/vnd.zz+json"] = {}
    return f"{shown(found[0])}: {name}"


def add_required_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return add_parameter(doc, sites, rng, required=True)


def add_required_header_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return add_parameter(doc, sites, rng, required=True, location="header")


def require_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, [p for p in sites.parameters if at(doc, p).get("required") is not True], rng)
    if found is None:
        return None
    found[1]["required"] = True
    return shown(found[0])


def move_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, [p for p in sites.parameters if at(doc, p).get("in") == "query"], rng)
    if found is None:
        return None
    found[1]["in"] = "header"
    return shown(found[0])


def rename_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, [p for p in sites.parameters if at(doc, p).get("in") in ("query", "header", "formData")], rng)
    if found is None:
        return None
    found[1]["name"] = WORD
    return shown(found[0])


def change_array_style(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    def fits(value: Any) -> bool:
        return value.get("in") == "query" and _holder(value).get("type") == "array" and "content" not in value

    found = drawn(doc, [p for p in sites.parameters if fits(at(doc, p))], rng)
    if found is None:
        return None
    if "swagger" in doc:
        found[1]["collectionFormat"] = "multi" if found[1].get("collectionFormat") != "multi" else "csv"
    else:
        found[1]["explode"] = not found[1].get("explode", found[1].get("style", "form") == "form")
    return shown(found[0])


def add_security(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, sites.operations, rng)
    if found is None:
        return None
    scheme = {"type": "apiKey", "in": "header", "name": WORD}
    if "swagger" in doc:
        doc.setdefault("securityDefinitions", {})[WORD] = scheme
    else:
        doc.setdefault("components", {}).setdefault("securitySchemes", {})[WORD] = scheme
    before = found[1].get("security", doc.get("security")) or [{}]
    found[1]["security"] = [{**each, WORD: []} for each in before]
    return shown(found[0])


def demand_scope(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    places = [p for p in sites.operations if any(at(doc, p).get("security", doc.get("security")) or ())]
    found = drawn(doc, places, rng)
    if found is None:
        return None
    before = found[1].get("security", doc.get("security"))
    found[1]["security"] = [{name: [*scopes, WORD] for name, scopes in each.items()} for each in before if each]
    return shown(found[0])


def replace_security(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    place = doc.get("securityDefinitions") or doc.get("components", {}).get("securitySchemes")
    places = [p for p in sites.operations if any(at(doc, p).get("security", doc.get("security")) or ())]
    found = drawn(doc, places, rng)
    if found is None or not place:
        return None
    place[WORD] = {"type": "apiKey", "in": "query", "name": WORD}
    found[1]["security"] = [{WORD: []}]
    return shown(found[0])


def require_body(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, [p for p in sites.bodies if at(doc, p).get("required") is not True], rng)
    if found is None:
        return None
    found[1]["required"] = True
    return shown(found[0])


def remove_response_header(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, sites.headers, rng)
    if found is None:
        return None
    del at(doc, found[0][:-1])[found[0][-1]]
    return shown(found[0])


def move_server(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    if "swagger" in doc:
        doc["basePath"] = doc.get("basePath", "").rstrip("/") + "/zz"
    elif doc.get("servers"):
        doc["servers"][0]["url"] = doc["servers"][0]["url"].rstrip("/") + "/zz"
    else:
        return None
    return "servers"
