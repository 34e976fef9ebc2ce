"""Changes of schemas, in both directions."""

from typing import Any

import pytest
from contract_texts import body, breaking, codes, described

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
CAT = {"type": "object", "required": ["meow"], "properties": {"meow": {"type": "string"}}}
DOG = {"type": "object", "required": ["bark"], "properties": {"bark": {"type": "string"}}}
TEXT = {"type": "string"}

NARROWED: list[tuple[Any, Any, str, str]] = [
    # wide, narrow, code when a request narrows, code when a response widens
    ({"type": "number"}, {"type": "integer"}, "type_narrowed", "type_widened"),
    ({"type": ["string", "integer"]}, TEXT, "type_narrowed", "type_widened"),
    ({}, TEXT, "type_narrowed", "type_widened"),
    (True, TEXT, "type_narrowed", "type_widened"),
    (TEXT, False, "type_narrowed", "type_widened"),
    ({"type": ["string", "null"]}, TEXT, "became_not_nullable", "became_nullable"),
    ({"anyOf": [TEXT, {"type": "null"}]}, TEXT, "became_not_nullable", "became_nullable"),
    (TEXT, {"type": "string", "enum": ["a"]}, "enum_added", "enum_removed"),
    ({"enum": ["a", "b"]}, {"enum": ["a"]}, "enum_value_removed", "enum_value_added"),
    ({"enum": ["a", "b"]}, {"const": "a"}, "enum_value_removed", "enum_value_added"),
    (TEXT, {"type": "string", "format": "uuid"}, "format_changed", "format_changed"),
    (
        {"type": "integer", "format": "int64"},
        {"type": "integer", "format": "int32"},
        "format_changed",
        "format_changed",
    ),
    (TEXT, {"type": "string", "maxLength": 9}, "bound_changed", "bound_changed"),
    ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 8}, "bound_changed", "bound_changed"),
    ({"type": "array", "minItems": 1}, {"type": "array", "minItems": 2}, "bound_changed", "bound_changed"),
    ({"type": "number", "minimum": 1}, {"type": "number", "exclusiveMinimum": 1}, "bound_changed", "bound_changed"),
    ({"type": "number", "maximum": 1}, {"type": "number", "exclusiveMaximum": 1}, "bound_changed", "bound_changed"),
    ({"type": "integer", "multipleOf": 5}, {"type": "integer", "multipleOf": 10}, "bound_changed", "bound_changed"),
    ({"type": "array"}, {"type": "array", "uniqueItems": True}, "bound_changed", "bound_changed"),
    (TEXT, {"type": "string", "pattern": "^a"}, "pattern_changed", "pattern_changed"),
    ({"type": "array"}, {"type": "array", "items": TEXT}, "items_narrowed", "items_widened"),
    ({"type": "array"}, {"type": "array", "prefixItems": [TEXT]}, "constraint_changed", "constraint_changed"),
    ({"type": "array", "prefixItems": [{}]}, {"type": "array", "prefixItems": [{}], "items": False},
     "constraint_changed", "constraint_changed"),
    ({"type": "object"}, {"type": "object", "additionalProperties": TEXT},
     "additional_properties_narrowed", "additional_properties_widened"),
    ({"type": "object"}, {"type": "object", "dependentRequired": {"a": ["b"]}},
     "constraint_changed", "constraint_changed"),
    ({"type": "object"}, {"type": "object", "patternProperties": {"^x": TEXT}},
     "constraint_changed", "constraint_changed"),
    (TEXT, {"type": "string", "not": {"const": "a"}}, "constraint_changed", "constraint_changed"),
    ({"type": "object"}, {"type": "object", "propertyNames": {"maxLength": 3}},
     "constraint_changed", "constraint_changed"),
    (OBJECT, {**OBJECT, "required": ["a"]}, "property_became_required", "property_became_optional"),
    ({"oneOf": [CAT, DOG, TEXT]}, {"oneOf": [CAT, TEXT]}, "alternative_removed", "alternative_added"),
    ({"anyOf": [TEXT, {"type": "boolean"}]}, TEXT, "type_changed", "type_changed"),
    ({"type": "object"}, {"oneOf": [CAT, DOG]}, "alternatives_narrowed", "alternatives_widened"),
]  # fmt: skip


@pytest.mark.parametrize(("wide", "narrow", "request_code", "response_code"), NARROWED)
def test_narrowing_breaks_requests_and_widening_breaks_responses(
    wide: Any, narrow: Any, request_code: str, response_code: str
) -> None:
    assert f"request_{request_code}" in breaking(body(wide, "request"), body(narrow, "request"))
    assert f"response_{response_code}" in breaking(body(narrow, "response"), body(wide, "response"))
    assert breaking(body(narrow, "request"), body(wide, "request")) == set()
    assert breaking(body(wide, "response"), body(narrow, "response")) == set()


@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (TEXT, {"type": "integer"}, "type_changed"),
        (TEXT, {"type": "array", "items": TEXT}, "type_changed"),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": {"type": "boolean"}}, "type_changed"),
        (OBJECT, {"type": "object", "properties": {"a": TEXT}}, "property_removed"),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "time"}, "format_changed"),
        ({"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"}, "pattern_changed"),
        (
            {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "a"}},
            {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "b"}},
            "discriminator_changed",
        ),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "additionalProperties": {"type": "integer"}},
            "type_changed",
        ),
    ],
)
def test_what_breaks_either_way(direction: str, old: Any, new: Any, code: str) -> None:
    assert breaking(body(old, direction), body(new, direction)) == {f"{direction}_{code}"}


