"""Asks Anthropic's Messages. Knows nothing of connections."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from karkhana.http.messages import Headers
from karkhana.routing.faults import ProviderFault
from karkhana.routing.wires.anthropic.answers import MessagesReader, answer_of
from karkhana.routing.wires.anthropic.errors import fault_of
from karkhana.routing.wires.anthropic.models import DEFAULT_MAX_TOKENS, NO_SAMPLING, ONE_SAMPLING, generation
from karkhana.routing.wires.anthropic.schemas import fitted
from karkhana.routing.wires.anthropic.thinking import thinking_of
from karkhana.routing.wires.cache_marks import cache_control
from karkhana.routing.wires.images import base64_of
from karkhana.routing.wires.seals import own
from karkhana.routing.wires.tool_calls import arguments_object, results_first
from karkhana.routing.wires.wire import BadRequest, Call, Json

VERSION = b"2023-06-01"
JSON_WANTED = "Answer with one JSON object and nothing else."
"""Said to the model, for this wire knows JSON only with a schema."""
_NOT_IN_IDENTIFIERS = re.compile(r"[^a-zA-Z0-9_-]")
_CHOICES = {ToolUse.AUTO: "auto", ToolUse.NONE: "none", ToolUse.REQUIRED: "any"}


class MessagesClient:
    """Asks a Messages server."""

    def call(self, request: ChatRequest, key: str) -> Call:
        """The request. A seed and penalties are left out, the wire has no place for them."""
        body: Json = {"model": request.model, "max_tokens": request.max_tokens or DEFAULT_MAX_TOKENS}
        body["messages"] = list(_messages(request.messages))
        body["system"] = _system(request)
        thinking = thinking_of(request)
        if "budget_tokens" in thinking.get("thinking", {}) and request.max_tokens is None:
            body["max_tokens"] += thinking["thinking"]["budget_tokens"]
        config: Json = {"effort": thinking["effort"]} if "effort" in thinking else {}
        if request.format is not None and request.format.schema is not None:
            config["format"] = {"type": "json_schema", "schema": _schema(request.format.schema)}
        body |= {"thinking": thinking.get("thinking"), "output_config": config or None}
        body |= {} if body["thinking"] else _sampling(request)
        body |= {"stop_sequences": list(request.stop) or None, "stream": request.stream or None}
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
            body["tool_choice"] = _choice(request.tool_choice) if request.tool_choice else None
        body["metadata"] = {"user_id": request.user} if request.user else None
        headers = [(b"content-type", b"application/json"), (b"anthropic-version", VERSION)]
        if key:
            headers.append((b"x-api-key", key.encode()))
        return Call("/v1/messages", headers, {name: value for name, value in body.items() if value is not None})

    def answer(self, body: Json) -> ChatAnswer:
        return answer_of(body)

    def reader(self) -> MessagesReader:
        return MessagesReader()

    def fault(self, status: int, headers: Headers, body: bytes) -> ProviderFault:
        return fault_of(status, headers, body)


def identifier(text: str) -> str:
    """An identifier of a call; this wire refuses characters that others have in theirs."""
    return _NOT_IN_IDENTIFIERS.sub("_", text)


def _system(request: ChatRequest) -> list[Json] | None:
    """All instructions, wherever they stand in the conversation: older models take them only here."""
    texts = [p for message in request.messages if message.role is Role.SYSTEM for p in message.parts]
    blocks = list(_blocks(texts))
    if request.format is not None and request.format.schema is None:
        blocks.append({"type": "text", "text": JSON_WANTED})
    return blocks or None


def _schema(schema: Mapping[str, Any]) -> Json:
    try:
        return fitted(schema)
    except RecursionError as error:
        raise BadRequest("the schema is nested too deeply", "output_config.format.schema") from error


def _sampling(request: ChatRequest) -> Json:
    """Temperatures above 1 are unknown here, and newer models take less and less."""
    version = generation(request.model)
    if version >= NO_SAMPLING:
        return {}
    temperature = None if request.temperature is None else min(request.temperature, 1.0)
    top_p = None if temperature is not None and version >= ONE_SAMPLING else request.top_p
    return {"temperature": temperature, "top_p": top_p, "top_k": request.top_k}


def _messages(messages: Sequence[Message]) -> Iterator[Json]:
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        blocks = list(_blocks(results_first(message.parts)))
        # Empty messages are refused, and say nothing.
        if blocks:
            yield {"role": message.role.value, "content": blocks}


def _blocks(parts: Sequence[Part]) -> Iterator[Json]:
    for part in parts:
        match part:
            case Text():
                if part.text:
                    yield {"type": "text", "text": part.text} | cache_control(part.cache)
            case Image():
                yield _image(part) | cache_control(part.cache)
            case Reasoning():
                if hidden := own(part.hidden, "anthropic"):
                    yield {"type": "redacted_thinking", "data": hidden}
                elif signature := own(part.signature, "anthropic"):
                    yield {"type": "thinking", "thinking": part.text, "signature": signature}
            case ToolCall():
                use = {"type": "tool_use", "id": identifier(part.id), "name": part.name}
                yield use | {"input": arguments_object(part.arguments)} | cache_control(part.cache)
            case ToolResult():
                yield _result(part) | cache_control(part.cache)


def _image(image: Image) -> Json:
    if image.url:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    source = {"type": "base64", "media_type": image.media_type or "image/png", "data": base64_of(image)}
    return {"type": "image", "source": source}


def _result(result: ToolResult) -> Json:
    found: Json = {"type": "tool_result", "tool_use_id": identifier(result.id), "content": list(_blocks(result.parts))}
    return found | ({"is_error": True} if result.failed else {})


def _tool(tool: Tool) -> Json:
    schema = dict(tool.parameters) or {"type": "object", "properties": {}}
    found: Json = {"name": tool.name, "description": tool.description, "input_schema": schema}
    return found | ({"strict": True} if tool.strict else {}) | cache_control(tool.cache)


def _choice(choice: ToolChoice) -> Json:
    named = choice.name and choice.use is ToolUse.REQUIRED
    found: Json = {"type": "tool", "name": choice.name} if named else {"type": _CHOICES[choice.use]}
    if choice.parallel is not None and choice.use is not ToolUse.NONE:
        found["disable_parallel_tool_use"] = not choice.parallel
    return found
