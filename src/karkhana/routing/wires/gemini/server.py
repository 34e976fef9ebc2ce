"""Is asked as Google's Gemini. Knows nothing of connections."""

import json
import re
from typing import Any
from urllib.parse import unquote

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Format,
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
)
from karkhana.routing.faults import ProviderFault
from karkhana.routing.wires.gemini.client import MODES, kind_of
from karkhana.routing.wires.gemini.errors import refusal_of
from karkhana.routing.wires.gemini.proofs import read
from karkhana.routing.wires.gemini.schemas import camel, json_schema
from karkhana.routing.wires.gemini.writing import GeminiWriter, body_of
from karkhana.routing.wires.images import bytes_of
from karkhana.routing.wires.tool_calls import arguments_text
from karkhana.routing.wires.wire import (
    BadRequest,
    Json,
    list_of,
    object_of,
    objects_of,
    request_of,
    text_of,
    unknown_fields,
)

_PATH = re.compile(r"(?:^|/)models/(?P<model>[^?]+):(?P<verb>generateContent|streamGenerateContent)(?:$|\?)")
_USES = {mode: use for use, mode in MODES.items()} | {"MODE_UNSPECIFIED": None, "VALIDATED": None}
_CONFIG = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_tokens",
    "seed": "seed",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
}
_KNOWN = frozenset({"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"})
_KNOWN_CONFIG = frozenset(
    {*_CONFIG, "stopSequences", "thinkingConfig", "responseMimeType", "responseSchema", "responseJsonSchema"}
)


class GeminiServer:
    """Is asked as a Gemini server."""

    def request(self, path: str, body: Json) -> ChatRequest:
        asked = _PATH.search(path)
        if asked is None:
            raise BadRequest("the path must end in models/MODEL:generateContent or :streamGenerateContent")
        try:
            body = camel(body)
        except RecursionError as error:
            raise BadRequest("the request is nested too deeply") from error
        config = object_of(body.get("generationConfig"), "generationConfig")
        if config.get("candidateCount") not in (None, 1):
            raise BadRequest("only one candidate can be asked for", "generationConfig.candidateCount")
        tools, unknown = _tools(body.get("tools"))
        fields = (f"generationConfig.{n}" for n in unknown_fields(config, _KNOWN_CONFIG) if n != "candidateCount")
        return request_of(
            {
                "model": unquote(asked["model"]),
                "messages": _messages(body),
                "tools": tools,
                "tool_choice": _choice(body.get("toolConfig")),
                "format": _format(config),
                "stop": config.get("stopSequences") or (),
                "stream": asked["verb"] == "streamGenerateContent",
                "unknown": (*unknown_fields(body, _KNOWN), *fields, *unknown),
                **_thinking(object_of(config.get("thinkingConfig"), "generationConfig.thinkingConfig")),
                **{ours: config.get(name) for name, ours in _CONFIG.items()},
            }
        )

    def body(self, answer: ChatAnswer, request: ChatRequest) -> Json:
        return body_of(answer, request)

    def writer(self, request: ChatRequest) -> GeminiWriter:
        return GeminiWriter(request)

    def refusal(self, fault: ProviderFault) -> tuple[int, Json]:
        return refusal_of(fault)


def _messages(body: Json) -> list[Message]:
    calls = _Calls()
    system = object_of(body.get("systemInstruction"), "systemInstruction")
    said = tuple(_part(p, place, calls) for p, place in objects_of(system.get("parts"), "systemInstruction.parts"))
    found = [Message(role=Role.SYSTEM, parts=said)] if said else []
    for content, place in objects_of(body.get("contents"), "contents"):
        role = Role.ASSISTANT if content.get("role") == "model" else Role.USER
        parts = tuple(_part(part, where, calls) for part, where in objects_of(content.get("parts"), f"{place}.parts"))
        found.append(Message(role=role, parts=parts))
    if not body.get("contents"):
        raise BadRequest("contents must hold at least one content", "contents")
    return found


class _Calls:
    """Identifiers for calls whose clients leave them out, as they may: results then come in the order of calls."""

    def __init__(self) -> None:
        self._number = 0
        self._waiting: list[tuple[str, str]] = []

    def made(self, identifier: Any, name: str) -> str:
        self._number += 1
        found = str(identifier or f"call_{self._number}")
        self._waiting.append((found, name))
        return found

    def answered(self, identifier: Any, name: str) -> str:
        for waiting in self._waiting:
            if waiting[0] == identifier or (not identifier and waiting[1] == name):
                self._waiting.remove(waiting)
                return waiting[0]
        return str(identifier or name)


