"""What stands before every page: the host's name, who comes, where a form came from, and the headers of an answer.

- A ``Host`` that is not ours is refused: a stranger's name that resolves to 127.0.0.1 (DNS rebinding) is no way in.
- A form needs our ``Origin`` and the session's token (OWASP: double submit, bound to the session).
- A program shows a token to the API, never with a cookie; a browser that uses the API proves where it is.
- A stream ends when whoever reads it is let in no more.
- Nothing on a page may come from elsewhere, and nothing inline runs (Content-Security-Policy).

Knows nothing of what pages show, nor of who may see which (:mod:`karkhana.web.permissions`).
"""

import math
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from karkhana.domain.access import Principal
from karkhana.domain.access_tokens import well_formed
from karkhana.web.api.problems import MEDIA, made
from karkhana.web.hooks import PREFIX
from karkhana.web.limits import client_of, forwarded, neighbourhood, within
from karkhana.web.rendering import Pages
from karkhana.web.streaming import Ending, Streams
from karkhana.web.threshold import Threshold
from karkhana.web.visitors import Visitor

LARGEST_FORM = 64 * 1024
HEALTH = ("/healthz", "/readyz")
OPEN = {False: ("/enter", "/link", *HEALTH), True: ("/signin", "/signin/done", *HEALTH)}
"""Paths that need no session: of one person's server, and of a team's."""
API = "/api"
SAFE = ("GET", "HEAD")
CSRF_HEADER = "x-csrf-token"
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
TEAM_HEADERS: Mapping[str, str] = {**HEADERS, "strict-transport-security": "max-age=31536000"}


class Guard:
    """ASGI middleware.

    Pages find who asks in ``request.state.principal`` (``None``: nobody), their ``request.state.session`` and, for a
    form, ``request.state.form``.
    """

    def __init__(self, app: ASGIApp, *, threshold: Threshold, pages: Pages) -> None:
        self._app = app
        self._threshold = threshold
        self._pages = pages
        self._open = OPEN[threshold.team is not None]
        self._headers = HEADERS if threshold.team is None else TEAM_HEADERS
        self._streams = Streams(threshold.standing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ending = Ending(self._headers, receive, send)
        request = Request(scope, receive)
        try:
            refused = await self._refused(request)
        except ClientDisconnect:
            return
        if refused is not None:
            await refused(scope, receive, ending.send)
            return
        with self._streams.watching(ending, request.state.principal, request.state.session_id):
            await self._app(scope, ending.receive, ending.send)
        await ending.finish()
        if request.url.path == "/leave" and request.method == "POST":
            self._streams.end(request.state.session_id)

    async def _refused(self, request: Request) -> Response | None:
        request.state.session = request.state.principal = None
        request.state.session_id = ""
        path, threshold = request.url.path, self._threshold
        peer = request.client.host if request.client else ""
        if not threshold.direct and path not in HEALTH and not within(peer, threshold.proxies):
            return PlainTextResponse("This server is reached through its proxy only.\n", 403)
        request.state.address = client_of(peer, forwarded(request.headers), threshold.proxies)
        if path.startswith(PREFIX):
            # senders reach them under the name of whatever passes them on; their signatures decide
            return None
        if request.headers.get("host", "").lower() not in threshold.origins and not (
            threshold.team is not None and path in HEALTH
        ):
            return PlainTextResponse("This is not the host that you asked for.\n", 421)
        if path == API or path.startswith(API + "/"):
            return await self._api(request)
        visitor = await self._visitor(request)
        if visitor is None and path not in self._open and not path.startswith("/static/"):
            return self._closed(request)
        if request.method in SAFE:
            return None
        if request.method != "POST":
            return PlainTextResponse("There is nothing here for this method.\n", 405, {"allow": "GET, HEAD, POST"})
        return await self._form_refused(request, visitor)

    async def _visitor(self, request: Request) -> Visitor | None:
        session_id = request.cookies.get(self._threshold.cookie, "")
        if self._threshold.team is None or not session_id:
            visitor = self._threshold.visitors.find(session_id)
        else:
            visitor = await run_in_threadpool(self._threshold.visitors.find, session_id)
        request.state.session = visitor
        request.state.session_id = session_id
        request.state.principal = None if visitor is None else visitor.principal
        return visitor

    async def _form_refused(self, request: Request, visitor: Visitor | None) -> Response | None:
        if not self._ours(request):
            return self._told(request, 403, "This form did not come from here", AGAIN)
        form = await _form(request)
        if form is None:
            return self._told(request, 413, "The form is too large", f"A form may have {LARGEST_FORM} bytes.")
        request.state.form = form
        if request.url.path not in self._open and (visitor is None or not visitor.sent(form.get("csrf", ""))):
            return self._told(request, 403, "This form is too old", AGAIN)
        return None

    def _ours(self, request: Request) -> bool:
        return request.headers.get("origin") == self._threshold.origins.get(request.headers.get("host", "").lower())

    async def _api(self, request: Request) -> Response | None:
        """A token, or a session whose page proves where it is; who shows neither is the API's to answer."""
        shown = request.headers.get("authorization")
        if shown is None:
            visitor = await self._visitor(request)
            if visitor is not None and request.method not in (*SAFE, "OPTIONS"):
                sent = visitor.sent(request.headers.get(CSRF_HEADER, ""))
                if not sent or not self._ours(request):
                    return _problem(403, "forged", f"A page proves where it is by Origin and {CSRF_HEADER}.")
        elif self._threshold.cookie in request.cookies:
            return _problem(400, "two_identities", "A token and a session came together.", "Send one of them.")
        else:
            scheme, _, secret = shown.partition(" ")
            found = None
            if scheme.lower() == "bearer":
                found = await run_in_threadpool(self._threshold.program, secret.strip())
            # what has not even the form of a secret was looked up nowhere, and is no try to find one
            tried = found is None and well_formed(secret.strip())
            if tried and (wait_s := self._threshold.failures.take(neighbourhood(request.state.address))):
                return _problem(429, "too_many_failures", "Too many tokens that open nothing.", wait_s=wait_s)
            request.state.principal = found
        principal: Principal | None = request.state.principal
        if principal is not None and (wait_s := self._threshold.requests.take(_key(principal))):
            return _problem(429, "too_many_requests", "Too many requests.", "Ask less often.", wait_s=wait_s)
        return None

    def _closed(self, request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("You are not signed in.\n", 401)
        if self._threshold.team is None:
            page = self._pages.render("enter.html", refused="", asked=False, theme="auto")
        else:
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            way = urllib.parse.urlencode({"back": back}) if request.method in SAFE and back != "/" else ""
            page = self._pages.render("signin.html", refused="", way=way, theme="auto")
        return Response(page, 401, media_type="text/html")

    def _told(self, request: Request, status: int, title: str, text: str) -> Response:
        page = self._pages.render("plain.html", title=title, text=text, theme="auto")
        return Response(page, status, media_type="text/html")


def _key(principal: Principal) -> str:
    return principal.token_id or f"{principal.via}:{principal.name}"


def _problem(status: int, code: str, detail: str, next: str = "", *, wait_s: float = 0.0) -> Response:
    headers = {"retry-after": str(math.ceil(wait_s))} if wait_s else {}
    return Response(msgspec.json.encode(made(status, code, detail, next)), status, headers, MEDIA)


async def _form(request: Request) -> dict[str, str] | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            return None
    pairs: list[tuple[Any, Any]] = urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return dict(pairs)
