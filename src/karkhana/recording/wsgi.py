"""Records what a WSGI application (PEP 3333) is asked.

Knows nothing of files.

    app = RecordWsgi(app, "recordings/shop.har")
"""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from karkhana.recording.har import HarFile

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
LARGEST = 262_144
"""Bytes of a body; requests with a larger one, or one of unknown length, are not kept."""


class RecordWsgi:
    """A WSGI application in front of another. ``har``: a path, or a :class:`HarFile` with settings of its own."""

    def __init__(self, app: App, har: str | Path | HarFile) -> None:
        self._app = app
        self._har = har if isinstance(har, HarFile) else HarFile(har)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        if self._har.full or chunked or not str(length).isdecimal() or int(length) > LARGEST:
            return self._app(environ, start_response)
        body = environ["wsgi.input"].read(int(length)) if int(length) else b""
        environ["wsgi.input"] = io.BytesIO(body)
        status = 0

        def start(line: str, *rest: Any) -> Any:
            nonlocal status
            status = int(line.split(" ", 1)[0])
            return start_response(line, *rest)

        path = quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"))
        query = environ.get("QUERY_STRING", "")
        headers = _headers(environ)
        try:
            return self._app(environ, start)
        finally:
            self._har.add(environ["REQUEST_METHOD"], path, query, headers=headers, body=body, status=status)


def _headers(environ: Environ) -> list[tuple[str, str]]:
    kept = [("Content-Type", environ["CONTENT_TYPE"])] if environ.get("CONTENT_TYPE") else []
    named = [(key[5:].replace("_", "-").title(), str(value)) for key, value in environ.items() if key[:5] == "HTTP_"]
    return [*kept, *named]
