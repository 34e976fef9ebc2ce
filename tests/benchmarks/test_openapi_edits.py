"""The edits that are seeded into descriptions: their places and labels."""

import json
import random
from typing import Any

import pytest
from benchmarks.openapi_edits import BREAKING, HARMLESS
from benchmarks.openapi_sites import find_sites

from karkhana.quality.contracts.openapi import compare

PET = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "kind": {"type": "string", "enum": ["cat", "dog"]},
        "age": {"type": "integer"},
        "born": {"type": "string", "format": "date"},
        "owner": {"$ref": "#/components/schemas/Owner"},
    },
}
OWNER = {"type": "object", "required": ["mail"], "properties": {"mail": {"type": "string"}, "cost": {"type": "number"}}}


def document() -> dict[str, Any]:
    pet = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}
    owner = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Owner"}}}}
    tags = {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
    path = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    get = {"parameters": [tags], "responses": {"200": {**pet, "headers": {"ETag": {"schema": {}}}}, "404": {}}}
    post = {"requestBody": owner, "responses": {"200": {}}, "security": [{"key": []}]}
    text = json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Pets", "version": "1"},
            "servers": [{"url": "/v1"}],
            "paths": {"/pets/{id}": {"parameters": [path], "get": get}, "/owners": {"post": post}},
            "components": {
                "schemas": {"Pet": PET, "Owner": OWNER},
                "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X"}},
            },
        }
    )
    return json.loads(text)  # type: ignore[no-any-return]


def test_schemas_know_the_directions_in_which_they_are_used() -> None:
    schemas = find_sites(document()).schemas
    assert schemas["components", "schemas", "Pet"] == {"response"}
    assert schemas["components", "schemas", "Owner"] == {"request", "response"}
    assert schemas["paths", "/pets/{id}", "get", "parameters", 0, "schema"] == {"request"}


@pytest.mark.parametrize(
    ("kind", "expected"), [*((kind, True) for kind in BREAKING), *((kind, False) for kind in HARMLESS)]
)
def test_each_kind_of_edit_is_judged_as_it_is_labelled(kind: str, expected: bool) -> None:
    old = document()
    edit = (BREAKING if expected else HARMLESS)[kind]
    for seed in range(3):
        new = document()
        said = edit(new, find_sites(new), random.Random(seed))
        if said is not None and new != old:
            found = compare("pets.json", json.dumps(old).encode(), json.dumps(new).encode())
            assert bool(found.breaking) is expected, (said, found.changes)
