"""Requests from HAR files, cassettes and descriptions, and nothing from what is none of them."""

import json
from typing import Any

import pytest

from karkhana.quality.traffic.examples import from_description
from karkhana.quality.traffic.recordings import distinct, from_cassette, from_har
from karkhana.quality.traffic.requests import Request


def har(*requests: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"entries": [{"request": request} for request in requests]}}).encode()


def test_a_request_of_a_har_file() -> None:
    headers = [
        {"name": "Accept", "value": "text/html"}, {"name": "Host", "value": "x"}, {"name": ":path", "value": "/"},
        {"name": "Authorization", "value": "[redacted]"}, {"name": "Cookie", "value": "sid=[redacted]"},
    ]  # fmt: skip
    url = "https://shop.example/a?b=1#c"
    post = {"mimeType": "text/plain", "text": "aGk=", "encoding": "base64"}
    (found,) = from_har("a.har", har({"method": "post", "url": url, "headers": headers, "postData": post}))
    assert (found.method, found.target, found.body, found.origin) == ("POST", "/a?b=1", b"hi", "a.har")
    assert found.headers == (("accept", "text/html"), ("cookie", "sid=[redacted]"))
    form = {"params": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}
    assert from_har("a.har", har({"method": "POST", "url": "/f", "postData": form}))[0].body == b"a=1&b=2"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", b'{"log": 3}', b'{"log": {"entries": [3, {"request": []}]}}', b"[" * 100_000,
        har({"method": "TRACE", "url": "/"}), har({"method": "GET", "url": "ws://x/"}), har({"method": "GET"}),
        har({"method": "GET", "url": "/a b"}), har({"method": "GET", "url": "http://[::1/"}),
        har({"method": "PUT", "url": "/", "postData": {"text": "!", "encoding": "base64"}}),
        har({"method": "PUT", "url": "/", "postData": {"text": "\u00e9", "encoding": "base64"}}),
    ],
)  # fmt: skip
def test_what_cannot_be_read_gives_nothing(content: bytes) -> None:
    assert from_har("a.har", content) == []
    assert from_cassette("a.yaml", content) == []


def test_of_a_cassette_only_what_was_asked_of_the_application_counts() -> None:
    cassette = b"""
interactions:
- request: {method: GET, uri: "https://api.github.com/user", body: null, headers: {Accept: ["*/*"]}}
- request: {method: POST, uri: "http://testserver/items?x=1", body: {string: "{}"}, headers: {Content-Type: [a/b]}}
- request: {method: GET, uri: "http://localhost:8000/", body: "", headers: {}}
- request: {method: GET, uri: "http://[::1", body: "", headers: {}}
"""
    found = from_cassette("c.yaml", cassette)
    assert [(r.method, r.target, r.body) for r in found] == [("POST", "/items?x=1", b"{}"), ("GET", "/", b"")]
    assert found[0].headers == (("content-type", "a/b"),)


def test_what_only_looks_is_asked_once() -> None:
    look, write = Request(method="GET", target="/a"), Request(method="POST", target="/a")
    assert distinct([look, write, look, write, look], 9) == [look, write, write]
    assert distinct([write] * 5, 2) == [write] * 2


def test_examples_of_a_description() -> None:
    number = {"type": "integer"}
    item = {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"$ref": "#/components/schemas/Id"}}],
        "delete": {},
        "get": {"parameters": [{"name": "q", "in": "query", "examples": {"a": {"value": "x y"}}}]},
        "patch": {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
        "put": {
            "requestBody": {
                "content": {"application/json": {"examples": {"one": {"value": {"a": 1}}, "two": {"value": [2]}}}}
            }
        },
    }
    document = {
        "servers": [{"url": "https://shop.example/v2/"}],
        "components": {"schemas": {"Id": {"type": "string", "example": "a/b"}}},
        "paths": {
            "/items/{id}": item,
            "/none": {"get": {"parameters": [{"name": "n", "in": "query", "required": True, "schema": number}]}},
        },
    }
    found = from_description("api.json", document)
    assert [(r.method, r.target, r.body) for r in found] == [
        ("GET", "/v2/items/a%2Fb?q=x+y", b""),
        ("PUT", "/v2/items/a%2Fb", b'{"a": 1}'),
        ("PUT", "/v2/items/a%2Fb", b"[2]"),
        ("DELETE", "/v2/items/a%2Fb", b""),
    ]
    assert {r.origin for r in found} == {"api.json"}
    assert from_description("x", {"paths": [1]}) == from_description("x", None) == []
    marks = {"parameters": [{"name": "b", "in": "query", "required": True, "example": {1, 2}}]}
    body = {"requestBody": {"content": {"application/json": {"example": {"a": b"\xff"}}}}}
    (only,) = from_description("x", {"paths": {"/a": {"get": marks, "post": body, "delete": {}}}})
    assert only.method == "DELETE"  # YAML has values that no request can hold
    loop = {"paths": {"/a": {"$ref": "#/paths/~1a"}}}
    assert from_description("x", loop) == []
