"""Which operations a change touches."""

from typing import Any

from karkhana.quality.changed import changed_functions
from karkhana.quality.traffic.endpoints import Route, answered_otherwise, base_path, described_otherwise, only

ITEM: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}


def document(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    def answers(schema: dict[str, Any]) -> dict[str, Any]:
        return {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}

    reference = {"$ref": "#/components/schemas/List"}
    return {
        "openapi": "3.1.0",
        "paths": {"/items": {"get": answers(reference), "post": answers({})}, "/other/{id}": {"get": {}}},
        "components": {
            "schemas": {"List": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}, "Item": item}
        },
        **more,
    }


def test_a_component_counts_for_every_operation_that_refers_to_it() -> None:
    new = {**ITEM, "required": ["name"]}
    assert described_otherwise(document(ITEM), document(new)) == {("GET", "/items")}
    assert described_otherwise(document(ITEM), document(dict(reversed(ITEM.items())))) == set()
    assert described_otherwise({}, document(ITEM)) == {("GET", "/items"), ("POST", "/items"), ("GET", "/other/{id}")}
    endless = {"$ref": "#/components/schemas/Item"}
    assert described_otherwise(document(ITEM), document(endless)) == {("GET", "/items")}


def test_a_changed_function_counts_for_the_routes_that_reach_it() -> None:
    old, new = b"import os\n\ndef price():\n    return 1\n\ndef name():\n    return 2\n", b""
    new = old.replace(b"return 1", b"return 3")
    routes = [
        Route("GET", "/items", (("web.py", 4), ("shop.py", 3))),
        Route("POST", "/items", (("shop.py", 6),)),
        Route("GET", "/other/{key}", (("shop.py", 0),)),
    ]
    found = document(ITEM)
    assert answered_otherwise(found, routes, [changed_functions("shop.py", old, new)]) == {("GET", "/items")}
    outside = changed_functions("shop.py", old, old.replace(b"import os", b"import re"))
    assert len(answered_otherwise(found, routes, [outside])) == 3
    assert answered_otherwise(found, routes, [changed_functions("else.py", old, new)]) == set()


def test_routes_may_stand_below_the_base_of_the_description() -> None:
    routes = [Route("GET", "/v1/items", (("shop.py", 1),))]
    changed = [changed_functions("shop.py", b"def f():\n    return 1\n", b"def f():\n    return 2\n")]
    found = document(ITEM, servers=[{"url": "https://shop.example/v1/"}])
    assert base_path(found) == "/v1"
    assert answered_otherwise(found, routes, changed) == {("GET", "/items")}
    assert answered_otherwise(document(ITEM), routes, changed) == set()
    assert [base_path(d) for d in ({}, {"basePath": "/v2"}, {"servers": [{"url": "{host}/a"}]}, [])] == [
        "",
        "/v2",
        "",
        "",
    ]


def test_only_what_was_asked_for_is_left() -> None:
    left = only(document(ITEM, servers=[{"url": "/v1"}]), [("GET", "/items")])
    assert {path: list(item) for path, item in left["paths"].items()} == {"/items": ["get"]}
    assert "servers" not in left
    assert left["components"] == document(ITEM)["components"]