def _part(part: Json, field: str, calls: _Calls) -> Part:
    signature = read(text_of(part.get("thoughtSignature") or "", f"{field}.thoughtSignature"))
    if "functionCall" in part:
        call = object_of(part["functionCall"], f"{field}.functionCall")
        name = text_of(call.get("name"), f"{field}.functionCall.name")
        arguments = arguments_text(object_of(call.get("args"), f"{field}.functionCall.args"))
        return ToolCall(id=calls.made(call.get("id"), name), name=name, arguments=arguments, signature=signature)
    if "functionResponse" in part:
        return _result(object_of(part["functionResponse"], f"{field}.functionResponse"), field, calls)
    if "inlineData" in part or "fileData" in part:
        return _image(part, field)
    if "text" not in part:
        raise BadRequest(f"{field}: parts of the kind {', '.join(sorted(part)) or 'nothing'} are not supported", field)
    text = text_of(part["text"], f"{field}.text")
    return Reasoning(text=text, signature=signature) if part.get("thought") else Text(text=text, signature=signature)


def _result(result: Json, field: str, calls: _Calls) -> ToolResult:
    name = text_of(result.get("name"), f"{field}.functionResponse.name")
    response = object_of(result.get("response"), f"{field}.functionResponse.response")
    failed = "error" in response and "output" not in response
    # One of these keys holds all there is; without them the whole object does.
    said = next((response[key] for key in ("output", "result", "error") if set(response) == {key}), response)
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    images = [_image(p, place) for p, place in objects_of(result.get("parts"), f"{field}.functionResponse.parts")]
    parts: tuple[Text | Image, ...] = (Text(text=text), *images)
    return ToolResult(id=calls.answered(result.get("id"), name), name=name, parts=parts, failed=failed)


def _image(part: Json, field: str) -> Image:
    inline = object_of(part.get("inlineData"), f"{field}.inlineData")
    file = object_of(part.get("fileData"), f"{field}.fileData")
    kind = text_of(inline.get("mimeType") or file.get("mimeType") or "", f"{field}.mimeType")
    if kind and not kind.startswith("image/"):
        raise BadRequest(f"{field}: media of the type {kind!r} are not supported; images are", field)
    if inline:
        data = text_of(inline.get("data"), f"{field}.inlineData.data").replace("-", "+").replace("_", "/")
        return Image(media_type=kind, data=bytes_of(data, f"{field}.inlineData.data"))
    url = text_of(file.get("fileUri"), f"{field}.fileData.fileUri")
    return Image(url=url, media_type="" if kind == kind_of(url) else kind)


def _tools(value: Any) -> tuple[list[Tool], list[str]]:
    """Functions of the client; tools that the provider would run are named as unknown."""
    tools, unknown = [], []
    for each, place in objects_of(value, "tools"):
        unknown += [f"{place}.{name}" for name in each if name != "functionDeclarations"]
        for function, where in objects_of(each.get("functionDeclarations"), f"{place}.functionDeclarations"):
            schema = function.get("parametersJsonSchema") or json_schema(function.get("parameters"))
            tools.append(_tool(function, schema, where))
    return tools, unknown


def _tool(function: Json, schema: Any, field: str) -> Tool:
    return Tool(
        name=text_of(function.get("name"), f"{field}.name"),
        description=text_of(function.get("description") or "", f"{field}.description"),
        parameters=object_of(schema, f"{field}.parameters"),
    )


def _choice(value: Any) -> ToolChoice | None:
    config = object_of(object_of(value, "toolConfig").get("functionCallingConfig"), "toolConfig.functionCallingConfig")
    mode = text_of(config.get("mode") or "MODE_UNSPECIFIED", "toolConfig.functionCallingConfig.mode").upper()
    if mode not in _USES:
        raise BadRequest(f"mode {mode!r} is none of {', '.join(_USES)}", "toolConfig.functionCallingConfig.mode")
    use = _USES[mode]
    if use is None:
        return None
    names = list_of(config.get("allowedFunctionNames"), "toolConfig.functionCallingConfig.allowedFunctionNames")
    return ToolChoice(use=use, name=str(names[0]) if mode == "ANY" and len(names) == 1 else "")


def _format(config: Json) -> Format | None:
    if config.get("responseMimeType") != "application/json":
        return None
    schema = config.get("responseJsonSchema") or json_schema(config.get("responseSchema"))
    if schema is None:
        return Format()
    return Format(schema=object_of(schema, "generationConfig.responseSchema"), strict=True)


def _thinking(config: Json) -> Json:
    level = text_of(config.get("thinkingLevel") or "", "generationConfig.thinkingConfig.thinkingLevel").lower()
    found: Json = {"show_reasoning": bool(config.get("includeThoughts"))}
    budget = config.get("thinkingBudget")
    if budget == -1:
        return found | {"effort": "auto"}
    return found | {"effort": "" if level == "thinking_level_unspecified" else level, "reasoning_tokens": budget}
