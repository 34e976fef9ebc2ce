"""What the gateway lets in is what the provider reads, whatever reader that has."""

import json

import pytest

from karkhana.routing.gateway.clarity import clear
from karkhana.routing.wires.wire import BadRequest


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"model":"m","n":1,"messages":[{"role":"user","content":"\\"model\\": \\u00e9"}]}',
        json.dumps({"model": "m", "n": 1.50, "messages": [{"a": [1, {"b": None}], "A": 2}]}).encode(),
        '{"model":"m","größe":"ü","options":{"a":1,"b":2.0}}'.encode(),
    ],
)
def test_what_is_written_once_stays_byte_for_byte(body: bytes) -> None:
    assert clear(body) is body


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"model":"dear","model":"cheap"}', {"model": "cheap"}),
        (b'{"model": "dear", "model": "cheap"}', {"model": "cheap"}),
        (b'{"model":"dear","mod\\u0065l":"cheap"}', {"model": "cheap"}),
        # As long as the other way of writing the same fields.
        (b'{"a":1,"a":22,"b":3}', {"a": 22, "b": 3}),
        (b'{\n  "model": "m"\n}', {"model": "m"}),
        (b'{"options":{"num_predict":9,"num_predict":1}}', {"options": {"num_predict": 1}}),
        (
            b'{"stream_options": {"include_usage": false, "include_usage": true}}',
            {"stream_options": {"include_usage": True}},
        ),
    ],
)
def test_what_stands_there_twice_stands_there_once(body: bytes, read: object) -> None:
    once = clear(body)
    pairs = json.loads(once, object_pairs_hook=lambda found: found)
    assert len(pairs) == len(dict(pairs))
    assert json.loads(once) == read
    assert json.loads(body) == read


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"cheap","Model":"dear"}',
        b'{"max_tokens":1,"MAX_TOKENS":9999}',
        b'{"options":{"a":1,"A":2}}',
        b"[]",
        b"{",
    ],
)
def test_what_others_would_read_otherwise_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        clear(body)
