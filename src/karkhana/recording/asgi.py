"""Records what an ASGI application is asked.

Knows nothing of files.

    app = RecordAsgi(app, "recordings/shop.har")
"""

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from karkhana.recording.har import HarFile

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
LARGEST = 262_144
"""Bytes of a body; requests with a larger one are not kept."""


class RecordAsgi:
    """An ASGI application in front of another. ``har``: a path, or a :class:`HarFile` with settings of its own."""

    def __init__(self, app: App, har: str | Path | HarFile) -> None:
        self._app = app
        self._har = har if isinstance(har, HarFile) else HarFile(har)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._har.full:
            await self._app(scope, receive, send)
            return
        body = bytearray()
        status = 0

        async def listen() -> Message:
            message = await receive()
            if message["type"] == "http.request" and len(body) <= LARGEST:
                body.extend(message.get("body", b""))
            return message

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, listen, tell)
        finally:
            if len(body) <= LARGEST:
                raw = scope.get("raw_path") or scope["path"].encode()
                headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
                query = scope.get("query_string", b"").decode("latin-1")
                path = raw.decode("latin-1").partition("?")[0]
                self._har.add(scope["method"], path, query, headers=headers, body=bytes(body), status=status or 500)
