"""Changes of paths, operations, parameters, bodies, responses, security and addresses."""

from typing import Any

import pytest
from contract_texts import breaking, codes, compared, described, operation, parameter

from karkhana.quality.contracts.openapi import Weight, catalogue

JSON = {"application/json": {"schema": {"type": "string"}}}
KEY = {"type": "apiKey", "in": "header", "name": "X-Key"}
FLOW = {"tokenUrl": "/token", "scopes": {"read": "", "write": ""}}


def secured(security: Any, schemes: Any) -> Any:
    paths = {"/orders": {"get": {"responses": {"200": {}}, "security": security}}}
    return described(paths, components={"securitySchemes": schemes})


def oauth(**flows: Any) -> Any:
    return {"auth": {"type": "oauth2", "flows": flows}}


BREAKING: list[tuple[Any, Any, str]] = [
    (described({"/a": {"get": {}}}), described({"/b": {"get": {}}}), "path_removed"),
    (described({"/a": {"get": {}, "put": {}}}), described({"/a": {"get": {}}}), "operation_removed"),
    (operation(), parameter(required=True), "required_parameter_added"),
    (parameter(), operation(), "parameter_removed"),
    (parameter(), parameter(required=True), "parameter_became_required"),
    (parameter(), parameter(**{"in": "header"}), "parameter_moved"),
    (parameter(), parameter(explode=False), "parameter_style_changed"),
    (parameter(), parameter(style="pipeDelimited"), "parameter_style_changed"),
    (parameter(allowEmptyValue=True), parameter(), "parameter_empty_refused"),
    (parameter(schema={"type": "string"}), parameter(schema={"type": "boolean"}), "request_type_changed"),
    (operation(), operation(requestBody={"required": True, "content": JSON}), "required_body_added"),
    (operation(requestBody={"content": JSON}), operation(), "body_removed"),
    (
        operation(requestBody={"content": JSON}),
        operation(requestBody={"required": True, "content": JSON}),
        "body_became_required",
    ),
    (
        operation(requestBody={"content": {**JSON, "text/csv": {}}}),
        operation(requestBody={"content": JSON}),
        "request_media_type_removed",
    ),
    (
        operation(responses={"200": {"content": {**JSON, "text/csv": {}}}}),
        operation(responses={"200": {"content": JSON}}),
        "response_media_type_removed",
    ),
    (operation(responses={"200": {}, "404": {}}), operation(responses={"200": {}}), "response_removed"),
    (
        operation(responses={"200": {"headers": {"ETag": {}}}}),
        operation(responses={"200": {}}),
        "response_header_removed",
    ),
    (
        operation(responses={"200": {"headers": {"ETag": {"required": True}}}}),
        operation(responses={"200": {"headers": {"etag": {}}}}),
        "response_header_became_optional",
    ),
    (secured([], {"key": KEY}), secured([{"key": []}], {"key": KEY}), "security_added"),
    (
        secured([{"key": []}], {"key": KEY}),
        secured([{"other": []}], {"other": {"type": "http", "scheme": "basic"}}),
        "security_changed",
    ),
    (
        secured([{"a": []}, {"b": []}], {"a": KEY, "b": KEY}),
        secured([{"b": []}], {"a": KEY, "b": KEY}),
        "security_changed",
    ),
    (
        secured([{"auth": ["read"]}], oauth(implicit=FLOW)),
        secured([{"auth": ["read", "write"]}], oauth(implicit=FLOW)),
        "security_scope_added",
    ),
    (secured([{"key": []}], {"key": KEY}), secured([{"key": []}], {}), "security_scheme_removed"),
    (
        secured([{"key": []}], {"key": KEY}),
        secured([{"key": []}], {"key": {**KEY, "in": "query"}}),
        "security_scheme_changed",
    ),
    (
        secured([{"auth": []}], oauth(implicit=FLOW, password=FLOW)),
        secured([{"auth": []}], oauth(implicit=FLOW)),
        "security_flow_removed",
    ),
    (
        secured([{"auth": []}], oauth(implicit=FLOW)),
        secured([{"auth": []}], oauth(implicit={**FLOW, "scopes": {"read": ""}})),
        "security_scope_removed",
    ),
    (described({}, servers=[{"url": "/v1"}]), described({}, servers=[{"url": "/v2"}]), "server_removed"),
    (
        described({}, servers=[{"url": "/{v}", "variables": {"v": {"enum": ["1", "2"]}}}]),
        described({}, servers=[{"url": "/{v}", "variables": {"v": {"enum": ["2"]}}}]),
        "server_variable_narrowed",
    ),
    (operation(callbacks={"done": {"{$url}": {"post": {}}}}), operation(), "callback_removed"),
    (described({}, webhooks={"done": {"post": {}}}), described({}), "webhook_removed"),
    (
        operation(callbacks={"done": {"{$url}": {"post": parameter(required=True)["paths"]["/orders"]["post"]}}}),
        operation(callbacks={"done": {"{$url}": {"post": parameter()["paths"]["/orders"]["post"]}}}),
        "parameter_became_optional",
    ),
]


