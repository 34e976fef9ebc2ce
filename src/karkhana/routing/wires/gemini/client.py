"""Asks Google's Gemini. Knows nothing of connections."""

import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Image,
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
from karkhana.routing.wires.effort import effort_of, tokens_of
from karkhana.routing.wires.gemini.answers import GeminiReader, answer_of
from karkhana.routing.wires.gemini.errors import fault_of
from karkhana.routing.wires.gemini.proofs import ANYTHING
from karkhana.routing.wires.images import base64_of
from karkhana.routing.wires.seals import own
from karkhana.routing.wires.tool_calls import arguments_object, names_of_calls, results_first
from karkhana.routing.wires.wire import Call, Json

MODES = {ToolUse.AUTO: "AUTO", ToolUse.NONE: "NONE", ToolUse.REQUIRED: "ANY"}
_GENERATION = re.compile(r"gemini-(\d+)")
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
_LARGEST_BUDGET = 24_576
"""Tokens of thinking that all thinking models before the third generation take."""
_LEAST_BUDGET = 128
"""Tokens of thinking that the larger of those need at least."""


class GeminiClient:
    """Asks a Gemini server."""

    def call(self, request: ChatRequest, key: str) -> Call:
        """The request. Whether calls may be parallel, cache marks and the user are left out."""
        verb = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        path = f"/v1beta/models/{quote(request.model.removeprefix('models/'), safe='')}:{verb}"
        body: Json = {"contents": list(_contents(request)), "generationConfig": _config(request)}
        system = [p for message in request.messages if message.role is Role.SYSTEM for p in message.parts]
        texts = [{"text": part.text} for part in system if isinstance(part, Text) and part.text]
        body["systemInstruction"] = {"parts": texts} if texts else None
        if request.tools:
            body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
            body["toolConfig"] = _choice(request.tool_choice) if request.tool_choice else None
        headers = [(b"content-type", b"application/json")]
        if key:
            headers.append((b"x-goog-api-key", key.encode()))
        return Call(path, headers, {name: value for name, value in body.items() if value not in (None, {})})

    def answer(self, body: Json) -> ChatAnswer:
        return answer_of(body)

    def reader(self) -> GeminiReader:
        return GeminiReader()

    def fault(self, status: int, headers: Headers, body: bytes) -> ProviderFault:
        return fault_of(status, headers, body)


def _generation(model: str) -> int:
    found = _GENERATION.search(model)
    return int(found[1]) if found else 0


def _config(request: ChatRequest) -> Json:
    found: Json = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "maxOutputTokens": request.max_tokens,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        "frequencyPenalty": request.frequency_penalty,
        "presencePenalty": request.presence_penalty,
        "thinkingConfig": _thinking(request) or None,
    }
    if request.format is not None:
        found["responseMimeType"] = "application/json"
        found["responseJsonSchema"] = dict(request.format.schema) if request.format.schema is not None else None
    return {name: value for name, value in found.items() if value is not None}


def _thinking(request: ChatRequest) -> Json:
    """A level for newer models, a budget for older ones; the largest models cannot be kept from thinking."""
    shown: Json = {"includeThoughts": True} if request.show_reasoning else {}
    if not request.effort and request.reasoning_tokens is None:
        return shown
    large = "pro" in request.model
    if _generation(request.model) >= 3:
        word = request.effort or effort_of(request.reasoning_tokens)
        level = ("LOW" if large else "MINIMAL") if word == "none" else _LEVELS.get(word)
        return shown | ({"thinkingLevel": level} if level else {})
    tokens = request.reasoning_tokens if request.reasoning_tokens is not None else tokens_of(request.effort)
    if tokens is None:
        return shown | {"thinkingBudget": -1}
    return shown | {"thinkingBudget": min(max(tokens, _LEAST_BUDGET) if large else tokens, _LARGEST_BUDGET)}


def _contents(request: ChatRequest) -> Iterator[Json]:
    names = names_of_calls(request.messages)
    proven = _generation(request.model) >= 3
    for message in request.messages:
        if message.role is Role.SYSTEM:
            continue
        parts = list(_parts(results_first(message.parts), names, proven))
        if parts:
            yield {"role": "model" if message.role is Role.ASSISTANT else "user", "parts": parts}


def _parts(parts: Sequence[Part], names: Mapping[str, str], proven: bool) -> Iterator[Json]:
    first = True
    for part in parts:
        match part:
            case Text(text=text):
                proof = own(part.signature, "gemini")
                if text or proof:
                    yield {"text": text} | _proof(proof)
            case Image():
                yield _image(part)
            case Reasoning():
                if proof := own(part.signature, "gemini"):
                    yield {"text": part.text, "thought": True} | _proof(proof)
            case ToolCall():
                call = {"id": part.id, "name": part.name, "args": arguments_object(part.arguments)}
                # Of calls that were made together only the first has a proof.
                proof = own(part.signature, "gemini") or (ANYTHING if proven and first else "")
                yield {"functionCall": call} | _proof(proof)
                first = False
            case ToolResult():
                yield {"functionResponse": _result(part, part.name or names.get(part.id, part.id))}


def _proof(proof: str) -> Json:
    return {"thoughtSignature": proof} if proof else {}


def _image(image: Image) -> Json:
    if not image.url:
        return {"inlineData": {"mimeType": image.media_type or "image/png", "data": base64_of(image)}}
    kind = image.media_type or kind_of(image.url)
    return {"fileData": {"fileUri": image.url} | ({"mimeType": kind} if kind else {})}


def kind_of(url: str) -> str:
    """The media type that an address ends like; this wire wants one."""
    return mimetypes.guess_type(url.partition("?")[0])[0] or ""


def _result(result: ToolResult, name: str) -> Json:
    text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
    found: Json = {"id": result.id, "name": name, "response": {"error" if result.failed else "output": text}}
    images = [_image(part) for part in result.parts if isinstance(part, Image)]
    return found | ({"parts": images} if images else {})


def _tool(tool: Tool) -> Json:
    found: Json = {"name": tool.name, "description": tool.description}
    return found | ({"parametersJsonSchema": dict(tool.parameters)} if tool.parameters else {})


def _choice(choice: ToolChoice) -> Json:
    config: Json = {"mode": MODES[choice.use]}
    if choice.name and choice.use is ToolUse.REQUIRED:
        config["allowedFunctionNames"] = [choice.name]
    return {"functionCallingConfig": config}
