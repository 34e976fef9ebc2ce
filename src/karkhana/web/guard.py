"""What stands before every page: the host's name, the session, where a form came from, and the headers of an answer.

- A ``Host`` that is not ours is refused: a stranger's name that resolves to 127.0.0.1 (DNS rebinding) is no way in.
- A form needs our ``Origin`` and the session's token (OWASP: double submit, bound to the session).
- Nothing on a page may come from elsewhere, and nothing inline runs (Content-Security-Policy).

Knows nothing of what pages show.
"""

import urllib.parse
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from karkhana.domain.access import single_user
from karkhana.web.access import Doors
from karkhana.web.hooks import PREFIX
from karkhana.web.rendering import Pages

LARGEST_FORM = 64 * 1024
OPEN = ("/enter", "/link", "/healthz", "/readyz")
"""Paths that need no session."""
SAFE = ("GET", "HEAD")
AGAIN = "Open the page again and send it there."
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # not no-referrer: with that a browser sends "Origin: null" with our own forms
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """ASGI middleware.

    Pages find who asks in ``request.state.principal``, their ``request.state.session`` and, for a form,
    ``request.state.form``.
    """

    def __init__(self, app: ASGIApp, *, doors: Doors, pages: Pages, hosts: frozenset[str], cookie: str) -> None:
        self._app = app
        self._doors = doors
        self._pages = pages
        self._hosts = hosts
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        request = Request(scope, receive)
        try:
            refused = await self._refused(request)
        except ClientDisconnect:
            return
        await (refused or self._app)(scope, receive, guarded)

    async def _refused(self, request: Request) -> Response | None:
        if request.url.path.startswith(PREFIX):
            # senders reach them under the name of whatever passes them on; their signatures decide
            request.state.session = request.state.principal = None
            return None
        if request.headers.get("host", "").lower() not in self._hosts:
            return PlainTextResponse("This is not the host that you asked for.\n", 421)
        path = request.url.path
        session = self._doors.session(request.cookies.get(self._cookie, ""))
        request.state.session = session
        request.state.principal = None if session is None else single_user(session.account)
        request.state.session_id = request.cookies.get(self._cookie, "")
        if session is None and path not in OPEN and not path.startswith("/static/"):
            return self._closed(request)
        if request.method in SAFE:
            return None
        if request.method != "POST":
            return PlainTextResponse("There is nothing here for this method.\n", 405, {"allow": "GET, HEAD, POST"})
        if request.headers.get("origin") != f"http://{request.headers['host'].lower()}":
            return self._told(request, 403, "This form did not come from here", AGAIN)
        form = await _form(request)
        if form is None:
            return self._told(request, 413, "The form is too large", f"A form may have {LARGEST_FORM} bytes.")
        request.state.form = form
        if path not in OPEN and (session is None or not session.sent(form.get("csrf", ""))):
            return self._told(request, 403, "This form is too old", AGAIN)
        return None

    def _closed(self, request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("You are not signed in.\n", 401)
        return Response(
            self._pages.render("enter.html", refused="", asked=False, theme="auto"), 401, media_type="text/html"
        )

    def _told(self, request: Request, status: int, title: str, text: str) -> Response:
        page = self._pages.render("plain.html", title=title, text=text, theme="auto")
        return Response(page, status, media_type="text/html")


async def _form(request: Request) -> dict[str, str] | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            return None
    pairs: list[tuple[Any, Any]] = urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return dict(pairs)
