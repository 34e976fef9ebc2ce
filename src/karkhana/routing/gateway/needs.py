"""What a client's request needs of whoever answers it, and what its headers say about it. Knows nothing of candidates.

>>> told(((b"x-karkhana-task-type", b"bugfix"), (b"accept", b"*/*"))).task_type
'bugfix'
"""

import hashlib
from typing import NamedTuple, Protocol

import msgspec

from karkhana.domain.chat import ChatRequest, Image, Message, Role, Text, ToolResult
from karkhana.http.messages import Headers
from karkhana.routing.gateway.doors import Peek
from karkhana.routing.policy.capability import Needs
from karkhana.routing.policy.settings import LABEL
from karkhana.routing.prices import prompt_tokens
from karkhana.routing.wires.wire import BadRequest

RESIDENCY = b"x-karkhana-residency"
_START = b"x-karkhana-"
_LONGEST = 128
"""Characters of a session's name; a longer one is known by its hash."""
_TEXT = 8_000
"""Characters of a prompt that the wording is taken from."""
_TOOLS = (b'"tools"', b'"functions"')
_JSON = (
    b'"response_format"',
    b'"format"',
    b'"output_config"',
    b'"output_format"',
    b"esponseSchema",
    b"esponseMimeType",
)
_JSON_SNAKE = (b'"response_schema"', b'"response_mime_type"', b'"response_json_schema"')
_IMAGES = (b'"image', b'"inlineData"', b'"inline_data"', b'"fileData"', b'"file_data"')
_WORDS = (*_TOOLS, *_JSON, *_IMAGES)
_ESCAPE = b"\\u00"
"""Names of fields may be written in escapes."""


class Told(NamedTuple):
    """What a client says in headers of ours."""

    task_type: str = ""
    session: str = ""
    after: str = ""
    """The call whose answer did not pass."""
    residency: frozenset[str] = frozenset()


NOTHING = Told()


class Reading(Protocol):
    """Reads a request's body when somebody wants to know."""

    @property
    def request(self) -> ChatRequest:
        """Raises ``BadRequest``."""


class Asked(Protocol):
    """A request, as far as its needs are concerned."""

    @property
    def body(self) -> bytes: ...
    @property
    def seen(self) -> Peek: ...
    @property
    def tokens(self) -> int:
        """Of the prompt, at most; about half as many are expected."""

    @property
    def reading(self) -> Reading: ...


class _Sessions(msgspec.Struct):
    prompt_cache_key: str | None = None
    user: str | None = None
    metadata: msgspec.Raw = msgspec.Raw()


class _Metadata(msgspec.Struct):
    user_id: str | None = None


_SESSIONS = msgspec.json.Decoder(_Sessions)
_METADATA = msgspec.json.Decoder(_Metadata)


def told(headers: Headers) -> Told:
    """Raises :class:`BadRequest` for a header of ours that makes no sense."""
    found = [(name, value) for name, value in headers if name[:11] == _START]
    if not found:
        return NOTHING
    said: dict[bytes, str] = {}
    for name, value in found:
        said[name] = value.decode("latin-1").strip()
    task_type = said.get(b"x-karkhana-task-type", "")
    if task_type:
        _check("x-karkhana-task-type", task_type)
    labels = [label.strip() for label in said.get(RESIDENCY, "").split(",") if label.strip()]
    for label in labels:
        _check("x-karkhana-residency", label)
    return Told(task_type, said.get(b"x-karkhana-session", ""), said.get(b"x-karkhana-after", ""), frozenset(labels))


def session_of(said: Told, body: bytes) -> str:
    """The conversation that a request belongs to, as its header or its body names it; empty: nobody knows."""
    name = said.session or _session_in(body)
    return name if len(name) <= _LONGEST else hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def needs_of(wish: "Asked", residency: frozenset[str], *, limited: bool, measured: bool) -> Needs:
    """``limited``: somebody lacks tools, structured output or images; ``measured``: somebody's context is known.

    Reads the body only if it may matter, for that takes a hundred times as long as to see that it has no such word.
    """
    prompt, answer, body = wish.tokens // 2, wish.seen.answer_tokens or 0, wish.body
    plain = Needs(prompt, answer, residency=residency)
    named = limited and (any(word in body for word in _WORDS) or _ESCAPE in body)
    if not named and not (measured and _IMAGES[0] in body):
        return plain
    try:
        read = wish.reading.request
    except BadRequest:
        # it may still be passed on by whoever speaks its wire: what is named is believed to be needed
        tools, json, images = (any(word in body for word in words) for words in (_TOOLS, _JSON, _IMAGES))
        return Needs(prompt, answer, tools, json, images, residency)
    images = any(_shows(message) for message in read.messages)
    # in a body that nobody reads each mention of an image counts as one
    prompt = prompt if images else prompt_tokens(read) // 2
    return Needs(prompt, answer, bool(read.tools), read.format is not None, images, residency)


def words_of(reading: Reading) -> str:
    """The user's latest text, for a model of the wording; empty if it cannot be read."""
    try:
        messages = reading.request.messages
    except BadRequest:
        return ""
    texts = (
        "\n".join(part.text for part in message.parts if isinstance(part, Text))
        for message in reversed(messages)
        if message.role is Role.USER
    )
    return next((text[:_TEXT] for text in texts if text), "")


def _session_in(body: bytes) -> str:
    try:
        found = _SESSIONS.decode(body)
        metadata = bytes(found.metadata)
        user_id = _METADATA.decode(metadata).user_id if metadata[:1] == b"{" else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # a field of another kind is the provider's to refuse
        return ""
    return found.prompt_cache_key or found.user or user_id or ""


def _shows(message: Message) -> bool:
    return any(
        isinstance(part, Image)
        or (isinstance(part, ToolResult) and any(isinstance(inner, Image) for inner in part.parts))
        for part in message.parts
    )


def _check(header: str, label: str) -> None:
    if not LABEL.fullmatch(label):
        raise BadRequest(f"{header} must hold labels of up to 64 letters, digits, . _ : and -")
