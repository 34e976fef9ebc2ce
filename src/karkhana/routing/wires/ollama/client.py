"""Asks Ollama. Knows nothing of connections."""

from collections.abc import Iterator, Mapping, Sequence

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Image,
    Message,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
)
from karkhana.http.messages import Headers
from karkhana.routing.faults import ProviderFault
from karkhana.routing.wires.effort import effort_of
from karkhana.routing.wires.images import base64_of
from karkhana.routing.wires.ollama.answers import OllamaReader, answer_of
from karkhana.routing.wires.ollama.errors import fault_of
from karkhana.routing.wires.tool_calls import arguments_object, names_of_calls
from karkhana.routing.wires.wire import BadRequest, Call, Json

OPTIONS = {
    "num_predict": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
"""Names here → names in the common form."""
_THINK: dict[str, bool | str] = {"none": False, "auto": True, "minimal": "low", "xhigh": "high", "max": "high"}


class OllamaClient:
    """Asks an Ollama server."""

    def call(self, request: ChatRequest, key: str) -> Call:
        """The request. Raises ``BadRequest`` for images by address, and for tools that must be called."""
        body: Json = {"model": request.model, "stream": request.stream}
        names = names_of_calls(request.messages)
        body["messages"] = [found for message in request.messages for found in _messages(message, names)]
        options = {name: getattr(request, ours) for name, ours in OPTIONS.items()} | {"stop": list(request.stop)}
        body["options"] = {name: value for name, value in options.items() if value not in (None, [])}
        if request.format is not None:
            body["format"] = "json" if request.format.schema is None else dict(request.format.schema)
        if request.effort or request.reasoning_tokens is not None:
            word = request.effort or effort_of(request.reasoning_tokens)
            body["think"] = _THINK.get(word, word)
        body |= _tools(request)
        headers = [(b"content-type", b"application/json")]
        if key:
            headers.append((b"authorization", b"Bearer " + key.encode()))
        return Call("/api/chat", headers, body)

    def answer(self, body: Json) -> ChatAnswer:
        return answer_of(body)

    def reader(self) -> OllamaReader:
        return OllamaReader()

    def fault(self, status: int, headers: Headers, body: bytes) -> ProviderFault:
        return fault_of(status, headers, body)


def _tools(request: ChatRequest) -> Json:
    """Tools that must not be called are not shown, for the wire has no choice among them."""
    use = request.tool_choice.use if request.tool_choice else ToolUse.AUTO
    if not request.tools or use is ToolUse.NONE:
        return {}
    if use is ToolUse.REQUIRED:
        raise BadRequest("this wire cannot demand that a tool is called", "tool_choice")
    tools = []
    for tool in request.tools:
        function: Json = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
        tools.append({"type": "function", "function": function})
    return {"tools": tools}


def _messages(message: Message, names: Mapping[str, str]) -> Iterator[Json]:
    """Results are messages of their own on this wire, before what else the user says."""
    for part in message.parts:
        if isinstance(part, ToolResult):
            text = "\n".join(each.text for each in part.parts if isinstance(each, Text))
            found: Json = {"role": "tool", "content": f"Error: {text}" if part.failed else text}
            found |= {"tool_name": part.name or names.get(part.id, ""), "tool_call_id": part.id}
            yield found | _images(part.parts)
    said = [part for part in message.parts if isinstance(part, Text | Image)]
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    thought = "".join(part.text for part in message.parts if isinstance(part, Reasoning) and not part.signature)
    if said or calls or thought:
        sign = "" if message.role is Role.ASSISTANT else "\n"
        found = {"role": message.role.value, "content": sign.join(p.text for p in said if isinstance(p, Text))}
        found |= _images(said) | ({"thinking": thought} if thought else {})
        if calls:
            found["tool_calls"] = [call_json(call) for call in calls]
        yield found


def call_json(call: ToolCall) -> Json:
    """A call, with its arguments as an object."""
    return {"id": call.id, "function": {"name": call.name, "arguments": arguments_object(call.arguments)}}


def _images(parts: Sequence[Text | Image]) -> Json:
    images = [part for part in parts if isinstance(part, Image)]
    if any(image.url for image in images):
        raise BadRequest("this wire takes images themselves, not their addresses", "messages")
    return {"images": [base64_of(image) for image in images]} if images else {}