def test_what_has_no_counterpart() -> None:
    wider = {**OBJECT, "properties": {**OBJECT["properties"], "c": TEXT}}  # type: ignore[dict-item]
    closed = {**OBJECT, "additionalProperties": False}
    mapping = {"type": "object", "additionalProperties": TEXT}
    told = {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "a", "mapping": {"c": "#/x", "d": "#/y"}}}
    less = {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "a", "mapping": {"c": "#/x"}}}
    silent = {"oneOf": [CAT, DOG]}
    hidden = {"type": "object", "properties": {"a": {"type": "string", "writeOnly": True}, "b": TEXT}}
    fixed = {"type": "object", "properties": {"a": {"type": "string", "readOnly": True}, "b": TEXT}}

    def request(old: Any, new: Any) -> set[str]:
        return codes(body(old, "request"), body(new, "request"))

    def response(old: Any, new: Any) -> set[str]:
        return codes(body(old, "response"), body(new, "response"))

    assert request(OBJECT, {**wider, "required": ["c"]}) == {"request_required_property_added"}
    assert (request(OBJECT, wider), response(OBJECT, wider)) == (
        {"request_property_added"},
        {"response_property_added"},
    )
    assert (request(OBJECT, closed), response(OBJECT, closed)) == ({"request_additional_properties_closed"}, set())
    assert response(mapping, {"type": "object", "additionalProperties": False}) == {
        "response_additional_properties_removed"
    }
    assert (request(told, less), response(told, less)) == ({"request_discriminator_value_removed"}, set())
    assert (request(less, told), response(less, told)) == (set(), {"response_discriminator_value_added"})
    assert (request(silent, told), response(silent, told)) == ({"request_discriminator_added"}, set())
    assert (request(told, silent), response(told, silent)) == (set(), {"response_discriminator_removed"})
    assert (request(OBJECT, hidden), response(OBJECT, hidden)) == (set(), {"response_property_became_write_only"})
    assert (request(OBJECT, fixed), response(OBJECT, fixed)) == ({"request_property_became_read_only"}, set())
    assert request({**TEXT, "default": "a"}, {**TEXT, "default": "b"}) == {"request_default_changed"}


@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, {"type": "string", "description": "new words", "example": "a", "x-a": 1, "deprecated": True}),
        (TEXT, {"allOf": [TEXT]}),
        (TEXT, {"oneOf": [TEXT]}),
        ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"oneOf": [TEXT, {"type": "null"}]}, {"type": ["string", "null"]}),
        ({"type": ["string", "boolean"]}, {"anyOf": [TEXT, {"type": "boolean"}]}),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 1}),
        ({"type": "array", "minItems": 0}, {"type": "array"}),
        ({"oneOf": [CAT, DOG]}, {"oneOf": [DOG, CAT]}),
        (OBJECT, {"allOf": [{"properties": {"a": TEXT}}, {"properties": {"b": TEXT}}], "type": "object"}),
        ({"properties": {"a": TEXT}}, {"type": "object", "properties": {"a": TEXT}}),
        ({"type": "integer", "maximum": 5}, {"type": "integer", "maximum": 5.0}),
        ({"type": "object", "additionalProperties": {}}, {"type": "object"}),
    ],
)
def test_the_same_in_other_words(direction: str, old: Any, new: Any) -> None:
    assert codes(body(old, direction), body(new, direction)) == set()
    assert codes(body(new, direction), body(old, direction)) == set()


def test_a_schema_that_holds_itself_ends_and_is_told_once() -> None:
    def tree(leaf: str) -> Any:
        node = {"type": "object", "properties": {"leaf": {"type": leaf}, "next": {"$ref": "#/components/schemas/Node"}}}
        either = {"oneOf": [{"$ref": "#/components/schemas/Node"}, {"$ref": "#/components/schemas/Either"}]}
        schemas = {"Node": node, "Either": either, "Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}]}}
        return {"components": {"schemas": schemas}}

    for name in ("Node", "Either", "Loop"):
        pair = [
            body({"$ref": f"#/components/schemas/{name}"}, "response", **tree(leaf)) for leaf in ("string", "integer")
        ]
        assert codes(*pair) == (set() if name == "Loop" else {"response_type_changed"})


def test_a_renamed_component_is_the_same() -> None:
    def using(name: str) -> Any:
        union = {"oneOf": [{"$ref": f"#/components/schemas/{name}"}, DOG]}
        return body(union, "response", components={"schemas": {name: CAT}})

    assert codes(using("Cat"), using("Kitten")) == set()


def test_an_alternative_that_changed_is_told_in_detail() -> None:
    other = {**CAT, "properties": {"meow": {"type": "integer"}}}
    old, new = body({"oneOf": [CAT, DOG]}, "request"), body({"oneOf": [other, DOG]}, "request")
    assert breaking(old, new) == {"request_type_changed"}


def test_keywords_next_to_a_reference_count_since_version_3_1() -> None:
    def using(version: str, **more: Any) -> Any:
        parts = {"components": {"schemas": {"Name": TEXT}}}
        return body({"$ref": "#/components/schemas/Name", **more}, "request", version, **parts)

    assert breaking(using("3.1.0"), using("3.1.0", maxLength=3)) == {"request_bound_changed"}
    assert breaking(using("3.0.3"), using("3.0.3", maxLength=3)) == set()


def test_one_component_is_judged_in_each_direction_that_it_flows_in() -> None:
    def using(schema: Any) -> Any:
        content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}
        paths = {"/pets": {"post": {"requestBody": content, "responses": {"200": content}}}}
        return described(paths, components={"schemas": {"Pet": schema}})

    required = {**OBJECT, "required": ["a"]}
    assert breaking(using(OBJECT), using(required)) == {"request_property_became_required"}
    assert breaking(using(required), using(OBJECT)) == {"response_property_became_optional"}
