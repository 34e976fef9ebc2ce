"""One exchange with a language model, in the words that all wires can be translated to and from.

Pure data. Parts that a model made (calls, reasoning) keep what must be given back unchanged: argument text as it was
written, signatures as they came.

>>> ChatRequest(model="m", messages=(Message(role=Role.USER, parts=(Text(text="hello"),)),)).max_tokens is None
True
"""

import enum
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Cache(enum.StrEnum):
    """Whether the provider is asked to cache the prompt up to the end of a part, and for how long."""

    NONE = ""
    SHORT = "short"
    """Minutes."""
    LONG = "long"
    """An hour or more."""


class Text(msgspec.Struct, frozen=True, kw_only=True, tag_field="part", tag="text"):
    text: str
    signature: str = ""
    """A proof that some providers send with a text, to be given back unchanged."""
    cache: Cache = Cache.NONE


class Image(msgspec.Struct, frozen=True, kw_only=True, tag_field="part", tag="image"):
    """Either ``data`` with its ``media_type``, or ``url``."""

    media_type: str = ""
    data: bytes = b""
    url: str = ""
    cache: Cache = Cache.NONE


class Reasoning(msgspec.Struct, frozen=True, kw_only=True, tag_field="part", tag="reasoning"):
    """What the model thought before it answered."""

    text: str = ""
    signature: str = ""
    """The provider's proof, to be given back unchanged. Like ``hidden`` it begins with the name of the wire that it
    came on, for no other provider takes it."""
    hidden: str = ""
    """Reasoning that only the provider can read, to be given back unchanged."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, tag_field="part", tag="tool_call"):
    id: str
    name: str
    arguments: str
    """JSON as the model wrote it, which may be malformed."""
    signature: str = ""
    """As that of :class:`Reasoning`."""
    cache: Cache = Cache.NONE


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="part", tag="tool_result"):
    """What came of a call; stands in a message of the user."""

    id: str
    """That of the call."""
    parts: tuple[Text | Image, ...]
    name: str = ""
    """The tool's name, which some wires need."""
    failed: bool = False
    cache: Cache = Cache.NONE


Part = Text | Image | Reasoning | ToolCall | ToolResult


class Role(enum.StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    role: Role
    parts: tuple[Part, ...]
    name: str = ""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the model may call."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """JSON schema of the arguments."""
    strict: bool | None = None
    freeform: bool = False
    """The client takes a text instead of arguments, which stands in them as ``input``."""
    cache: Cache = Cache.NONE


class ToolUse(enum.StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    """Some tool must be called."""


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True):
    use: ToolUse = ToolUse.AUTO
    name: str = ""
    """With ``REQUIRED``: this tool."""
    parallel: bool | None = None
    """Whether several calls in one answer are allowed; ``None``: the provider's default."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """JSON wanted as the answer; with a ``schema``: JSON that fits it."""

    schema: Mapping[str, Any] | None = None
    name: str = "answer"
    description: str = ""
    strict: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a model. ``None`` means the provider's default."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    format: Format | None = None
    max_tokens: int | None = None
    """Tokens of the answer, reasoning included."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    effort: str = ""
    """How much reasoning: ``none``, ``minimal``, ``low``, ``medium``, ``high``, ``xhigh``, ``max``, or ``auto`` (as
    much as the model finds good); empty: the provider's default."""
    reasoning_tokens: int | None = None
    """At most so many tokens of reasoning."""
    show_reasoning: bool = False
    """Whether the client wants to read the reasoning, or a summary of it."""
    stream: bool = False
    stream_usage: bool = True
    """Whether the client wants usage within a stream; we always want it from a provider."""
    user: str = ""
    """The client's own name for its user."""
    cache_key: str = ""
    """Requests with the same key probably share a long beginning."""
    unknown: tuple[str, ...] = ()
    """Fields of the client's request that this form has no place for."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, each counted once."""

    input: int = 0
    """Neither read from nor written to a cache."""
    cache_read: int = 0
    cache_write: int = 0
    """Written to a cache for minutes."""
    cache_write_long: int = 0
    """Written to a cache for an hour."""
    output: int = 0
    """Reasoning included."""
    reasoning: int = 0
    """Of the output."""

    @property
    def prompt(self) -> int:
        """All tokens of the prompt."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_long


class StopReason(enum.StrEnum):
    END = "end"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    STOP_SEQUENCE = "stop_sequence"
    REFUSED = "refused"
    """The model or the provider's filter would not answer."""
    PAUSED = "paused"
    """The provider wants to be asked again to go on."""


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    parts: tuple[Part, ...]
    stop: StopReason
    usage: Usage | None = None
    """``None``: the provider did not say."""
    id: str = ""
    stop_sequence: str = ""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        # a list, made into a tuple: half the time of a generator, and it is asked for often
        return tuple([part for part in self.parts if isinstance(part, ToolCall)])


# -- a streamed answer, piece by piece; ``index`` counts the parts of the answer


class Started(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="started"):
    model: str = ""
    id: str = ""
    usage: Usage | None = None
    """What is known before the answer: the prompt's tokens."""


class PartStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="part_started"):
    """A part begins; texts and arguments are still empty."""

    index: int
    part: Text | Reasoning | ToolCall


