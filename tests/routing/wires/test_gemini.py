"""Google's Gemini against what its reference shows."""

import base64
import json
from typing import Any

import pytest
from streams import chunks, deltas_in

from karkhana.domain.chat import (
    Cache,
    ChatAnswer,
    ChatRequest,
    Format,
    Image,
    Message,
    Reasoning,
    Role,
    Stopped,
    StopReason,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
    Usage,
    collected,
    deltas_of,
)
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.wires.gemini import WIRE
from karkhana.routing.wires.wire import BadRequest

ASKED = Message(role=Role.USER, parts=(Text(text="hello"),))
PATH = "/v1beta/models/m:generateContent"
TOLD = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
PROOF = base64.b64encode(b"proof").decode()


def body_for(model: str = "gemini-2.5-flash", **fields: Any) -> dict[str, Any]:
    return WIRE.client.call(ChatRequest(**{"model": model, "messages": (ASKED,), **fields}), "secret").body


def test_a_whole_request() -> None:
    request = ChatRequest(
        model="gemini-3-pro",
        max_tokens=500,
        stop=("END",),
        temperature=0.5,
        top_k=3,
        seed=7,
        effort="high",
        show_reasoning=True,
        format=Format(schema={"type": "object"}),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief.", cache=Cache.LONG),)),
            Message(
                role=Role.USER,
                parts=(
                    Text(text="look"),
                    Image(media_type="image/jpeg", data=b"\x00\x01"),
                    Image(url="https://example.test/a.png?x=1"),
                ),
            ),
            Message(
                role=Role.ASSISTANT,
                parts=(
                    Reasoning(text="hm", signature=f"gemini:{PROOF}"),
                    Reasoning(text="hm", signature="anthropic:EqQB"),
                    ToolCall(id="c1", name="read", arguments='{"path": "a.py"}', signature=f"gemini:{PROOF}"),
                    ToolCall(id="c2", name="now", arguments=""),
                ),
            ),
            Message(
                role=Role.USER,
                parts=(
                    ToolResult(id="c1", parts=(Text(text="text"), Image(media_type="image/png", data=b"\x02"))),
                    ToolResult(id="c2", parts=(Text(text="no clock"),), failed=True),
                ),
            ),
        ),
        tools=(Tool(name="read", description="reads", parameters={"type": "object"}), Tool(name="now")),
        tool_choice=ToolChoice(use=ToolUse.REQUIRED, name="read"),
    )
    path, headers, body = WIRE.client.call(request, "secret")
    assert path == "/v1beta/models/gemini-3-pro:generateContent"
    assert dict(headers)[b"x-goog-api-key"] == b"secret"
    assert "secret" not in path
    assert body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "look"},
                    {"inlineData": {"mimeType": "image/jpeg", "data": "AAE="}},
                    {"fileData": {"fileUri": "https://example.test/a.png?x=1", "mimeType": "image/png"}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True, "thoughtSignature": PROOF},
                    {
                        "functionCall": {"id": "c1", "name": "read", "args": {"path": "a.py"}},
                        "thoughtSignature": PROOF,
                    },
                    {"functionCall": {"id": "c2", "name": "now", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "c1",
                            "name": "read",
                            "response": {"output": "text"},
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": "Ag=="}}],
                        }
                    },
                    {"functionResponse": {"id": "c2", "name": "now", "response": {"error": "no clock"}}},
                ],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "read", "description": "reads", "parametersJsonSchema": {"type": "object"}},
                    {"name": "now", "description": ""},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["read"]}},
        "generationConfig": {
            "temperature": 0.5,
            "topK": 3,
            "maxOutputTokens": 500,
            "stopSequences": ["END"],
            "seed": 7,
            "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "HIGH"},
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
        },
    }


def test_the_model_stands_in_the_path_and_cannot_leave_it() -> None:
    request = ChatRequest(model="../../v1/files?x=", messages=(ASKED,), stream=True)
    path = WIRE.client.call(request, "").path
    assert path == "/v1beta/models/..%2F..%2Fv1%2Ffiles%3Fx%3D:streamGenerateContent?alt=sse"
    found = WIRE.server.request(path, TOLD)
    assert (found.model, found.stream) == (request.model, True)


