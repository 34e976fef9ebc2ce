"""Requests and answers for tests of wires, drawn by Hypothesis."""

import json

from hypothesis import strategies as st

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Format,
    Image,
    Message,
    Role,
    StopReason,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
    Usage,
)

names = st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)
words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=30)
texts = st.builds(Text, text=words)
images = st.one_of(
    st.builds(Image, media_type=st.sampled_from(["image/png", "image/jpeg"]), data=st.binary(min_size=1, max_size=20)),
    st.builds(Image, url=names.map("https://example.test/{}.png".format)),
)
arguments = st.dictionaries(names, st.one_of(words, st.integers(-9, 9), st.none(), st.lists(st.booleans())), max_size=3)
counts = st.integers(0, 1_000_000)
schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
tools = st.builds(Tool, name=names, description=words, parameters=st.just(schema))


def written(given: dict[str, object]) -> str:
    """Arguments as all wires give them back; some lose spaces, for they write an object."""
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))


@st.composite
def conversations(draw: st.DrawFn, pictures: bool = True) -> tuple[Message, ...]:
    """An instruction, then turns; each call of a tool gets its result before anything else is said."""
    said = st.lists(st.one_of(texts, images), min_size=1, max_size=3) if pictures else st.lists(texts, min_size=1)
    found = [Message(role=Role.SYSTEM, parts=(draw(texts),))] if draw(st.booleans()) else []
    found.append(Message(role=Role.USER, parts=tuple(draw(said))))
    number = 0
    for _ in range(draw(st.integers(0, 2))):
        calls = []
        for _ in range(draw(st.integers(0, 2))):
            number += 1
            calls.append(ToolCall(id=f"call_{number}", name=draw(names), arguments=written(draw(arguments))))
        found.append(Message(role=Role.ASSISTANT, parts=(draw(texts), *calls)))
        results = tuple(ToolResult(id=c.id, name=c.name, parts=(draw(texts),)) for c in calls)
        found.append(Message(role=Role.USER, parts=results or (draw(texts),)))
    return tuple(found)


requests = st.builds(
    ChatRequest,
    model=names,
    messages=conversations(),
    tools=st.lists(tools, max_size=2, unique_by=lambda tool: tool.name).map(tuple),
    max_tokens=st.integers(1, 9999),
    temperature=st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0])),
    top_p=st.one_of(st.none(), st.sampled_from([0.1, 1.0])),
    stop=st.lists(names, max_size=2, unique=True).map(tuple),
    format=st.one_of(st.none(), st.just(Format(schema=schema, name="answer", strict=True))),
    stream=st.booleans(),
)
choices = st.sampled_from(
    [None, ToolChoice(), ToolChoice(use=ToolUse.REQUIRED), ToolChoice(use=ToolUse.NONE), ToolChoice(parallel=False)]
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    output = draw(counts)
    return Usage(input=draw(counts), cache_read=draw(counts), output=output, reasoning=draw(st.integers(0, output)))


@st.composite
def answers(draw: st.DrawFn) -> ChatAnswer:
    """A text, then calls, as models answer."""
    parts: list[Text | ToolCall] = [draw(texts)] if draw(st.booleans()) else []
    calls = range(draw(st.integers(0 if parts else 1, 2)))
    parts += [ToolCall(id=f"call_{n}", name=draw(names), arguments=written(draw(arguments))) for n in calls]
    called = any(isinstance(part, ToolCall) for part in parts)
    stop = StopReason.TOOL_CALLS if called else draw(st.sampled_from([StopReason.END, StopReason.LENGTH]))
    return ChatAnswer(id=draw(names), model=draw(names), parts=tuple(parts), stop=stop, usage=draw(usages()))
