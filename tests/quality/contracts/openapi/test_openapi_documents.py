"""Reading descriptions: YAML, references, Swagger 2.0, hostile files."""

import json
from typing import Any

import pytest
from contract_texts import body, breaking, codes, described

from karkhana.quality.contracts.openapi import Unreadable, compare
from karkhana.quality.contracts.openapi.documents import Library, load

YAML = b"""
openapi: 3.0.3
info: {title: Shop, version: 2020-01-01}
paths:
  /orders:
    get:
      responses:
        200:
          content:
            application/json:
              schema: {$ref: 'schemas/order.yaml#/Order'}
"""


def test_yaml_is_read_as_json_would_be() -> None:
    assert load(b"a: 2020-01-01\nb: no\nc: true\nd: 1\n") == {"a": "2020-01-01", "b": "no", "c": True, "d": 1}
    assert load(b'{"a": 1}') == load(b"{a: 1}") == {"a": 1}


def test_a_reference_leads_into_another_file_of_the_repository_only() -> None:
    def order(kind: str) -> Any:
        files = {"api/schemas/order.yaml": f"Order:\n  type: {kind}\n".encode()}
        return files.get

    found = compare("api/openapi.yaml", YAML, YAML, read_old=order("string"), read_new=order("integer"))
    assert [c.code for c in found.breaking] == ["response_type_changed"]
    assert found.breaking[0].new == "api/schemas/order.yaml#/Order"
    outside = YAML.replace(b"schemas/order.yaml", b"../../etc/passwd")
    remote = YAML.replace(b"schemas/order.yaml", b"https://example.org/order.yaml")
    asked: list[str] = []

    def asking(path: str) -> bytes | None:
        asked.append(path)
        return None

    for text in (outside, remote):
        assert compare("api/openapi.yaml", text, text, read_old=asking, read_new=asking).unread
    assert asked == []


def test_anchors_and_escaped_pointers() -> None:
    library = Library(lambda path: None)
    text = {"a": {"$ref": "#/b~1c/d%20e"}, "b/c": {"d e": {"type": "string"}}, "f": {"$ref": "#here"}}
    root = library.add("x", json.dumps({**text, "g": {"$anchor": "here", "type": "null"}}).encode())
    assert [library.resolve(root.child(key)).value["type"] for key in "af"] == ["string", "null"]  # type: ignore[union-attr]


def test_references_that_lead_nowhere_are_remembered() -> None:
    library = Library(lambda path: None)
    root = library.add("x", b'{"a": {"$ref": "#/a"}, "b": {"$ref": "#/none"}, "c": {"$ref": "#none"}}')
    assert [library.resolve(root.child(key)) for key in "abc"] == [None, None, None]
    assert library.unread == {"#/a", "#/none", "#none"}


@pytest.mark.parametrize(
    "text",
    [
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 107)),
        b"a: &a {k: 1}\n"
        + b"".join(b"%c: &%c {<<: [%s]}\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 107)),
        b"[" * 5000,
        b"[" * 100_000,
        b"- " * 100_000,
        b"{" * 900 + b"a" + b"}" * 900,
        b'{"a":' * 400 + b"1" + b"}" * 400,
        b"a: !!python/object/apply:os.system [ls]\n",
        b"a: [1\n",
        b"\xff\xfe\x00",
        b"? [a]\n: 1\n",
    ],
    ids=[
        "aliases",
        "merges",
        "brackets",
        "many brackets",
        "dashes",
        "braces",
        "deep",
        "tag",
        "broken",
        "binary",
        "key",
    ],
)
def test_hostile_files_are_refused_in_no_time(text: bytes) -> None:
    with pytest.raises(Unreadable):
        compare("openapi.yaml", text, text)


def test_what_is_no_description_is_refused() -> None:
    for text in (b"{}", b"[]", b"", b"openapi: 4.0.0", b'{"swagger": "1.2"}'):
        with pytest.raises(Unreadable):
            compare("openapi.yaml", text, text)


