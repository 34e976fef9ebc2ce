"""Gives each request an identifier, which stands in every line that is logged for it, and logs how it ended.

Never a query: links and codes of a sign-in stand there. Knows nothing of what was asked for.
"""

import secrets
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from karkhana.web.measuring import PATH, template

HEADER = "x-request-id"
UNINTERESTING = ("/healthz", "/readyz", PATH, "/static/")

_log = structlog.get_logger("karkhana.access")


class Logged:
    """ASGI middleware, around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = secrets.token_hex(8)
        began, status, sent = time.perf_counter(), 0, 0

        async def logged(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = identifier
            else:
                sent += len(message.get("body", b""))
            await send(message)

        with bound_contextvars(request=identifier):
            try:
                await self._app(scope, receive, logged)
            finally:
                tell = _log.debug if scope["path"].startswith(UNINTERESTING) else _log.info
                tell(
                    "request.answered",
                    method=scope["method"],
                    path=scope["path"],
                    route=template(scope),
                    status=status,
                    bytes=sent,
                    seconds=round(time.perf_counter() - began, 4),
                    peer=(scope.get("client") or ("",))[0],
                    account=_account(scope),
                )


def _account(scope: Scope) -> str:
    return getattr(scope.get("state", {}).get("principal"), "name", "")
