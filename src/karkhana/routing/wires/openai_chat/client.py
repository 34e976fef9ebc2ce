"""Asks a Chat Completions server. Knows nothing of connections."""

from collections.abc import Iterator, Sequence
from typing import Any

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Image,
    Message,
    Role,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
)
from karkhana.http.messages import Headers
from karkhana.routing.faults import ProviderFault
from karkhana.routing.wires.cache_marks import breakpoint_of
from karkhana.routing.wires.effort import word_of
from karkhana.routing.wires.images import data_url
from karkhana.routing.wires.openai_chat.answers import ChatReader, answer_of
from karkhana.routing.wires.openai_errors import fault_of
from karkhana.routing.wires.openai_models import marks_cache, reasons
from karkhana.routing.wires.seals import own
from karkhana.routing.wires.wire import BadRequest, Call, Json


class ChatClient:
    """Asks a Chat Completions server."""

    def call(self, request: ChatRequest, key: str) -> Call:
        """The request; reasoning of earlier answers is left out, the wire has no place for it."""
        marks = marks_cache(request.model)
        body: Json = {"model": request.model}
        body["messages"] = [message for each in request.messages for message in _messages(each, marks)]
        effort = word_of(request.effort, request.reasoning_tokens)
        # The old name is refused by reasoning models, the new one by many compatible servers.
        new = bool(effort) or reasons(request.model)
        body["max_completion_tokens" if new else "max_tokens"] = request.max_tokens
        for name in ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty"):
            body[name] = getattr(request, name)
        body |= {"stop": list(request.stop) or None, "user": request.user or None}
        body |= {"prompt_cache_key": request.cache_key or None, "reasoning_effort": effort or None}
        body |= {**_tools(request), "response_format": _format(request)}
        if request.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        headers = [(b"content-type", b"application/json")]
        if key:
            headers.append((b"authorization", b"Bearer " + key.encode()))
        return Call("/chat/completions", headers, {name: value for name, value in body.items() if value is not None})

    def answer(self, body: Json) -> ChatAnswer:
        return answer_of(body)

    def reader(self) -> ChatReader:
        return ChatReader()

    def fault(self, status: int, headers: Headers, body: bytes) -> ProviderFault:
        return fault_of(status, headers, body)


def _messages(message: Message, marks: bool) -> Iterator[Json]:
    """Results of tools are messages of their own on this wire, before what else the user says."""
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    for result in results:
        yield {"role": "tool", "tool_call_id": result.id, "content": _result(result, marks)}
    # Images in results cannot stand in a tool's message: they follow as the user's.
    shown = [part for result in results for part in result.parts if isinstance(part, Image)]
    said = [*shown, *(part for part in message.parts if isinstance(part, Text | Image))]
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    if message.role is Role.ASSISTANT:
        found: Json = {"role": "assistant", "content": "".join(p.text for p in said if isinstance(p, Text)) or None}
        if calls:
            found["tool_calls"] = [call_json(call) for call in calls]
        # An answer of nothing but reasoning has nothing to say on this wire, which refuses empty messages.
        if calls or found["content"] is not None:
            yield found
    elif said or not message.parts:
        yield {"role": message.role.value, "content": _content(said, marks)} | (
            {"name": message.name} if message.name else {}
        )


def call_json(call: ToolCall) -> Json:
    """A call, with Google's proof if it has one."""
    found: Json = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    if proof := own(call.signature, "gemini"):
        found["extra_content"] = {"google": {"thought_signature": proof}}
    return found


def _result(result: ToolResult, marks: bool) -> Any:
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    return _content([Text(text=f"Error: {text}" if result.failed else text, cache=result.cache)], marks)


def _content(parts: Sequence[Text | Image], marks: bool) -> Any:
    if all(isinstance(part, Text) and not (part.cache and marks) for part in parts):
        return "\n".join(part.text for part in parts if isinstance(part, Text))
    return [
        (
            {"type": "text", "text": part.text}
            if isinstance(part, Text)
            else {"type": "image_url", "image_url": {"url": part.url or data_url(part)}}
        )
        | (breakpoint_of(part.cache) if marks else {})
        for part in parts
    ]


def _tools(request: ChatRequest) -> Json:
    if not request.tools:
        return {}
    tools = []
    for tool in request.tools:
        function: Json = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
        tools.append({"type": "function", "function": function | ({"strict": True} if tool.strict else {})})
    found: Json = {"tools": tools}
    if (choice := request.tool_choice) is not None:
        named = {"type": "function", "function": {"name": choice.name}}
        found["tool_choice"] = named if choice.name and choice.use is ToolUse.REQUIRED else choice.use.value
        found["parallel_tool_calls"] = choice.parallel
    return found


def _format(request: ChatRequest) -> Json | None:
    if request.format is None:
        return None
    if request.format.schema is None:
        return {"type": "json_object"}
    if not request.format.name:
        raise BadRequest("a schema needs a name on this wire", "response_format")
    schema: Json = {"name": request.format.name, "schema": dict(request.format.schema)}
    if request.format.strict is not None:
        schema["strict"] = request.format.strict
    if request.format.description:
        schema["description"] = request.format.description
    return {"type": "json_schema", "json_schema": schema}
