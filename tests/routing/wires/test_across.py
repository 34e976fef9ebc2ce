"""From each wire to each other one: a client speaks one, the provider another."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from losses import heard, sayable, told

from karkhana.domain.chat import (
    Cache,
    ChatAnswer,
    ChatRequest,
    Delta,
    Format,
    Image,
    Message,
    PartEnded,
    PartStarted,
    Reasoning,
    Role,
    SignatureAdded,
    Started,
    Stopped,
    StopReason,
    Text,
    TextAdded,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
    collected,
    deltas_of,
)
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import Wire

PAIRS = list(itertools.permutations(WIRES.values(), 2))
pairs = pytest.mark.parametrize(("client", "provider"), PAIRS, ids=[f"{a.name}-{b.name}" for a, b in PAIRS])
ASKED = ChatRequest(model="m", messages=(Message(role=Role.USER, parts=(Text(text="hello"),)),), stream=True)
ANSWER = ChatAnswer(
    id="id_1",
    model="m",
    parts=(
        Text(text="I look: é"),
        ToolCall(id="call_1", name="read", arguments='{"path":"a.py","lines":[1,2]}'),
        ToolCall(id="call_2", name="now", arguments="{}"),
    ),
    stop=StopReason.TOOL_CALLS,
    usage=Usage(input=10, cache_read=5, output=20, reasoning=7),
)
DELTAS: tuple[Delta, ...] = (
    Started(model="m", id="id_1"),
    PartStarted(index=0, part=Text(text="")),
    TextAdded(index=0, text="I look"),
    TextAdded(index=0, text=": é"),
    PartEnded(index=0),
    PartStarted(index=1, part=ToolCall(id="call_1", name="read", arguments="")),
    TextAdded(index=1, text='{"path":"a'),
    TextAdded(index=1, text='.py","lines":[1'),
    TextAdded(index=1, text=",2]}"),
    PartEnded(index=1),
    PartStarted(index=2, part=ToolCall(id="call_2", name="now", arguments="")),
    TextAdded(index=2, text="{}"),
    PartEnded(index=2),
    Stopped(stop=StopReason.TOOL_CALLS, usage=ANSWER.usage),
)


def read(wire: Wire, data: bytes, size: int = 13) -> list[Delta]:
    cutter, reader = wire.framing.reader(), wire.client.reader()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = [delta for piece in pieces for event in cutter.feed(piece) for delta in reader.read(event)]
    return [*found, *reader.end()]


def identified(answer: ChatAnswer) -> ChatAnswer:
    """Who speaks with a provider that names no answers invents names for them."""
    return answer if answer.id == ANSWER.id else msgspec.structs.replace(answer, id="")


def written(wire: Wire, deltas: Iterable[Delta]) -> bytes:
    writer = wire.server.writer(ASKED)
    return b"".join(map(writer.write, deltas))


@pairs
def test_a_streamed_answer_with_calls_arrives_as_it_was(client: Wire, provider: Wire) -> None:
    sent = written(provider, DELTAS)
    arrived = read(client, written(client, read(provider, sent)))
    assert identified(collected(arrived)) == identified(heard(client.name, heard(provider.name, ANSWER)))


@pairs
def test_a_whole_answer_with_calls_arrives_as_it_was(client: Wire, provider: Wire) -> None:
    answer = provider.client.answer(provider.server.body(ANSWER, ASKED))
    arrived = client.client.answer(client.server.body(answer, ASKED))
    assert identified(arrived) == identified(heard(client.name, heard(provider.name, ANSWER)))


@pairs
def test_a_conversation_arrives_as_it_was(client: Wire, provider: Wire) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    request = ChatRequest(
        model="m",
        max_tokens=100,
        temperature=0.5,
        stop=("END",),
        stream=True,
        tools=(Tool(name="read", description="reads", parameters=schema),),
        format=Format(schema=schema, strict=True),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
            Message(
                role=Role.USER,
                parts=(
                    Text(text="look"),
                    Image(media_type="image/png", data=b"\x89PNG\x00"),
                    Image(url="https://e.test/a.png"),
                ),
            ),
            Message(role=Role.ASSISTANT, parts=ANSWER.parts),
            Message(
                role=Role.USER,
                parts=(
                    ToolResult(id="call_1", parts=(Text(text="text"),)),
                    ToolResult(id="call_2", parts=(Text(text="noon"),)),
                ),
            ),
            Message(role=Role.ASSISTANT, parts=(Text(text="Done."),)),
            Message(role=Role.USER, parts=(Text(text="Thanks."),)),
        ),
    )
    request = sayable(provider.name, sayable(client.name, request))
    asked = client.client.call(request, "")
    understood = client.server.request(asked.path, json.loads(json.dumps(asked.body)))
    passed = provider.client.call(understood, "")
    arrived = provider.server.request(passed.path, json.loads(json.dumps(passed.body)))
    assert told(provider.name, told(client.name, arrived)) == told(provider.name, told(client.name, request))


@pairs
def test_proofs_of_reasoning_go_home_and_nowhere_else(client: Wire, provider: Wire) -> None:
    proofs = {"anthropic": "anthropic:EqQB", "gemini": "gemini:UFJPT0Y=", "openai_responses": "openai_responses:rs:gAA"}
    proof = proofs.get(provider.name, "")
    thought = Reasoning(text="hm", signature=proof)
    deltas = [*deltas_of(ChatAnswer(model="m", parts=(thought,), stop=StopReason.END))]
    # A proof comes last in a stream.
    deltas[1] = PartStarted(index=0, part=Reasoning())
    deltas.insert(3, SignatureAdded(index=0, signature=proof))
    shown = collected(read(client, written(client, read(provider, written(provider, deltas))))).parts
    if client.name in ("openai", "ollama"):
        assert shown == (Reasoning(text="hm"),)
        return
    assert shown == (thought,)
    message = Message(role=Role.ASSISTANT, parts=(*shown, Text(text="Done.")))
    request = ChatRequest(model="m", messages=(*ASKED.messages, message))
    home = json.dumps(provider.client.call(request, "").body)
    elsewhere = json.dumps(client.client.call(request, "").body)
    secret = proof.rpartition(":")[2]
    if secret:
        assert secret in home
        assert secret not in elsewhere


@pytest.mark.parametrize("name", ["anthropic", "openai", "openai_responses", "gemini"])
@pytest.mark.parametrize("streamed", [True, False])
def test_the_proof_of_a_call_goes_home_to_gemini_from_any_client_that_can_keep_it(name: str, streamed: bool) -> None:
    client, gemini = WIRES[name], WIRES["gemini"]
    calls = (
        ToolCall(id="call_1", name="read", arguments="{}", signature="gemini:UFJPT0Y="),
        ToolCall(id="call_2", name="now", arguments="{}"),
    )
    answer = ChatAnswer(id="r", model="m", parts=(Text(text="I look."), *calls), stop=StopReason.TOOL_CALLS)
    shown = client.client.answer(client.server.body(answer, ASKED))
    if streamed:
        shown = collected(read(client, written(client, read(gemini, written(gemini, deltas_of(answer))))))
    results = tuple(ToolResult(id=call.id, parts=(Text(text="x"),)) for call in calls)
    messages = (
        *ASKED.messages,
        Message(role=Role.ASSISTANT, parts=answer.parts),
        Message(role=Role.USER, parts=results),
    )
    again = client.server.request(*_asked_again(client, messages, client.server.body(shown, ASKED)))
    body = gemini.client.call(msgspec.structs.replace(again, model="gemini-3-pro"), "").body
    parts = body["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [None, "UFJPT0Y=", None]
    assert [part.get("functionCall", {}).get("id") for part in parts] == [None, "call_1", "call_2"]


def _asked_again(client: Wire, messages: tuple[Message, ...], answer: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A request that has an answer in it just as it came, which is what clients' libraries send."""
    call = client.client.call(ChatRequest(model="m", messages=messages), "")
    match client.name:
        case "anthropic":
            call.body["messages"][1] = {"role": "assistant", "content": answer["content"]}
        case "openai":
            call.body["messages"][1] = answer["choices"][0]["message"]
        case "openai_responses":
            call.body["input"] = [call.body["input"][0], *answer["output"], *call.body["input"][-2:]]
        case "gemini":
            call.body["contents"][1] = answer["candidates"][0]["content"]
    return call.path, call.body


