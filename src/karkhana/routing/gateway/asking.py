"""Asks a provider for a client: passes bytes on where both speak one wire, else translates.

Knows nothing of which provider is asked and what it costs.
"""

import functools
from collections.abc import AsyncIterator

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest, Usage
from karkhana.http.messages import Headers
from karkhana.routing.exchanges import Asked, PassedOn, Streamed, Whole
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.gateway.clarity import clear
from karkhana.routing.gateway.doors import Peek, with_fields
from karkhana.routing.gateway.unasked import UsageFilter
from karkhana.routing.provider import Provider
from karkhana.routing.provider_faults import NotSent
from karkhana.routing.provider_streams import DeltaStream, Ended, Passage
from karkhana.routing.wires.metering import METERS
from karkhana.routing.wires.wire import BadRequest, Json, Wire


class Reply:
    """What the client gets: one body, or pieces as they come."""

    def __init__(
        self,
        wire: Wire,
        request: ChatRequest | None,
        source: Passage | DeltaStream | ChatAnswer,
        usage_filter: UsageFilter | None = None,
    ) -> None:
        self.source = source
        self.failed = False
        """Whether the stream broke off."""
        self._wire = wire
        self._request = request
        self._filter = usage_filter

    @property
    def usage(self) -> Usage | None:
        """As far as it was told."""
        return self.source.usage

    def body(self) -> bytes:
        """The whole answer."""
        if isinstance(self.source, Passage):
            return self.source.body
        assert isinstance(self.source, ChatAnswer)
        assert self._request is not None
        return msgspec.json.encode(self._wire.server.body(self.source, self._request))

    async def pieces(self) -> AsyncIterator[bytes]:
        """A stream's pieces. What breaks it off is told to the client in its own words, as the last piece."""
        try:
            if isinstance(self.source, Passage):
                async for piece in self.source:
                    kept = piece if self._filter is None else self._filter.feed(piece)
                    if kept:
                        yield kept
                if self._filter is not None and (rest := self._filter.rest()):
                    yield rest
                return
            assert isinstance(self.source, DeltaStream)
            assert self._request is not None
            writer = self._wire.server.writer(self._request)
            async for delta in self.source:
                if written := writer.write(delta):
                    yield written
        except ProviderFault as fault:
            self.failed = True
            yield self._wire.server.writer(self._request or _NOTHING).fail(fault)

    def close(self) -> None:
        if not isinstance(self.source, ChatAnswer):
            self.source.close()


_NOTHING = ChatRequest(model="", messages=())


class Asking:
    """One client's request, as an exchange that any candidate may answer."""

    def __init__(self, wire: Wire, path: str, body: bytes, seen: Peek, headers: Headers) -> None:
        self.streamed = seen.stream
        self._wire = wire
        self._path = path
        self._body = body
        self._seen = seen
        self._headers = headers
        self._clear: bytes | None = None
        self._adds_usage = (
            seen.stream and wire.name == "openai" and not (seen.stream_options or {}).get("include_usage", False)
        )

    @functools.cached_property
    def request(self) -> ChatRequest:
        """The common form. Raises :class:`karkhana.routing.wires.wire.BadRequest`."""
        try:
            body: Json = msgspec.json.decode(self._body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # What was looked at before is only a part of it.
            raise BadRequest(f"the request cannot be read: {error}") from error
        return self._wire.server.request(self._path, body)

    def body_for(self, model: str) -> bytes:
        """The client's body, with the model's name at the provider, and asking for usage where that must be asked."""
        # Gemini's has no model: it stands in the path.
        changes: Json = {} if model == self._seen.model or self._wire.name == "gemini" else {"model": model}
        if self._adds_usage:
            changes["stream_options"] = {**(self._seen.stream_options or {}), "include_usage": True}
        once = self._cleared()
        return with_fields(once, **changes) if changes else once

    def _cleared(self) -> bytes:
        once = self._clear
        if once is None:
            once = self._clear = clear(self._body)
        return once

    async def begin(self, provider: Provider, asked: Asked) -> Reply:
        same = provider.wire.name == self._wire.name
        try:
            _ = self._cleared() if same else self.request
        except BadRequest as error:
            # Nothing is sent, so nothing may be charged.
            raise NotSent(Fault.INVALID, error.message, code=error.code) from error
        if same:
            exchange = PassedOn(
                self._wire.name,
                self.body_for,
                METERS[self._wire.name],
                stream=self.streamed,
                headers=self._headers,
            )
            passage = await exchange.begin(provider, asked)
            return Reply(self._wire, None, passage, UsageFilter() if self._adds_usage else None)
        if self.streamed:
            return Reply(self._wire, self.request, await Streamed(self.request).begin(provider, asked))
        return Reply(self._wire, self.request, await Whole(self.request).begin(provider, asked))

    def watch(self, answer: Reply, ended: Ended) -> None:
        if isinstance(answer.source, ChatAnswer) or answer.source.whole:
            ended(answer.usage, None, True)
        else:
            answer.source.when_ended(ended)

    def discard(self, answer: Reply) -> None:
        answer.close()