@pytest.mark.parametrize("path", ["/v1/models/m", "/v1beta/models/m:countTokens", "/v1/models/:generateContent"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(BadRequest, match="path"):
        WIRE.server.request(path, TOLD)


def test_a_request_with_underscores_and_a_schema_of_the_older_kind() -> None:
    found = WIRE.server.request(
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&key=k",
        {
            "system_instruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"parts": [{"inline_data": {"mime_type": "image/png", "data": "_-8="}}]},
                {
                    "role": "model",
                    "parts": [
                        {"text": "hm", "thought": True, "thoughtSignature": PROOF},
                        {"function_call": {"name": "read", "args": {"snake_case": 1}}},
                        {"functionCall": {"name": "read", "args": {"n": 2}}},
                    ],
                },
                {
                    "role": "function",
                    "parts": [
                        {"function_response": {"name": "read", "response": {"result": "one"}}},
                        {"functionResponse": {"name": "read", "response": {"rows": [1], "ok": True}}},
                    ],
                },
            ],
            "tools": [
                {
                    "function_declarations": [
                        {
                            "name": "read",
                            "parameters": {
                                "type": "OBJECT",
                                "properties": {"type": {"type": "STRING", "nullable": True}},
                            },
                        }
                    ]
                },
                {"googleSearch": {}},
            ],
            "generation_config": {
                "response_mime_type": "application/json",
                "response_schema": {"type": "ARRAY", "items": {"type": "INTEGER"}},
                "thinking_config": {"thinking_budget": -1, "include_thoughts": True},
                "stop_sequences": ["END"],
                "mediaResolution": "MEDIA_RESOLUTION_LOW",
            },
            "safetySettings": [],
        },
    )
    assert found == ChatRequest(
        model="gemini-2.5-flash",
        stream=True,
        effort="auto",
        show_reasoning=True,
        stop=("END",),
        format=Format(schema={"type": "array", "items": {"type": "integer"}}, strict=True),
        tools=(Tool(name="read", parameters={"type": "object", "properties": {"type": {"type": ["string", "null"]}}}),),
        unknown=("safetySettings", "generationConfig.mediaResolution", "tools[1].googleSearch"),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
            Message(role=Role.USER, parts=(Image(media_type="image/png", data=b"\xff\xef"),)),
            Message(
                role=Role.ASSISTANT,
                parts=(
                    Reasoning(text="hm", signature=f"gemini:{PROOF}"),
                    ToolCall(id="call_1", name="read", arguments='{"snake_case":1}'),
                    ToolCall(id="call_2", name="read", arguments='{"n":2}'),
                ),
            ),
            Message(
                role=Role.USER,
                parts=(
                    ToolResult(id="call_1", name="read", parts=(Text(text="one"),)),
                    ToolResult(id="call_2", name="read", parts=(Text(text='{"rows": [1], "ok": true}'),)),
                ),
            ),
        ),
    )


def test_media_that_are_no_images_are_refused() -> None:
    parts = [{"inlineData": {"mimeType": "application/pdf", "data": "AAE="}}]
    with pytest.raises(BadRequest, match="application/pdf"):
        WIRE.server.request(PATH, {"contents": [{"parts": parts}]})


ANSWER = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "I look.", "thoughtSignature": PROOF},
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                    {"functionCall": {"id": "c1", "name": "read", "args": {"a": 1}}, "thoughtSignature": PROOF},
                ],
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 12,
        "totalTokenCount": 137,
    },
    "modelVersion": "gemini-3-pro",
    "responseId": "r1",
}


def test_a_whole_answer() -> None:
    assert WIRE.client.answer(ANSWER) == ChatAnswer(
        id="r1",
        model="gemini-3-pro",
        parts=(
            Reasoning(text="hm"),
            Text(text="I look.", signature=f"gemini:{PROOF}"),
            ToolCall(id="c1", name="read", arguments='{"a":1}', signature=f"gemini:{PROOF}"),
        ),
        stop=StopReason.TOOL_CALLS,
        usage=Usage(input=65, cache_read=40, output=32, reasoning=12),
    )


