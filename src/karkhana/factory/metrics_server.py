"""A worker's figures over HTTP: ``GET /metrics`` and ``GET /healthz``, nothing else, in threads of its own.

>>> # with serving_metrics(registry, "127.0.0.1", 0, token="") as port: ...
"""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry

from karkhana.domain.errors import InvalidInput
from karkhana.factory.metrics_access import allowed

PATIENCE_S = 5.0
"""Seconds in which a request has to be here."""


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


@contextmanager
def serving_metrics(registry: CollectorRegistry, host: str, port: int, *, token: str) -> Iterator[int]:
    """Serve while the block is open, and say on which port (0 takes a free one).

    Raises ``InvalidInput`` when the address cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE_S
        server_version, sys_version = "karkhana", ""

        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._answer(200, "text/plain", b"ok\n")
            elif self.path != "/metrics":
                self._answer(404, "text/plain", b"There is no such page.\n")
            elif not allowed({n.lower(): t for n, t in self.headers.items()}, self.client_address[0], token=token):
                self._answer(403, "text/plain", b"These figures are not for you.\n")
            else:
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))

        def _answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_words: object) -> None:
            """Not to stderr: a scrape every few seconds is no news."""

    server = _made(host, port, Handler)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _made(host: str, port: int, handler: Callable[..., BaseHTTPRequestHandler]) -> _Server:
    try:
        return _Server((host, port), handler)
    except OSError as error:
        raise InvalidInput(
            f"{host}:{port} cannot be used: {error.strerror}", "choose another --metrics-port"
        ) from error
