"""Which requests are the same."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.routing.gateway.cacheable import identity

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['":', '\\":', '"', "\\", "{}:"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(["messages", "model", "a", 'b":']), VALUES, max_size=4)


def named(body: bytes, scope: str = "") -> str | None:
    return identity("openai", scope, "m", [], body)


def written(value: Any, shuffled: bool, indent: int | None, ascii_only: bool) -> bytes:
    if shuffled:
        value = _reversed(value)
    return json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed(inner) for name, inner in reversed(value.items())}
    return [_reversed(inner) for inner in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None)
@given(BODIES, st.booleans(), st.sampled_from([None, 0, 2]), st.booleans())
def test_the_same_request_has_one_name_however_it_is_written(
    body: dict[str, Any], shuffled: bool, indent: int | None, ascii_only: bool
) -> None:
    plain = named(json.dumps(body).encode())
    assert plain is not None
    assert named(written(body, shuffled, indent, ascii_only)) == plain


@settings(max_examples=150, deadline=None)
@given(BODIES, BODIES)
def test_other_requests_have_other_names(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    if not same and one != other:
        assert named(json.dumps(one).encode()) != named(json.dumps(other).encode())


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES, TEXTS)
def test_a_key_that_stands_twice_anywhere_gives_no_name(first: Any, second: Any, name: str) -> None:
    key = json.dumps(name)
    twice = f"{{{key}: {json.dumps(first)}, {key}: {json.dumps(second)}}}"
    for body in (twice, f'{{"a": [{twice}]}}', f'{{"messages": {{"x": {twice}}}}}'):
        assert named(body.encode()) is None


def test_two_ways_to_hide_a_key_that_stands_twice() -> None:
    assert named(b'{"a": 1, "\\u0061": 2}') is None
    assert named(b'{"a": 1, "a": "\\u0022:"}') is None


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b'"x"', b"{", b'{"a":"\\ud800"}', b"[" * 5000, b'{"a":NaN}'])
def test_what_is_no_request_has_no_name(body: bytes) -> None:
    assert named(body) is None


def test_scope_door_model_and_headers_tell_requests_apart() -> None:
    body = b'{"a": 1}'
    names = {
        identity("openai", "key:a", "m", [], body),
        identity("openai", "key:b", "m", [], body),
        identity("anthropic", "key:a", "m", [], body),
        identity("openai", "key:a", "n", [], body),
        identity("openai", "key:a", "m", [(b"anthropic-beta", b"x")], body),
        identity("openai", "key:a", "m", [(b"x-karkhana-residency", b"eu")], body),
        identity("openai", "key:a", "m", [(b"user-agent", b"x")], body),
    }
    assert len(names) == 6
    assert None not in names


@pytest.mark.parametrize(
    ("tools", "may"),
    [
        ([{"type": "function", "function": {"name": "f"}}], True),
        ([{"name": "f", "input_schema": {}}], True),
        ([{"functionDeclarations": []}], True),
        ([{"type": "web_search_20250305", "name": "web_search"}], False),
        ([{"type": "function"}, {"type": "code_interpreter"}], False),
        ([{"googleSearch": {}}], False),
        ([{}], False),
        ("all", False),
        (None, True),
    ],
)
def test_only_tools_of_the_client_leave_an_answer_to_the_request(tools: Any, may: bool) -> None:
    assert (named(json.dumps({"tools": tools}).encode()) is not None) == may