@pytest.mark.parametrize(("old", "new", "code"), BREAKING)
def test_breaking_changes(old: Any, new: Any, code: str) -> None:
    assert breaking(old, new) == {code}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (described({}), described({"/a": {"get": {}}}), {"path_added"}),
        (described({"/a": {"get": {}}}), described({"/a": {"get": {}, "put": {}}}), {"operation_added"}),
        (operation(), operation(deprecated=True), {"operation_deprecated"}),
        (operation(operationId="a"), operation(operationId="b"), {"operation_id_changed"}),
        (operation(), parameter(), {"optional_parameter_added"}),
        (parameter(required=True), parameter(), set()),
        (parameter(), parameter(deprecated=True), {"parameter_deprecated"}),
        (parameter(schema={"type": "string"}), parameter(schema={"type": "string"}, explode=False), set()),
        (operation(), operation(requestBody={"content": JSON}), {"optional_body_added"}),
        (
            operation(requestBody={"content": JSON}),
            operation(requestBody={"content": {**JSON, "text/csv": {}}}),
            {"request_media_type_added"},
        ),
        (
            operation(responses={"200": {"content": JSON}}),
            operation(responses={"200": {"content": {**JSON, "text/csv": {}}}, "404": {}}),
            {"response_media_type_added", "response_added"},
        ),
        (
            operation(requestBody={"content": JSON}),
            operation(requestBody={"content": {"application/*": JSON["application/json"]}}),
            {"request_media_type_added"},
        ),
        (
            operation(responses={"200": {"content": JSON}}),
            operation(responses={"200": {"content": {"Application/JSON; charset=utf-8": JSON["application/json"]}}}),
            set(),
        ),
        (operation(responses={"404": {}}), operation(responses={"4XX": {}}), {"response_added"}),
        (secured([{"key": []}], {"key": KEY}), secured([], {"key": KEY}), {"security_dropped"}),
        (secured([{"key": []}], {"key": KEY}), secured([{"renamed": []}], {"renamed": KEY}), set()),
        (secured([{"key": []}], {"key": KEY}), secured([{"key": []}, {"b": []}], {"key": KEY, "b": KEY}), set()),
        (secured([], {"key": KEY}), secured([], {}), set()),
        (
            secured([{"auth": []}], oauth(implicit=FLOW)),
            secured([{"auth": []}], oauth(implicit={**FLOW, "tokenUrl": "/other"})),
            {"security_address_changed"},
        ),
        (described({}, servers=[{"url": "/v1"}]), described({}, servers=[{"url": "/"}, {"url": "/v1/"}]), set()),
    ],
)
def test_changes_that_break_nobody(old: Any, new: Any, expected: set[str]) -> None:
    assert (codes(old, new), breaking(old, new)) == (expected, set())


def test_the_name_of_a_path_parameter_is_never_sent() -> None:
    def path(name: str, kind: str) -> Any:
        given = {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
        return described({f"/a/{{x}}/b/{{{name}}}": {"parameters": [given], "get": {"responses": {}}}})

    assert codes(path("id", "string"), path("key", "string")) == set()
    assert breaking(path("id", "string"), path("key", "integer")) == {"request_type_changed"}


def test_in_a_callback_the_directions_are_swapped() -> None:
    def calling(kind: Any) -> Any:
        content = {"content": {"application/json": {"schema": kind}}}
        back = {"done": {"{$url}": {"post": {"requestBody": content, "responses": {"200": content}}}}}
        return operation(callbacks=back)

    wide, narrow = calling({"type": ["string", "null"]}), calling({"type": "string"})
    assert breaking(narrow, wide) == {"response_became_nullable"}
    assert breaking(wide, narrow) == {"request_became_not_nullable"}


def test_a_finding_names_the_place_in_both() -> None:
    old = operation(responses={"200": {"content": JSON}})
    new = operation(responses={"200": {"content": {"application/json": {"schema": {"type": "integer"}}}}})
    (found,) = compared(old, new).changes
    place = "#/paths/~1orders/post/responses/200/content/application~1json/schema"
    assert (found.old, found.new, found.operation, found.direction) == (place, place, "POST /orders", "response")
    assert found.message == "POST /orders: the body of 200 was string and is integer"


def test_words_of_strangers_are_shortened_and_made_printable() -> None:
    (found,) = compared(described({f"/\x1b[31m{'a' * 500}": {"get": {}}}), described({})).changes
    assert len(found.message) < 200
    assert found.message.isprintable()


def test_every_class_has_a_severity_and_most_break() -> None:
    severities = [kind.severity for kind in catalogue().values()]
    assert severities.count(Weight.BREAKING) > 60
    assert all(
        "{place}" in kind.sentence for code, kind in catalogue().items() if code.startswith(("request_", "response_p"))
    )
