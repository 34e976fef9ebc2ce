"""Reads answers of OpenAI's Responses, whole and streamed.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from karkhana.domain.chat import (
    ChatAnswer,
    Delta,
    Part,
    PartEnded,
    PartStarted,
    Reasoning,
    SignatureAdded,
    Started,
    Stopped,
    StopReason,
    Text,
    TextAdded,
    ToolCall,
    Usage,
)
from karkhana.routing.sse import Event
from karkhana.routing.wires.openai_errors import fault_in
from karkhana.routing.wires.seals import sealed, unpacked
from karkhana.routing.wires.tool_calls import fresh_id
from karkhana.routing.wires.wire import Json, broken, count_in

NAME = "openai_responses"
_TEXTS = frozenset({"response.output_text.delta", "response.refusal.delta"})
_THOUGHTS = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_ENDS = frozenset({"response.completed", "response.incomplete"})


def answer_of(body: Json) -> ChatAnswer:
    """A whole answer. Raises ``ProviderFault``."""
    try:
        _check(body)
        parts = tuple(part for item in body["output"] for part in _parts(item))
        return ChatAnswer(
            id=str(body.get("id") or ""),
            model=str(body.get("model") or ""),
            parts=parts,
            stop=_stop(body, any(map(_refused, body["output"])), any(isinstance(part, ToolCall) for part in parts)),
            usage=usage_of(body.get("usage")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise broken(f"the answer has no output ({error!r})") from error


def _check(response: Json) -> None:
    """Raises ``ProviderFault`` unless it ended as an answer."""
    if isinstance(response.get("error"), dict):
        raise fault_in(response["error"])
    status = response.get("status") or "completed"
    if status not in ("completed", "incomplete"):
        raise broken(f"the answer is {status}")


def _stop(response: Json, refused: bool, called: bool) -> StopReason:
    if response.get("status") == "incomplete":
        reason = (response.get("incomplete_details") or {}).get("reason")
        return StopReason.REFUSED if reason == "content_filter" else StopReason.LENGTH
    if refused:
        return StopReason.REFUSED
    return StopReason.TOOL_CALLS if called else StopReason.END


def _refused(item: Json) -> bool:
    return any(part.get("type") == "refusal" for part in item.get("content") or ())


def _parts(item: Json) -> Iterator[Part]:
    """Nothing for the calls of tools that the provider runs itself."""
    match item.get("type"):
        case "message":
            for part in item["content"]:
                yield Text(text=str(part.get("text") or part.get("refusal") or ""))
        case "function_call":
            yield ToolCall(
                id=str(item.get("call_id") or fresh_id()),
                name=str(item["name"]),
                arguments=str(item.get("arguments") or "{}"),
            )
        case "reasoning":
            yield reasoning_of(item)


FOREIGN = "karkhana:"
"""Begins encrypted reasoning that came on another wire."""


def reasoning_of(item: Json) -> Reasoning:
    """A summary (or text), with identifier and encrypted whole as its proof. Raises what nonsense makes it raise."""
    paragraphs = item.get("summary") or item.get("content") or ()
    text = "\n\n".join(str(paragraph.get("text") or "") for paragraph in paragraphs)
    encrypted = str(item.get("encrypted_content") or "")
    if encrypted.startswith(FOREIGN):
        return unpacked(text, encrypted.removeprefix(FOREIGN))
    return Reasoning(text=text, signature=sealed(encrypted and f"{item.get('id') or ''}:{encrypted}", NAME))


def usage_of(usage: Any) -> Usage | None:
    """Input tokens include cached ones on this wire; ours do not."""
    if not isinstance(usage, Mapping):
        return None
    cached = count_in(usage, "input_tokens_details", "cached_tokens")
    written = count_in(usage, "input_tokens_details", "cache_write_tokens")
    long = min(written, count_in(usage, "input_tokens_details", "cache_write_tokens_details", "ttl_12h_tokens"))
    return Usage(
        input=max(0, count_in(usage, "input_tokens") - cached - written),
        cache_read=cached,
        cache_write=written - long,
        cache_write_long=long,
        output=count_in(usage, "output_tokens"),
        reasoning=count_in(usage, "output_tokens_details", "reasoning_tokens"),
    )


class ResponsesReader:
    """Reads the events of one answer."""

    def __init__(self) -> None:
        self._open: int | None = None
        self._next = 0
        self._paragraph: Any = None
        self._said = self._refused = self._called = self._over = False

    def read(self, event: Event) -> list[Delta]:
        if event.data == "[DONE]":
            return []
        try:
            value = json.loads(event.data)
            if not isinstance(value, dict):
                raise broken("an event of the stream is no object")
            return list(self._event(value))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise broken(f"an event of the stream makes no sense ({error!r})") from error

    def end(self) -> list[Delta]:
        """Nothing: the last event says that it is."""
        return []

    def _event(self, value: Json) -> Iterator[Delta]:
        kind = value.get("type")
        if kind == "response.created":
            response = value["response"]
            yield Started(model=str(response.get("model") or ""), id=str(response.get("id") or ""))
        elif kind == "response.output_item.added":
            yield from self._item(value["item"])
        elif kind in _TEXTS:
            self._refused = self._refused or kind == "response.refusal.delta"
            yield from self._text(str(value["delta"]), Text(text=""))
        elif kind in _THOUGHTS:
            yield from self._thought(value)
        elif kind == "response.function_call_arguments.delta":
            yield from self._added(str(value["delta"]))
        elif kind == "response.output_item.done":
            yield from self._done(value["item"])
        elif kind in _ENDS:
            yield from self._ended(value["response"])
        elif kind == "response.failed":
            _check({"status": "failed"} | value["response"])
        elif kind == "error":
            raise fault_in(value["error"] if isinstance(value.get("error"), dict) else value | {"type": None})

    def _item(self, item: Json) -> Iterator[Delta]:
        """Messages and reasoning open their part with their first text: they may have none."""
        yield from self._closed()
        if item.get("type") == "function_call":
            self._called = True
            identifier = str(item.get("call_id") or fresh_id())
            yield from self._opened(ToolCall(id=identifier, name=str(item["name"]), arguments=""))

    def _text(self, text: str, part: Text | Reasoning) -> Iterator[Delta]:
        if self._open is None and text:
            yield from self._opened(part)
        yield from self._added(text)

    def _thought(self, value: Json) -> Iterator[Delta]:
        """Paragraphs of a summary come with their number, and are told apart by an empty line."""
        paragraph = value.get("summary_index", value.get("content_index"))
        between = "\n\n" if self._said and paragraph != self._paragraph else ""
        yield from self._text(f"{between}{value['delta']}", Reasoning())
        self._paragraph = paragraph

    def _added(self, text: str) -> Iterator[Delta]:
        if text and self._open is not None:
            self._said = True
            yield TextAdded(index=self._open, text=text)

    def _done(self, item: Json) -> Iterator[Delta]:
        """What did not come in pieces comes with the whole item; a proof always does."""
        for part in _parts(item):
            match part:
                case Text(text=text) if not self._said:
                    yield from self._text(text, Text(text=""))
                case ToolCall(arguments=arguments) if not self._said:
                    yield from self._added(arguments)
                case Reasoning():
                    yield from self._reasoned(part)
        yield from self._closed()

    def _reasoned(self, part: Reasoning) -> Iterator[Delta]:
        said = self._said
        if self._open is None:
            yield from self._opened(Reasoning(hidden=part.hidden))
        if not said:
            yield from self._added(part.text)
        if part.signature and self._open is not None:
            yield SignatureAdded(index=self._open, signature=part.signature)

    def _ended(self, response: Json) -> Iterator[Delta]:
        if self._over:
            return
        _check(response)
        self._over = True
        yield from self._closed()
        yield Stopped(stop=_stop(response, self._refused, self._called), usage=usage_of(response.get("usage")))

    def _opened(self, part: Text | Reasoning | ToolCall) -> Iterator[Delta]:
        self._open, self._next, self._said, self._paragraph = self._next, self._next + 1, False, None
        yield PartStarted(index=self._open, part=part)

    def _closed(self) -> Iterator[Delta]:
        if self._open is not None:
            yield PartEnded(index=self._open)
        self._open, self._said = None, False
