"""The only way out of a sandbox while dependencies are installed: a server that reads package indexes for it.

It listens on a unix socket that is bound into the sandbox. It is no general proxy: it serves the pages of the
indexes that the host is configured with, and the files that those pages link to, by GET and nothing else. The
sandbox never learns where an index is nor the credentials for it, and cannot name any other address.

=====================  ===========================================================
``/index/N/PROJECT/``  the page of a project in the N-th index
``/links/N/``          a page of files (``--find-links``)
``/file/KEY/NAME``     a file that one of those pages linked to
=====================  ===========================================================
"""

import hashlib
import os
import re
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote, unquote, urlsplit

from karkhana.workspace import index_pages
from karkhana.workspace.index_pages import LinkedFile
from karkhana.workspace.index_settings import Index, IndexSettings
from karkhana.workspace.index_upstream import Answer, Unreachable, Upstream

REQUESTS_MAX = 20_000
BYTES_MAX = 16 << 30
"""All that one preparation may download."""
CONNECTIONS_MAX = 64
IDLE_S = 120.0
_PROJECT = re.compile(r"/index/(\d{1,3})/([A-Za-z0-9][A-Za-z0-9._-]{0,127})/")
_LINKS = re.compile(r"/links/(\d{1,3})/")
_FILE = re.compile(r"/file/([0-9a-f]{32})/([^/?#]{1,512})")
_PASSED_ON = (
    "content-length",
    "content-range",
    "content-type",
    "accept-ranges",
    "etag",
    "last-modified",
    "cache-control",
)
_PIECE = 1 << 16


class IndexProxy:
    """Context manager; listens at ``socket_path`` while open."""

    def __init__(self, settings: IndexSettings, socket_path: Path) -> None:
        self.socket_path = socket_path
        self.settings = settings
        self.problems: dict[str, None] = {}
        """What went wrong upstream, in sentences for a person."""
        self._upstream = Upstream(settings)
        self._files: dict[str, tuple[str, tuple[str, str] | None]] = {}
        self._lock = threading.Lock()
        self._requests = self._bytes = 0

    def __enter__(self) -> "IndexProxy":
        self._server = _Server(self.socket_path, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.socket_path.unlink(missing_ok=True)

    def installer_options(self, port: int) -> tuple[str, ...]:
        """What makes uv use this proxy, when ``port`` of the sandbox's loopback leads here."""
        root = f"http://127.0.0.1:{port}"
        numbered = list(enumerate(self.settings.indexes))
        simple = [f"{root}/index/{number}/" for number, index in numbered if not index.flat]
        options = ["--find-links=" + f"{root}/links/{number}/" for number, index in numbered if index.flat]
        if not simple:
            return (*options, "--no-index")
        if self.settings.first_match:
            # uv asks the extra indexes before the default one, which it asks last
            *extra, main = simple
        else:
            main, *extra = simple
            options.append("--index-strategy=unsafe-best-match")
        options += [f"--extra-index-url={url}" for url in extra]
        return (*options, f"--index-url={main}")

    def permit(self, received: int = 0) -> bool:
        """Count one request, or bytes of an answer; whether the bounds still hold."""
        with self._lock:
            self._requests += received == 0
            self._bytes += received
            return self._requests <= REQUESTS_MAX and self._bytes <= BYTES_MAX

    def page(self, number: int, project: str | None) -> tuple[int, bytes]:
        """Status and page of a project, or of a flat index."""
        if number >= len(self.settings.indexes) or self.settings.indexes[number].flat != (project is None):
            return 404, b""
        index = self.settings.indexes[number]
        url = index.url if project is None else f"{index.url.rstrip('/')}/{project}/"
        try:
            answer, data = self._upstream.page(url, index.login, index_pages.ACCEPT)
            if answer.status != 200:
                self._note_status(index, answer.status)
                return answer.status, b""
            files = index_pages.parse(answer.url, answer.headers.get("content-type", ""), data)
        except Unreachable as error:
            self.problems[f"the package index could not be reached: {error}"] = None
            return 502, b""
        except (ValueError, KeyError, TypeError) as error:
            self.problems[f"the page of {project} in the package index cannot be read: {error}"] = None
            return 502, b""
        return 200, index_pages.render(files, lambda file: self._register(index, file))

    def file(self, key: str, name: str, span: str | None) -> Answer | None:
        """A file that some page linked to; ``None`` when none did. Raises ``Unreachable``."""
        known = self._files.get(key)
        if known is None:
            return None
        url, login = known
        if name.endswith(".metadata"):
            url += ".metadata"
        return self._upstream.open(url, login, {"Range": span} if span else {})

    def _register(self, index: Index, file: LinkedFile) -> str:
        same = urlsplit(file.url)[:2] == urlsplit(index.url)[:2]
        if urlsplit(file.url).scheme == "file" and not index.url.startswith("file:"):
            return "/file/none"  # a page from the network may not name files of this host
        key = hashlib.sha256(file.url.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._files[key] = (file.url, index.login if same else None)
        return f"/file/{key}/{quote(file.name)}"

    def _note_status(self, index: Index, status: int) -> None:
        if status in (401, 403):
            host = urlsplit(index.url).hostname
            self.problems[f"the package index {host} answered {status}: check its credentials"] = None


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: Path, proxy: IndexProxy) -> None:
        self.proxy = proxy
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        # a unix socket's name is short; reached by its folder's descriptor it may lie anywhere
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            super().__init__(f"/proc/self/fd/{folder}/{path.name}", _Handler)
        finally:
            os.close(folder)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """The other side went away, or sent nonsense: nothing that anyone need hear of."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "karkhana"
    sys_version = ""
    timeout = IDLE_S
    server: _Server

    def do_GET(self) -> None:
        proxy, path = self.server.proxy, unquote(self.path, errors="strict")
        if not proxy.permit():
            self._answer(429, b"")
        elif match := _PROJECT.fullmatch(path):
            self._answer(*proxy.page(int(match[1]), match[2]))
        elif match := _LINKS.fullmatch(path):
            self._answer(*proxy.page(int(match[1]), None))
        elif match := _FILE.fullmatch(path):
            self._file(match[1], match[2])
        else:
            self._answer(404, b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _file(self, key: str, name: str) -> None:
        try:
            answer = self.server.proxy.file(key, name, self.headers.get("Range"))
        except Unreachable as error:
            self.server.proxy.problems[f"the package index could not be reached: {error}"] = None
            answer, status = None, 502
        else:
            status = 404
        if answer is None:
            self._answer(status, b"")
            return
        with answer.body as body:
            self.send_response(answer.status)
            for header in _PASSED_ON:
                if header in answer.headers:
                    self.send_header(header, answer.headers[header])
            if "content-length" not in answer.headers:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if self.command == "GET":
                self._copy(body)

    def _copy(self, body: IO[bytes]) -> None:
        while piece := body.read(_PIECE):
            if not self.server.proxy.permit(len(piece)):
                self.close_connection = True
                return
            self.wfile.write(piece)

    def _answer(self, status: int, page: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", index_pages.HTML)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(page)

    def address_string(self) -> str:
        return "sandbox"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests come from untrusted code and say nothing that a person needs."""
