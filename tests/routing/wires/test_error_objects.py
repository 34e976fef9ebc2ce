import json

import pytest

from karkhana.routing.wires.error_objects import error_object


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "slow down", "type": "rate"}}', "slow down"),
        (b'[{"error": {"message": "in a list"}}]', "in a list"),
        (b'{"error": "a text"}', "a text"),
        (b"<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1>"),
        (b'{"detail": 1}', '{"detail": 1}'),
        (b'{"error": ["no object"]}', '{"error": ["no object"]}'),
        (b"[]", "[]"),
        (b"", "status 502 without a body"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "[" * 500),
    ],
)
def test_every_body_says_something(body: bytes, message: str) -> None:
    assert error_object(502, body)["message"] == message


def test_the_object_is_handed_on_whole() -> None:
    error = {"message": "m", "code": 7, "details": [{"a": None}]}
    assert error_object(400, json.dumps({"error": error}).encode()) == error
