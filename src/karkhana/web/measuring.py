"""Counts what the dashboard is asked, and answers ``GET /metrics``.

The label of a request is its route's template, never its path. Outside of the guard: a scrape has no session. Knows
nothing of what pages show.
"""

import time

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from karkhana.factory.metrics import FactoryMetrics, new_registry
from karkhana.factory.metrics_access import allowed
from karkhana.storage.database import Database

PATH = "/metrics"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STREAM = b"text/event-stream"


class WebMetrics:
    """The figures of one server."""

    def __init__(self, database: Database, token: str = "", registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or new_registry()
        self.registry.register(FactoryMetrics(database))
        self.token = token
        self.requests = Counter(
            "karkhana_http_requests", "Requests.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "karkhana_http_request_seconds",
            "Seconds until an answer began.",
            ["route"],
            buckets=BOUNDS,
            registry=self.registry,
        )
        self.streams = Gauge("karkhana_http_streams", "Pages that are kept up to date.", registry=self.registry)
        self._deliveries = Counter(
            "karkhana_deliveries", "Deliveries at doors.", ["door", "outcome"], registry=self.registry
        )

    def delivered(self, door: str, outcome: str) -> None:
        """A delivery was answered; ``door`` is a name from the settings, ``outcome`` a word of ours."""
        self._deliveries.labels(door, outcome).inc()

    def page(self, request: Request) -> Response:
        """``/metrics``. Asks the database: not for the event loop."""
        peer = request.client.host if request.client else ""
        if not allowed(request.headers, peer, token=self.token):
            return PlainTextResponse("These figures are not for you.\n", 403)
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class Measured:
    """ASGI middleware, around everything else."""

    def __init__(self, app: ASGIApp, metrics: WebMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == PATH and scope["method"] in ("GET", "HEAD"):
            answer = await run_in_threadpool(self._metrics.page, Request(scope))
            await answer(scope, receive, send)
            return
        began, metrics, streaming = time.perf_counter(), self._metrics, False

        async def measured(message: Message) -> None:
            nonlocal streaming
            if message["type"] == "http.response.start":
                route = template(scope)
                method = scope["method"] if scope["method"] in METHODS else "other"
                metrics.requests.labels(method, route, str(message["status"])).inc()
                metrics.seconds.labels(route).observe(time.perf_counter() - began)
                if not streaming and any(n == b"content-type" and STREAM in t for n, t in message["headers"]):
                    streaming = True
                    metrics.streams.inc()
            await send(message)

        try:
            await self._app(scope, receive, measured)
        finally:
            if streaming:
                metrics.streams.dec()


def template(scope: Scope) -> str:
    """The route that answered, as it is written in the program; ``other`` for what none did."""
    path = getattr(scope.get("route"), "path_format", None) or getattr(scope.get("route"), "path", None)
    return f"{scope.get('root_path', '')}{path}" if path else "other"
