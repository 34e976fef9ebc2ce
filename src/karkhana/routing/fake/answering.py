"""Makes the answer that a script has for a request, and counts its tokens. Knows nothing of connections.

Tokens are counted by a plain rule: one for every 4 characters of a text, rounded up; 3 for each message; 85 for an
image.

>>> tokens("12345")
2
"""

import fnmatch
import json
import re
from collections.abc import Iterator, Sequence

import msgspec

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Delta,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    StopReason,
    Text,
    TextAdded,
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
    deltas_of,
)
from karkhana.routing.fake.fitting import fitting
from karkhana.routing.fake.script import AnswerRule, FaultRule, GivenCall, GivenUsage, Script
from karkhana.routing.faults import Fault, ProviderFault

IMAGE_TOKENS = 85
MESSAGE_TOKENS = 3


def fits(rule: AnswerRule | FaultRule, request: ChatRequest) -> bool:
    """Whether a rule is for a request."""
    if rule.model != "*" and not fnmatch.fnmatchcase(request.model, rule.model):
        return False
    if rule.turn is not None and rule.turn != _turn(request):
        return False
    if rule.instructions and re.search(rule.instructions, instructions(request)) is None:
        return False
    return not rule.says or re.search(rule.says, last_text(request)) is not None


def rule_for(script: Script, request: ChatRequest) -> AnswerRule:
    """The first answer that fits. Raises ``ProviderFault`` (``INVALID``) if the script has none for this request."""
    if not script.answer:
        return AnswerRule()
    for rule in script.answer:
        if fits(rule, request):
            return rule
    raise ProviderFault(
        Fault.INVALID,
        f"no [[answer]] of the script fits: model {request.model!r}, turn {_turn(request)}, "
        f"the user says {last_text(request)[:80]!r}",
    )


def answer_to(request: ChatRequest, rule: AnswerRule, number: int) -> ChatAnswer:
    """The answer with its usage."""
    parts: list[Part] = [Reasoning(text=rule.reasoning)] if rule.reasoning else []
    if rule.text is not None:
        parts.append(Text(text=rule.text))
    elif rule.json:
        parts.append(_json(request))
    elif rule.echo:
        parts.append(Text(text=last_text(request)))
    elif not rule.calls:
        parts += _wanted(request, number)
    parts += [_call(request, call, number, place) for place, call in enumerate(rule.calls)]
    called = any(isinstance(part, ToolCall) for part in parts)
    fitted = parts if rule.usage is not None or rule.stop is not None else list(_within(parts, request.max_tokens))
    stop = StopReason.TOOL_CALLS if called else StopReason.END if fitted == parts else StopReason.LENGTH
    parts = fitted
    usage = given(rule.usage) if rule.usage is not None else counted(request, parts)
    return ChatAnswer(
        id=f"fake-{number}",
        model=request.model,
        parts=tuple(parts),
        stop=rule.stop or stop,
        usage=usage,
    )


def _within(parts: Sequence[Part], limit: int | None) -> Iterator[Part]:
    """Texts end where the client's limit of tokens does; calls are never cut."""
    left = sum(map(_size, parts)) if limit is None else limit
    for part in parts:
        match part:
            case Text() | Reasoning():
                yield msgspec.structs.replace(part, text=part.text[: 4 * max(0, left)])
            case _:
                yield part
        left -= _size(part)


def given(usage: GivenUsage) -> Usage:
    """A usage of the script."""
    return Usage(**{name: getattr(usage, name) for name in usage.__struct_fields__})


def pieces_of(answer: ChatAnswer, characters: int) -> Iterator[Delta]:
    """An answer as a stream with texts of at most so many characters."""
    for delta in deltas_of(answer):
        if isinstance(delta, TextAdded):
            for start in range(0, len(delta.text), characters):
                yield TextAdded(index=delta.index, text=delta.text[start : start + characters])
        else:
            yield delta


def last_text(request: ChatRequest) -> str:
    """What the user said last, results of tools not counted."""
    for message in reversed(request.messages):
        texts = [part.text for part in message.parts if isinstance(part, Text)]
        if message.role is Role.USER and texts:
            return "\n".join(texts)
    return ""


def instructions(request: ChatRequest) -> str:
    """What the system says."""
    told = [message for message in request.messages if message.role is Role.SYSTEM]
    return "\n".join(part.text for message in told for part in message.parts if isinstance(part, Text))


def tokens(text: str) -> int:
    """One for every 4 characters."""
    return (len(text) + 3) // 4


def counted(request: ChatRequest, parts: Sequence[Part]) -> Usage:
    """The usage of an answer with these parts."""
    prompt = sum(MESSAGE_TOKENS + sum(map(_size, message.parts)) for message in request.messages)
    prompt += sum(tokens(t.name + t.description + json.dumps(msgspec.to_builtins(t.parameters))) for t in request.tools)
    reasoning = sum(_size(part) for part in parts if isinstance(part, Reasoning))
    return Usage(input=prompt, output=max(1, sum(map(_size, parts))), reasoning=reasoning)


def _size(part: Part) -> int:
    match part:
        case Image():
            return IMAGE_TOKENS
        case ToolCall():
            return tokens(part.name + part.arguments)
        case ToolResult():
            return sum(map(_size, part.parts))
        case _:
            return tokens(part.text)


def _turn(request: ChatRequest) -> int:
    return 1 + sum(message.role is Role.ASSISTANT for message in _runs(request.messages))


def _runs(messages: Sequence[Message]) -> Iterator[Message]:
    """Neighbouring messages of one role are one turn."""
    before: Role | None = None
    for message in messages:
        if message.role is not before:
            yield message
        before = message.role


def _json(request: ChatRequest) -> Text:
    schema = request.format.schema if request.format is not None else None
    return Text(text=json.dumps({} if schema is None else fitting(schema), ensure_ascii=False))


def _wanted(request: ChatRequest, number: int) -> list[Part]:
    """What the request asks for: a call if one is demanded, JSON if a format is, else an echo."""
    choice = request.tool_choice
    if request.tools and choice is not None and choice.use is ToolUse.REQUIRED:
        name = choice.name or request.tools[0].name
        return [_call(request, GivenCall(name=name), number, 0)]
    return [_json(request)] if request.format is not None else [Text(text=last_text(request))]


def _call(request: ChatRequest, call: GivenCall, number: int, place: int) -> ToolCall:
    arguments = call.arguments
    if arguments is None:
        schema = next((tool.parameters for tool in request.tools if tool.name == call.name), {})
        arguments = fitting(schema) or {}
    text = json.dumps(msgspec.to_builtins(arguments), ensure_ascii=False)
    return ToolCall(id=f"call_{number}_{place}", name=call.name, arguments=text)
