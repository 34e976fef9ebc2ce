"""Asks OpenAI's Responses. Knows nothing of connections."""

from collections.abc import Iterator, Sequence

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Image,
    Message,
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
from karkhana.routing.wires.cache_marks import breakpoint_of
from karkhana.routing.wires.effort import word_of
from karkhana.routing.wires.images import data_url
from karkhana.routing.wires.openai_errors import fault_of
from karkhana.routing.wires.openai_models import marks_cache, reasons
from karkhana.routing.wires.openai_responses.answers import ResponsesReader, answer_of
from karkhana.routing.wires.seals import own
from karkhana.routing.wires.wire import BadRequest, Call, Json


class ResponsesClient:
    """Asks a Responses server."""

    def call(self, request: ChatRequest, key: str) -> Call:
        """The request. A seed, penalties and ``top_k`` are left out. Raises ``BadRequest`` for sequences to stop at."""
        if request.stop:
            raise BadRequest("this wire cannot stop at a sequence", "stop")
        first, rest = _instructions(request.messages, marks_cache(request.model))
        body: Json = {"model": request.model, "instructions": first, "stream": request.stream or None}
        body["input"] = [i for each in rest for i in _items(each, marks_cache(request.model))]
        body |= {"max_output_tokens": request.max_tokens, "temperature": request.temperature, "top_p": request.top_p}
        body |= {"user": request.user or None, "prompt_cache_key": request.cache_key or None, "store": False}
        effort = word_of(request.effort, request.reasoning_tokens)
        summary = "auto" if request.show_reasoning else None
        if effort or summary:
            body["reasoning"] = {n: v for n, v in (("effort", effort), ("summary", summary)) if v}
        if effort or reasons(request.model):
            # Models that do not reason refuse this.
            body["include"] = ["reasoning.encrypted_content"]
        body["text"] = {"format": _format(request)} if request.format is not None else None
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
            body |= _choice(request.tool_choice) if request.tool_choice else {}
        headers = [(b"content-type", b"application/json")]
        if key:
            headers.append((b"authorization", b"Bearer " + key.encode()))
        return Call("/responses", headers, {name: value for name, value in body.items() if value is not None})

    def answer(self, body: Json) -> ChatAnswer:
        return answer_of(body)

    def reader(self) -> ResponsesReader:
        return ResponsesReader()

    def fault(self, status: int, headers: Headers, body: bytes) -> ProviderFault:
        return fault_of(status, headers, body)


def _instructions(messages: Sequence[Message], marks: bool) -> tuple[str | None, Sequence[Message]]:
    """The first instruction has a field of its own, in which nothing can be marked."""
    first = messages[0] if messages else None
    if first is None or first.role is not Role.SYSTEM:
        return None, messages
    texts = [part for part in first.parts if isinstance(part, Text)]
    if not texts or (marks and any(text.cache for text in texts)):
        return None, messages
    return "\n".join(text.text for text in texts), messages[1:]


def _items(message: Message, marks: bool) -> Iterator[Json]:
    """Items in the order of the parts; texts and images that stand together are one message."""
    said: list[Text | Image] = []
    for part in message.parts:
        if isinstance(part, Text | Image):
            said.append(part)
            continue
        if said:
            yield _message(message.role, said, marks)
            said = []
        match part:
            case Reasoning():
                if proof := own(part.signature, "openai_responses"):
                    yield _reasoning(part.text, proof)
            case ToolCall():
                call = {"type": "function_call", "call_id": part.id, "name": part.name}
                yield call | {"arguments": part.arguments}
            case ToolResult():
                output = {"type": "function_call_output", "call_id": part.id}
                yield output | {"output": _output(part, marks)}
    if said:
        yield _message(message.role, said, marks)


def _message(role: Role, parts: Sequence[Text | Image], marks: bool) -> Json:
    found: Json = {"type": "message", "role": role.value}
    if role is Role.ASSISTANT:
        texts = [part.text for part in parts if isinstance(part, Text)]
        return found | {"content": [{"type": "output_text", "text": text} for text in texts]}
    return found | {"content": [_content(part, marks) for part in parts]}


def _content(part: Text | Image, marks: bool) -> Json:
    found: Json = {"type": "input_text", "text": part.text} if isinstance(part, Text) else _image(part)
    return found | (breakpoint_of(part.cache) if marks else {})


def _image(image: Image) -> Json:
    return {"type": "input_image", "image_url": image.url or data_url(image), "detail": "auto"}


def _reasoning(text: str, proof: str) -> Json:
    identifier, _, encrypted = proof.partition(":")
    summary = [{"type": "summary_text", "text": text}] if text else []
    found: Json = {"type": "reasoning", "id": identifier, "summary": summary}
    return found | ({"encrypted_content": encrypted} if encrypted else {})


def _output(result: ToolResult, marks: bool) -> str | list[Json]:
    texts = [part for part in result.parts if isinstance(part, Text)]
    if len(texts) == len(result.parts):
        text = "\n".join(part.text for part in texts)
        return f"Error: {text}" if result.failed else text
    failed = [Text(text="Error:")] if result.failed else []
    return [_content(part, marks) for part in (*failed, *result.parts)]


def _tool(tool: Tool) -> Json:
    # Left out, strictness would be taken for wanted.
    found: Json = {"type": "function", "name": tool.name, "strict": bool(tool.strict)}
    return found | {"description": tool.description, "parameters": dict(tool.parameters)}


def _choice(choice: ToolChoice) -> Json:
    named = choice.name and choice.use is ToolUse.REQUIRED
    found: Json = {"tool_choice": {"type": "function", "name": choice.name} if named else choice.use.value}
    return found | ({} if choice.parallel is None else {"parallel_tool_calls": choice.parallel})


def _format(request: ChatRequest) -> Json:
    wanted = request.format
    if wanted is None or wanted.schema is None:
        return {"type": "json_object"}
    found: Json = {"type": "json_schema", "name": wanted.name or "answer", "schema": dict(wanted.schema)}
    found |= {} if wanted.strict is None else {"strict": wanted.strict}
    return found | ({"description": wanted.description} if wanted.description else {})