@pytest.mark.parametrize("value", [None, 3, "x", [], [3], {"x": 3}, True])
@pytest.mark.parametrize("key", ["paths", "components", "security", "servers", "info", "webhooks"])
def test_nonsense_where_a_map_belongs_is_passed_over(key: str, value: Any) -> None:
    old = body({"type": "string"}, "request")
    text = json.dumps({**old, key: value}).encode()
    compare("x", text, json.dumps(old).encode())
    compare("x", json.dumps(old).encode(), text)


@pytest.mark.parametrize("value", [None, 3, "x", [], [3], {"x": 3}, True])
@pytest.mark.parametrize(
    "key",
    ["type", "enum", "properties", "required", "items", "allOf", "oneOf", "anyOf", "not", "minimum", "format",
     "additionalProperties", "discriminator", "dependentRequired", "prefixItems", "pattern", "$ref", "multipleOf"],
)  # fmt: skip
def test_nonsense_in_a_schema_is_passed_over(key: str, value: Any) -> None:
    for direction in ("request", "response"):
        plain = {"type": "object", "properties": {"a": {"type": "string"}}}
        codes(body(plain, direction), body({**plain, key: value}, direction))
        codes(body({**plain, key: value}, direction), body(plain, direction))


def swagger(*parameters: Any, schema: Any = None, **more: Any) -> Any:
    responses = {"200": {"description": "", **({"schema": schema} if schema else {})}}
    return described({"/a": {"post": {"parameters": list(parameters), "responses": responses}}}, "2.0", **more)


def test_swagger_parameters_are_their_own_schemas() -> None:
    size = {"name": "size", "in": "query", "type": "integer"}
    tags = {"name": "tags", "in": "query", "type": "array", "items": {"type": "string"}}
    file = {"name": "file", "in": "formData", "type": "file"}
    assert breaking(swagger(size), swagger({**size, "type": "boolean"})) == {"request_type_changed"}
    assert breaking(swagger(size), swagger({**size, "required": True})) == {"parameter_became_required"}
    assert breaking(swagger(tags), swagger({**tags, "collectionFormat": "multi"})) == {"parameter_style_changed"}
    extra = {"name": "note", "in": "formData", "type": "string", "required": True}
    assert "request_required_property_added" in breaking(swagger(file), swagger(file, extra))
    pet = {"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}}
    one, other = (
        swagger(pet, definitions={"Pet": {"type": "object", "required": r, "properties": {"a": {}}}})
        for r in ([], ["a"])
    )
    assert breaking(one, other) == {"request_property_became_required"}


def test_swagger_addresses_media_types_and_security() -> None:
    place = {"host": "example.org", "schemes": ["https", "http"]}
    assert breaking(swagger(**place), swagger(**{**place, "schemes": ["https"]})) == {"server_removed"}
    assert breaking(swagger(basePath="/v1"), swagger(basePath="/v2")) == {"server_removed"}
    text = {"type": "string"}
    both = swagger(schema=text, produces=["application/json", "text/csv"])
    assert breaking(both, swagger(schema=text, produces=["text/csv"])) == {"response_media_type_removed"}
    basic = {"securityDefinitions": {"login": {"type": "basic"}}}
    assert breaking(swagger(**basic), swagger(**basic, security=[{"login": []}])) == {"security_added"}


def test_swagger_compares_with_its_translation() -> None:
    old = swagger({"name": "size", "in": "query", "type": "integer"}, schema={"type": "string"}, basePath="/v1")
    new = described(
        {
            "/a": {
                "post": {
                    "parameters": [{"name": "size", "in": "query", "schema": {"type": "integer"}}],
                    "responses": {"200": {"content": {"application/json": {"schema": {"type": "string"}}}}},
                }
            }
        },
        servers=[{"url": "/v1"}],
    )
    assert codes(old, new) == set()
