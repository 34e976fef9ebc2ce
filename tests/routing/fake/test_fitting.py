from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.fake.fitting import fitting


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "enum": ["red", "green"]}, "red"),
        ({"const": 3}, 3),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "number"}, 0.5),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}, {"a": "text"}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"$defs": {"x": {"const": 9}}, "properties": {"a": {"$ref": "#/$defs/x"}}}, {"a": 9}),
        ({}, {}),
    ],
)
def test_a_value_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert fitting(schema) == value


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}, "required": ["n"]}
    found = fitting(node)
    assert found["next"]["next"]["n"] == 1


_NAMES = st.sampled_from(
    ["type", "properties", "items", "anyOf", "allOf", "enum", "$ref", "required", "minimum", "minItems", "object", "#"]
)


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.sampled_from(["object", "array", "integer", "#/properties", "x"])),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=4)),
        max_leaves=15,
    )
)
def test_nonsense_is_no_reason_to_fail(schema: Any) -> None:
    assert fitting(schema) == fitting(schema)
