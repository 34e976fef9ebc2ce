"""Calls a web application in process, request after request, as a server would.

Part of a program for the sandbox; ``openapi_probe`` and ``web_probe`` stand before it. Speaks ASGI 3 (with the start of
its lifespan) and WSGI (PEP 3333). Cookies that the application sets are sent where a request had one of that name:
recordings hold no values of cookies. Standard library only. Knows nothing of what is asked, and why.

    replay({"root": "/workspace", "requests": [["GET", "/items?all=1", [["accept", "*/*"]], ""]], ...})
"""

import asyncio
import base64
import contextlib
import io
import os
import re
import signal
import urllib.parse
from typing import Any

from karkhana.quality.probes.openapi_probe import reason
from karkhana.quality.probes.web_probe import find_applications, prepare


class TooSlow(BaseException):
    """An application did not answer in time; no ``except Exception`` of its own holds it up."""


class Caller:
    """Calls one application, request after request, with one event loop and the cookies that it sets."""

    def __init__(self, app: Any, is_asgi: bool, seconds: Any) -> None:
        self.app = app
        self.seconds = seconds
        self.jar: Any = {}
        self.loop: Any = asyncio.new_event_loop() if is_asgi else None
        self.lifespan: Any = None
        if self.loop:
            asyncio.set_event_loop(self.loop)
            self.limited(lambda: self.loop.run_until_complete(self.start()))

    def limited(self, work: Any) -> Any:
        """What ``work`` gives; raises ``TooSlow``."""

        def ring(number: Any, frame: Any) -> None:
            raise TooSlow(f"no answer within {self.seconds} s")

        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            return work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    async def start(self) -> None:
        """Tell the application that it starts; one that does not care raises or says nothing."""
        started = asyncio.Event()
        told: Any = [{"type": "lifespan.startup"}]

        async def receive() -> Any:
            return told.pop() if told else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            started.set()

        async def live() -> None:
            with contextlib.suppress(Exception):
                await self.app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
            started.set()

        self.lifespan = self.loop.create_task(live())
        await started.wait()

    def call(self, method: Any, target: Any, headers: Any, body: Any) -> Any:
        """``(status, headers, body, error)``; an exception that the application lets rise is a status of 500."""
        kept = [(k.lower(), v) for k, v in headers if k.lower() not in ("cookie", "content-length")]
        asked = [k for h, v in headers if h.lower() == "cookie" for k in re.findall(r"([^=;\s]+)=", v)]
        cookies = "; ".join(f"{k}={self.jar[k]}" for k in asked if k in self.jar)
        kept += [("cookie", cookies)] if cookies else []
        kept += [("content-length", str(len(body)))] if body else []
        if not any(k == "host" for k, _ in kept):
            kept.append(("host", "localhost"))
        got: Any = {"status": 0, "headers": [], "body": []}
        error = ""
        run = self.by_asgi if self.loop else self.by_wsgi
        try:
            self.limited(lambda: run(method, target, kept, body, got))
        except (Exception, TooSlow, SystemExit) as problem:  # it is the answer that a server would turn into a 500
            error = reason(problem)
            got["status"] = got["status"] if got["status"] >= 500 else 500
        for key, value in got["headers"]:
            if key.lower() == "set-cookie":
                name, _, rest = value.partition("=")
                self.jar[name.strip()] = rest.split(";")[0]
        return got["status"], got["headers"], b"".join(got["body"]), error

    def by_asgi(self, method: Any, target: Any, headers: Any, body: Any, got: Any) -> None:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": urllib.parse.unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.encode("latin-1", "replace"), v.encode("latin-1", "replace")) for k, v in headers],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
            "state": {},
        }
        left = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return left.pop() if left else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                got["status"] = message["status"]
                got["headers"] = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message.get("headers", ())]
            elif message["type"] == "http.response.body":
                got["body"].append(bytes(message.get("body", b"")))

        self.loop.run_until_complete(self.app(scope, receive, send))

    def by_wsgi(self, method: Any, target: Any, headers: Any, body: Any, got: Any) -> None:
        path, _, query = target.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for key, value in headers:
            name = key.upper().replace("-", "_")
            environ[name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + name] = value

        def start_response(status: Any, given: Any, exc_info: Any = None) -> Any:
            got["status"] = int(status.split()[0])
            got["headers"] = list(given)
            return got["body"].append

        answer = self.app(environ, start_response)
        try:
            got["body"].extend(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()


def replay(job: Any) -> None:
    """Answer every request in order; one line for each, and one line first for the application."""
    root, answer = prepare(job)
    apps, failed = find_applications(root, job["most"])
    if not apps:
        answer({"application": "", "failed": failed})
        return
    name, app, is_asgi = apps[0]
    answer({"application": name, "failed": failed})
    try:
        caller = Caller(app, is_asgi, job["seconds"])
    except TooSlow as error:
        answer({"application": "", "failed": {name: reason(error)}})
        return
    for number, (method, target, headers, body) in enumerate(job["requests"]):
        status, got, content, raised = caller.call(method, target, headers, base64.b64decode(body))
        said = base64.b64encode(content[: job["largest"]]).decode()
        answer(
            {"number": number, "status": status, "headers": got, "body": said, "size": len(content), "error": raised}
        )
    os._exit(0)  # threads of the application must not hold the end up