@pytest.mark.parametrize("name", ["openai", "openai_responses"])
@pytest.mark.parametrize("cache", [Cache.SHORT, Cache.LONG])
def test_cache_marks_go_from_anthropic_to_openai_and_back(name: str, cache: Cache) -> None:
    messages = (
        Message(role=Role.SYSTEM, parts=(Text(text="Be brief.", cache=cache),)),
        Message(role=Role.USER, parts=(Text(text="long"), Image(media_type="image/png", data=b"\x00", cache=cache))),
        Message(role=Role.USER, parts=(Text(text="hello", cache=cache),)),
    )
    request = ChatRequest(model="gpt-5.6", messages=messages, max_tokens=9)
    for wires in ([WIRES["anthropic"], WIRES[name], WIRES["anthropic"]], [WIRES[name], WIRES["anthropic"]]):
        found = request
        for wire in wires:
            call = wire.client.call(found, "")
            found = wire.server.request(call.path, call.body)
        assert found.messages == messages


@pairs
@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_keeps_its_meaning(client: Wire, provider: Wire, fault: Fault) -> None:
    status, body = provider.server.refusal(ProviderFault(fault, "it went wrong"))
    found = provider.client.fault(status, [], json.dumps(body).encode())
    status, body = client.server.refusal(found)
    found = client.client.fault(status, [], json.dumps(body).encode())
    assert (found.fault.retryable, found.fault.elsewhere) == (fault.retryable, fault.elsewhere)
    assert found.message == "it went wrong"