def test_calls_without_identifiers_get_different_ones() -> None:
    call = {"functionCall": {"name": "now"}}
    body = {"candidates": [{"content": {"parts": [call, call]}, "finishReason": "STOP"}]}
    calls = [*WIRE.client.answer(body).calls, *WIRE.client.answer(body).calls]
    assert len({call.id for call in calls}) == 4
    assert {call.arguments for call in calls} == {"{}"}


def piece(*parts: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    found = {"candidates": [candidate | ({"finishReason": reason} if reason else {})]}
    return found | {"modelVersion": "gemini-3-pro", "responseId": "r1"}


STREAM = [
    piece({"text": "Let me ", "thought": True}) | {"usageMetadata": {"promptTokenCount": 9}},
    piece({"text": "see é", "thought": True}),
    piece({"text": "Look"}),
    piece({"text": "ing"}),
    piece({"text": "", "thoughtSignature": PROOF}),
    piece({"functionCall": {"id": "c1", "name": "read", "args": {"path": "a.py"}}, "thoughtSignature": PROOF}),
    piece({"functionCall": {"id": "c2", "name": "now", "args": {}}}),
    piece(reason="STOP")
    | {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3, "thoughtsTokenCount": 2}},
]


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_stream(size: int) -> None:
    assert collected(deltas_in(WIRE, chunks(STREAM), size)) == ChatAnswer(
        id="r1",
        model="gemini-3-pro",
        parts=(
            Reasoning(text="Let me see é"),
            Text(text="Looking", signature=f"gemini:{PROOF}"),
            ToolCall(id="c1", name="read", arguments='{"path":"a.py"}', signature=f"gemini:{PROOF}"),
            ToolCall(id="c2", name="now", arguments="{}"),
        ),
        stop=StopReason.TOOL_CALLS,
        usage=Usage(input=9, output=5, reasoning=2),
    )


def test_a_stream_that_breaks_off_has_no_last_event() -> None:
    assert not any(isinstance(delta, Stopped) for delta in deltas_in(WIRE, chunks(STREAM[:-1]), 64))


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", StopReason.END),
        ("MAX_TOKENS", StopReason.LENGTH),
        ("SAFETY", StopReason.REFUSED),
        ("RECITATION", StopReason.REFUSED),
        ("PROHIBITED_CONTENT", StopReason.REFUSED),
        ("OTHER", StopReason.END),
    ],
)
def test_reasons_to_stop(reason: str, stop: StopReason) -> None:
    assert WIRE.client.answer(piece({"text": "x"}, reason=reason)).stop is stop
    assert collected(deltas_in(WIRE, chunks([piece({"text": "x"}, reason=reason)]), 9)).stop is stop


@pytest.mark.parametrize(
    ("reason", "fault"),
    [("MALFORMED_FUNCTION_CALL", Fault.BROKEN), ("MISSING_THOUGHT_SIGNATURE", Fault.INVALID)],
)
def test_reasons_with_which_an_answer_is_of_no_use(reason: str, fault: Fault) -> None:
    for read in (WIRE.client.answer, lambda body: deltas_in(WIRE, chunks([body]), 9)):
        with pytest.raises(ProviderFault, match=reason) as caught:
            read(piece(reason=reason))
        assert caught.value.fault is fault


def test_a_prompt_that_is_blocked_is_refused_and_still_counted() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    expected = (StopReason.REFUSED, (), Usage(input=4))
    for answer in (WIRE.client.answer(blocked), collected(deltas_in(WIRE, chunks([blocked]), 9))):
        assert (answer.stop, answer.parts, answer.usage) == expected


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": message, "details": list(details)}}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "22.5s"}
DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
MINUTE = {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]}
KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
TOO_LONG = "The input token count (9) exceeds the maximum number of tokens allowed (8)."


