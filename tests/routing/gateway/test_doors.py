"""What a request tells before it is translated."""

import json
from typing import Any

import pytest

from karkhana.routing.gateway.doors import Peek, key_of, passed, peek, peek_at, wire_at
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest


@pytest.mark.parametrize(
    ("path", "wire"),
    [
        ("/v1/chat/completions", "openai"),
        ("/v1/responses/", "openai_responses"),
        ("/v1/messages", "anthropic"),
        ("/api/chat", "ollama"),
        ("/v1beta/models/fast:generateContent", "gemini"),
        ("/v1/models/cloud/large:streamGenerateContent", "gemini"),
    ],
)
def test_a_path_is_a_wire(path: str, wire: str) -> None:
    found = wire_at(path)
    assert found is not None
    assert found.name == wire


@pytest.mark.parametrize("path", ["/", "/v1", "/v1beta/models/fast:countTokens", "/v1beta/models/:generateContent/x"])
def test_elsewhere_nothing_is_spoken(path: str) -> None:
    assert wire_at(path) is None


def at(wire: str, path: str, body: Any, query: bytes = b"") -> Peek:
    return peek_at(WIRES[wire], {"path": path, "query_string": query}, json.dumps(body).encode())


@pytest.mark.parametrize(
    "config",
    [
        {"generationConfig": {"maxOutputTokens": 7, "temperature": 0, "candidateCount": 2}},
        {"generation_config": {"max_output_tokens": 7, "temperature": 0, "candidate_count": 2}},
    ],
)
def test_geminis_model_and_verb_stand_in_the_path(config: dict[str, Any]) -> None:
    seen = at("gemini", "/v1beta/models/cloud/large:streamGenerateContent", {"contents": [], **config}, b"x=1&alt=sse")
    assert (seen.model, seen.stream, seen.answer_tokens, seen.temperature, seen.n) == ("cloud/large", True, 7, 0, 2)
    assert not at("gemini", "/v1beta/models/fast:generateContent", {"contents": []}).stream


def test_a_stream_of_gemini_that_is_no_stream_of_events_is_refused() -> None:
    with pytest.raises(BadRequest, match="alt=sse"):
        at("gemini", "/v1beta/models/fast:streamGenerateContent", {"contents": []})


@pytest.mark.parametrize(("said", "streams"), [({}, True), ({"stream": False}, False), ({"stream": True}, True)])
def test_ollama_streams_unless_told_otherwise(said: dict[str, bool], streams: bool) -> None:
    assert at("ollama", "/api/chat", {"model": "m", "messages": [], **said}).stream is streams


@pytest.mark.parametrize(("limit", "tokens"), [(9, 9), (-1, None), (0, None)])
def test_ollamas_limit_of_tokens_is_an_option(limit: int, tokens: int | None) -> None:
    seen = at("ollama", "/api/chat", {"model": "m", "options": {"num_predict": limit, "temperature": 0.5}})
    assert (seen.answer_tokens, seen.temperature) == (tokens, 0.5)


@pytest.mark.parametrize(
    ("wire", "path", "body"),
    [
        ("openai", "/v1/chat/completions", {"messages": []}),
        ("openai", "/v1/chat/completions", {"model": "x" * 201}),
        ("ollama", "/api/chat", {"messages": []}),
        ("ollama", "/api/chat", {"model": ""}),
        ("gemini", "/v1beta/models/fast:generateContent", []),
        ("gemini", f"/v1beta/models/{'x' * 201}:generateContent", {}),
    ],
)
def test_what_names_no_model_is_no_request(wire: str, path: str, body: Any) -> None:
    with pytest.raises(BadRequest):
        at(wire, path, body)


def test_a_body_that_is_cut_is_no_request() -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        peek(b'{"model": "m"')


@pytest.mark.parametrize("header", [b"x-api-key", b"api-key", b"x-goog-api-key"])
def test_every_librarys_way_to_send_a_key_is_known(header: bytes) -> None:
    assert key_of([(header, b" kk_1 ")]) == "kk_1"
    assert key_of([(b"authorization", b"Bearer kk_2"), (header, b"kk_1")]) == "kk_2"
    assert passed([(header, b"kk_1"), (b"openai-beta", b"x")]) == [(b"openai-beta", b"x")]


@pytest.mark.parametrize(
    ("wire", "fields", "tokens"),
    [
        ("openai", {"max_tokens": 5}, 5),
        ("openai", {"max_completion_tokens": 5}, 5),
        ("openai", {"max_completion_tokens": 1, "max_tokens": 9000}, 9000),
        ("openai", {"max_output_tokens": 1}, None),
        ("openai", {"max_tokens": -5}, None),
        ("openai", {"max_tokens": 0}, None),
        ("openai_responses", {"max_output_tokens": 5, "max_tokens": 1}, 5),
        ("openai_responses", {"max_tokens": 1}, None),
        ("anthropic", {"max_tokens": 5, "max_completion_tokens": 1}, 5),
        ("anthropic", {"max_output_tokens": 1}, None),
        ("anthropic", {"max_tokens": -(10**30)}, None),
    ],
)
def test_only_the_words_of_a_wire_limit_what_is_reserved(wire: str, fields: dict[str, int], tokens: int | None) -> None:
    assert peek(json.dumps({"model": "m", **fields}).encode(), wire).answer_tokens == tokens


@pytest.mark.parametrize("name", ["", "m\r\nx-evil: 1", "m\0", "m\x7f", "\u2028", "x" * 201])
def test_a_models_name_that_would_break_out_of_a_line_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="printable"):
        peek(json.dumps({"model": name}).encode())


@pytest.mark.parametrize(
    "body",
    [
        {"generationConfig": {"maxOutputTokens": 1}, "generation_config": {"maxOutputTokens": 9000}},
        {"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9000}},
    ],
)
def test_two_spellings_of_a_limit_are_refused(body: dict[str, Any]) -> None:
    scope = {"path": "/v1beta/models/m:generateContent"}
    with pytest.raises(BadRequest, match="two spellings"):
        peek_at(WIRES["gemini"], scope, json.dumps(body).encode())