class TextAdded(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="text_added"):
    """More of a text, of a reasoning's text or of a call's arguments."""

    index: int
    text: str


class SignatureAdded(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="signature_added"):
    index: int
    signature: str


class PartEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="part_ended"):
    index: int


class Stopped(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="stopped"):
    """The last event of a whole answer. A stream without it broke off."""

    stop: StopReason
    usage: Usage | None = None
    stop_sequence: str = ""


Delta = Started | PartStarted | TextAdded | SignatureAdded | PartEnded | Stopped


class Unfinished(Exception):
    """A stream ended without :class:`Stopped`."""


def collected(deltas: Iterable[Delta]) -> ChatAnswer:
    """The whole answer of a stream. Raises :class:`Unfinished`."""
    parts: dict[int, Text | Reasoning | ToolCall] = {}
    started = Started()
    for delta in deltas:
        match delta:
            case Started():
                started = delta
            case PartStarted():
                parts[delta.index] = delta.part
            case TextAdded():
                parts[delta.index] = _longer(parts[delta.index], delta.text)
            case SignatureAdded():
                part = parts[delta.index]
                parts[delta.index] = msgspec.structs.replace(part, signature=part.signature + delta.signature)
            case Stopped():
                whole = tuple(part for _, part in sorted(parts.items()))
                return ChatAnswer(
                    model=started.model,
                    id=started.id,
                    parts=whole,
                    stop=delta.stop,
                    usage=delta.usage,
                    stop_sequence=delta.stop_sequence,
                )
    raise Unfinished


def deltas_of(answer: ChatAnswer) -> Iterable[Delta]:
    """An answer as a stream, one piece a part."""
    yield Started(model=answer.model, id=answer.id, usage=answer.usage)
    for index, part in enumerate(answer.parts):
        match part:
            case ToolCall():
                yield PartStarted(index=index, part=msgspec.structs.replace(part, arguments=""))
                yield TextAdded(index=index, text=part.arguments)
            case Text() | Reasoning():
                yield PartStarted(index=index, part=msgspec.structs.replace(part, text=""))
                if part.text:
                    yield TextAdded(index=index, text=part.text)
            case _:
                continue
        yield PartEnded(index=index)
    yield Stopped(stop=answer.stop, usage=answer.usage, stop_sequence=answer.stop_sequence)


def _longer(part: Text | Reasoning | ToolCall, text: str) -> Text | Reasoning | ToolCall:
    if isinstance(part, ToolCall):
        return msgspec.structs.replace(part, arguments=part.arguments + text)
    return msgspec.structs.replace(part, text=part.text + text)
