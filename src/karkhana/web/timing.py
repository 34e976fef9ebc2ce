"""Says with each answer how long the server took to begin it: the header ``Server-Timing`` (W3C), in milliseconds.

Browsers show it in their tools, and the benchmarks read it. Knows nothing of what was asked for.
"""

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Timed:
    """ASGI middleware, around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = f"app;dur={(time.perf_counter() - began) * 1000:.1f}"
                MutableHeaders(scope=message).append("server-timing", took)
            await send(message)

        await self._app(scope, receive, timed)
