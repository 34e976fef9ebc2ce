"""Edits of operations, names and order that break nobody."""

import random
from typing import Any

from benchmarks.openapi_places import WORD, Document, add_parameter, anywhere, drawn, drawn_schema, plain, shown
from benchmarks.openapi_sites import METHODS, Pointer, Sites, at


def _new_operation(doc: Document) -> Any:
    return {"responses": {"200": {"description": WORD}}}


def add_path(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    doc["paths"][f"/{WORD}"] = {"get": _new_operation(doc)}
    return f"/{WORD}"


def add_operation(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, [p for p in sites.paths if "trace" not in at(doc, p)], rng)
    if found is None:
        return None
    found[1][next((m for m in METHODS if m not in found[1]), "trace")] = _new_operation(doc)
    return shown(found[0])


def add_optional_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    return add_parameter(doc, sites, rng, required=False)


def relax_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    places = [p for p in sites.parameters if at(doc, p).get("required") is True and at(doc, p)["in"] != "path"]
    found = drawn(doc, places, rng)
    if found is None:
        return None
    found[1]["required"] = False
    return shown(found[0])


def add_response_status(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, sites.responses, rng)
    if found is None:
        return None
    found[1]["418"] = {"description": WORD}
    return shown(found[0])


def add_media_type(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, [p for p, _ in sites.contents], rng)
    if found is None:
        return None
    found[1]["application/vnd.zz+json"] = {"schema": {"type": "object"}}
    return shown(found[0])


def describe(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    places = [*sites.operations, *sites.schemas, *sites.parameters]
    found = drawn(doc, places, rng)
    if found is None:
        return None
    found[1]["description"] = "Said in other words."
    found[1]["x-zz"] = {"type": "anything"}
    return shown(found[0])


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
    kept = _numbered(doc)
    for schema in schemas:
        for key in ("enum", "required", "oneOf", "anyOf"):
            if isinstance(schema.get(key), list) and id(schema[key]) not in kept:
                rng.shuffle(schema[key])
    for operation in operations:
        if id(operation.get("parameters")) not in kept:
            rng.shuffle(operation.get("parameters", []))
    return "everywhere"


def _numbered(doc: Document) -> set[int]:
    """The lists that some reference goes through by number: another order is another meaning there."""
    found: set[int] = set()
    waiting: list[Any] = [doc]
    while waiting:
        value = waiting.pop()
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        reference = value.get("$ref") if isinstance(value, dict) else None
        node: Any = doc
        for key in str(reference or "").removeprefix("#/").split("/") if str(reference).startswith("#/") else ():
            if isinstance(node, list):
                found.add(id(node))
                node = node[int(key)]
            else:
                node = node.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return found


def rename_path_parameter(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    def fits(place: Pointer) -> bool:
        item = at(doc, place)
        parts = [*item.get("parameters", []), *(p for m in METHODS for p in item.get(m, {}).get("parameters", []))]
        return str(place[1]).count("{") == 1 and not any("$ref" in p for p in parts)

    found = drawn(doc, [p for p in sites.paths if fits(p)], rng)
    if found is None:
        return None
    path = str(found[0][1])
    name = path[path.index("{") + 1 : path.index("}")]
    item = found[1]
    for part in [*item.get("parameters", []), *(p for m in METHODS for p in item.get(m, {}).get("parameters", []))]:
        if part.get("in") == "path" and part.get("name") == name:
            part["name"] = WORD
    doc["paths"][path.replace(f"{{{name}}}", f"{{{WORD}}}")] = doc["paths"].pop(path)
    return path


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
    holder[WORD] = holder.pop(name)  # type: ignore[index, union-attr]
    _redirect(doc, prefix + name, prefix + WORD)
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


def wrap_in_all_of(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, anywhere, lambda s: plain(s, "object", "string", "integer"))
    if found is None or ("swagger" in doc and "in" in found[1]):
        return None
    kept = dict(found[1])
    found[1].clear()
    found[1]["allOf"] = [kept]
    return shown(found[0])


def move_to_component(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn_schema(doc, sites, rng, anywhere, lambda s: plain(s, "object", "array", "string"))
    if found is None or "in" in found[1] or len(found[0]) < 4:
        return None
    kept = dict(found[1])
    found[1].clear()
    if "swagger" in doc:
        doc.setdefault("definitions", {})[WORD] = kept
        found[1]["$ref"] = f"#/definitions/{WORD}"
    else:
        doc.setdefault("components", {}).setdefault("schemas", {})[WORD] = kept
        found[1]["$ref"] = f"#/components/schemas/{WORD}"
    return shown(found[0])


def deprecate(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, sites.operations, rng)
    if found is None:
        return None
    found[1]["deprecated"] = True
    return shown(found[0])


def rename_operation_id(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, sites.operations, rng)
    if found is None:
        return None
    found[1]["operationId"] = WORD
    found[1]["tags"] = [WORD]
    return shown(found[0])


def add_server(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    if "swagger" in doc or not doc.get("servers"):
        return None
    doc["servers"].insert(0, {"url": "https://zz.example"})
    return "servers"


def add_security_alternative(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    places = [p for p in sites.operations if any(at(doc, p).get("security", doc.get("security")) or ())]
    found = drawn(doc, places, rng)
    if found is None or "swagger" in doc:
        return None
    doc.setdefault("components", {}).setdefault("securitySchemes", {})[WORD] = {"type": "http", "scheme": "basic"}
    found[1]["security"] = [*found[1].get("security", doc.get("security")), {WORD: []}]
    return shown(found[0])


def add_response_header(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    found = drawn(doc, sites.responses, rng)
    if found is None:
        return None
    status = rng.choice(list(found[1]))
    if "$ref" in found[1][status]:
        return None
    kind: Any = {"type": "string"}
    found[1][status].setdefault("headers", {})[WORD] = kind if "swagger" in doc else {"schema": kind}
    return shown(found[0])


def raise_version(doc: Document, sites: Sites, rng: random.Random) -> str | None:
    doc["info"]["version"] = f"{doc['info'].get('version', '')}.1"
    doc["info"]["description"] = "Said in other words."
    return "info"