@pytest.mark.parametrize(
    ("body", "fault", "wait"),
    [
        (error(400, "INVALID_ARGUMENT", "bad field"), Fault.INVALID, None),
        (error(400, "INVALID_ARGUMENT", TOO_LONG), Fault.TOO_LONG, None),
        (error(400, "INVALID_ARGUMENT", "API key not valid.", KEY), Fault.UNAUTHORISED, None),
        (error(400, "FAILED_PRECONDITION", "not in your country"), Fault.UNAUTHORISED, None),
        (error(403, "PERMISSION_DENIED", "no"), Fault.UNAUTHORISED, None),
        (error(404, "NOT_FOUND", "no such model"), Fault.UNKNOWN_MODEL, None),
        (error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", MINUTE, RETRY), Fault.RATE_LIMITED, 22.5),
        (error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", DAY, RETRY), Fault.QUOTA, 22.5),
        (error(500, "INTERNAL", "oh"), Fault.SERVER_ERROR, None),
        (error(503, "UNAVAILABLE", "The model is overloaded."), Fault.OVERLOADED, None),
        (error(504, "DEADLINE_EXCEEDED", "slow"), Fault.TIMEOUT, None),
    ],
)
def test_errors(body: dict[str, Any], fault: Fault, wait: float | None) -> None:
    for data in (json.dumps(body), json.dumps([body])):
        found = WIRE.client.fault(body["error"]["code"], [], data.encode())
        assert (found.fault, found.retry_after_s, found.message) == (fault, wait, body["error"]["message"])
    with pytest.raises(ProviderFault) as caught:
        deltas_in(WIRE, chunks([STREAM[0], body]), 10)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("gemini-2.5-flash", {"effort": "high"}, {"thinkingBudget": 24_576}),
        ("gemini-2.5-flash", {"effort": "max"}, {"thinkingBudget": 24_576}),
        ("gemini-2.5-flash", {"effort": "none"}, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {"effort": "none"}, {"thinkingBudget": 128}),
        ("gemini-2.5-flash", {"effort": "auto"}, {"thinkingBudget": -1}),
        ("gemini-2.5-flash", {"reasoning_tokens": 77}, {"thinkingBudget": 77}),
        ("gemini-3-flash", {"effort": "none"}, {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro", {"effort": "none"}, {"thinkingLevel": "LOW"}),
        ("gemini-3-pro", {"reasoning_tokens": 20_000}, {"thinkingLevel": "HIGH"}),
        ("gemini-3-pro", {"effort": "auto"}, None),
        ("gemini-3-pro", {}, None),
    ],
)
def test_thinking_is_asked_for_as_the_generation_wants_it(model: str, fields: dict[str, Any], expected: Any) -> None:
    assert body_for(model, **fields).get("generationConfig", {}).get("thinkingConfig") == expected


def test_calls_of_another_model_get_a_stand_in_for_their_proof() -> None:
    calls = tuple(ToolCall(id=name, name=name, arguments="{}", signature="anthropic:EqQB") for name in ("a", "b"))
    messages = (ASKED, Message(role=Role.ASSISTANT, parts=calls))
    newer = body_for("gemini-3-flash", messages=messages)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in newer] == ["skip_thought_signature_validator", None]
    assert "thoughtSignature" not in body_for("gemini-2.5-flash", messages=messages)["contents"][1]["parts"][0]
    # A client gives it back as it was sent; it is nobody's proof.
    found = WIRE.server.request(PATH, TOLD | {"contents": [{"role": "model", "parts": newer}]})
    assert [part.signature for part in found.messages[0].parts if isinstance(part, ToolCall)] == ["", ""]


def test_a_foreign_proof_is_bytes_to_a_client_and_comes_back() -> None:
    call = ToolCall(id="a", name="b", arguments="{}", signature="anthropic:EqQB?")
    answer = ChatAnswer(model="m", parts=(Reasoning(text="hm", signature="anthropic:EqQB?"), call), stop=StopReason.END)
    request = ChatRequest(model="m", messages=(ASKED,))
    parts = WIRE.server.body(answer, request)["candidates"][0]["content"]["parts"]
    proofs = [base64.b64decode(part["thoughtSignature"]) for part in parts]
    for part, proof in zip(parts, proofs, strict=True):
        # Google's library writes bytes in the other alphabet.
        part["thoughtSignature"] = base64.urlsafe_b64encode(proof).decode()
    found = WIRE.server.request(PATH, {"contents": [{"role": "model", "parts": parts}]})
    assert found.messages[0].parts == answer.parts
    writer = WIRE.server.writer(request)
    events = b"".join(map(writer.write, deltas_of(answer)))
    assert events.count(b'"thoughtSignature"') == 2
