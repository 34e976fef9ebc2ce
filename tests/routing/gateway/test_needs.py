"""What a request needs is seen without reading it, unless it may matter; and headers of ours are checked."""

import json
from typing import Any, NamedTuple

import pytest

from karkhana.domain.chat import ChatRequest
from karkhana.routing.gateway.asking import Asking
from karkhana.routing.gateway.doors import Peek, peek
from karkhana.routing.gateway.needs import NOTHING, Told, needs_of, session_of, told, words_of
from karkhana.routing.policy.capability import Needs
from karkhana.routing.prices import body_tokens
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class Unread:
    @property
    def request(self) -> ChatRequest:
        raise AssertionError("nobody needs to read this")


class Unreadable:
    @property
    def request(self) -> ChatRequest:
        raise BadRequest("audio is not known here")


class Wish(NamedTuple):
    body: bytes
    seen: Peek
    tokens: int
    reading: Any


def wish(fields: dict[str, Any], reading: Any = None, wire: str = "openai") -> Wish:
    body = json.dumps(CHAT | fields).encode()
    seen = peek(body)
    return Wish(body, seen, body_tokens(body), reading or Asking(WIRES[wire], "/x", body, seen, []))


def needs(found: Wish, *, limited: bool = True, measured: bool = True) -> Needs:
    return needs_of(found, frozenset({"eu"}), limited=limited, measured=measured)


def test_plain_requests_are_not_read() -> None:
    found = needs(wish({"max_tokens": 70}, Unread()))
    assert found._replace(prompt=0) == Needs(0, 70, residency=frozenset({"eu"}))
    assert 5 < found.prompt < 60
    everything = {"tools": [1], "response_format": {"type": "json_object"}}
    assert needs(wish(everything, Unread()), limited=False)[2:5] == (False, False, False)


@pytest.mark.parametrize(
    ("wire", "fields", "expected"),
    [
        ("openai", {"tools": [{"type": "function", "function": {"name": "f"}}]}, (True, False, False)),
        ("openai", {"response_format": {"type": "json_object"}}, (False, True, False)),
        ("openai", {"response_format": {"type": "text"}, "tools": []}, (False, False, False)),
        ("anthropic", {"max_tokens": 9, "tools": [{"name": "f", "input_schema": {}}]}, (True, False, False)),
        ("openai_responses", {"input": "x", "text": {"format": {"type": "json_object"}}}, (False, True, False)),
    ],
)
def test_what_is_named_is_read(wire: str, fields: dict[str, Any], expected: tuple[bool, bool, bool]) -> None:
    assert needs(wish(fields, wire=wire))[2:5] == expected


def test_an_image_is_one_wherever_it_stands_and_its_mention_is_none() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    image = {"type": "image", "source": source}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    messages = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    seen = needs(wish({"messages": messages, "max_tokens": 9}, wire="anthropic"))
    assert seen.images
    assert seen.prompt > 1000
    mentioned = needs(wish({"messages": [{"role": "user", "content": 'write "image" there'}]}), limited=False)
    assert (mentioned.images, mentioned.prompt < 100) == (False, True)


def test_what_cannot_be_read_is_believed_to_need_what_it_names() -> None:
    found = needs(wish({"tools": [], "input_audio": {}}, Unreadable()))
    assert found[2:5] == (True, False, False)


def test_headers_of_ours_are_read_and_checked() -> None:
    assert told([(b"accept", b"*/*")]) is NOTHING
    headers = [
        (b"x-karkhana-task-type", b" bugfix "),
        (b"x-karkhana-session", b"s1"),
        (b"x-karkhana-after", b"c1"),
        (b"x-karkhana-residency", b"eu, zdr,"),
    ]
    assert told(headers) == Told("bugfix", "s1", "c1", frozenset({"eu", "zdr"}))
    for name, value in ((b"x-karkhana-task-type", b"a b"), (b"x-karkhana-residency", b"eu,\xff")):
        with pytest.raises(BadRequest, match="must hold labels"):
            told([(name, value)])


@pytest.mark.parametrize(
    ("fields", "session"),
    [
        ({}, ""),
        ({"prompt_cache_key": "p", "user": "u"}, "p"),
        ({"user": "u"}, "u"),
        ({"metadata": {"user_id": "a"}}, "a"),
        ({"metadata": {"user_id": 7}}, ""),
        ({"metadata": ["user_id"]}, ""),
        ({"user": 7}, ""),
    ],
)
def test_sessions_are_named_in_each_wires_way(fields: dict[str, Any], session: str) -> None:
    body = json.dumps(CHAT | fields).encode()
    assert session_of(NOTHING, body) == session
    assert session_of(Told(session="mine"), body) == "mine"


def test_a_long_name_is_known_by_its_hash() -> None:
    first, second = (session_of(Told(session="x" * 500 + end), b"{}") for end in "ab")
    assert first != second
    assert len(first) == len(second) == 64


def test_the_words_are_the_users_latest() -> None:
    messages = [
        {"role": "user", "content": "old"},
        {"role": "user", "content": "new"},
        {"role": "assistant", "content": "answer"},
    ]
    assert words_of(wish({"messages": messages}).reading) == "new"
    assert words_of(Unreadable()) == ""
