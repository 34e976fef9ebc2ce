"""A span for each request, where traces are wanted. Knows nothing of what was asked for."""

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from karkhana.web.hooks import PREFIX
from karkhana.web.logged import UNINTERESTING
from karkhana.web.measuring import template

if TYPE_CHECKING:
    from karkhana.factory.traces import Traces


class Traced:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, traces: "Traces | None") -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        traces = self._traces
        if traces is None or scope["type"] != "http" or scope["path"].startswith(UNINTERESTING):
            await self._app(scope, receive, send)
            return
        method, stranger = scope["method"], scope["path"].startswith(PREFIX)
        with traces.request(method, Headers(scope=scope), stranger=stranger) as span:

            async def traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    traces.answered(span, method, template(scope), message["status"])
                await send(message)

            await self._app(scope, receive, traced)
