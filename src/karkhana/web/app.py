"""Puts the dashboard together: its addresses, its guard, and what it does while it runs."""

import asyncio
import contextlib
import secrets
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from karkhana.domain.errors import KarkhanaError
from karkhana.factory.admission import Desk
from karkhana.factory.answering import answering_for
from karkhana.factory.approvals import answer
from karkhana.factory.doors import open_doors
from karkhana.factory.rounds import EVERY_S, Rounds
from karkhana.factory.stores import Stores
from karkhana.factory.webhook_sending import Telling
from karkhana.storage.intake_store import IntakeStore
from karkhana.storage.run_lists import RunLists
from karkhana.web.access import Doors
from karkhana.web.api import open_api
from karkhana.web.costs import Costs
from karkhana.web.deciding import Answering, Deciding
from karkhana.web.digests import Digests
from karkhana.web.grounds import Grounds
from karkhana.web.guard import Guard
from karkhana.web.hooks import PREFIX, Hooks
from karkhana.web.kept import Kept
from karkhana.web.live import Hub
from karkhana.web.logged import Logged
from karkhana.web.measuring import Measured, WebMetrics
from karkhana.web.pages import streams
from karkhana.web.permissions import permitted
from karkhana.web.products import Products
from karkhana.web.rendering import Pages
from karkhana.web.routes import pages_of_ours
from karkhana.web.site import Site, site_of
from karkhana.web.threshold import threshold_of
from karkhana.web.timing import Timed
from karkhana.web.traced import Traced

if TYPE_CHECKING:
    from karkhana.factory.traces import Traces

_log = structlog.get_logger(__name__)
MEDIA = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def dashboard(
    stores: Stores,
    *,
    account: str,
    port: int,
    say: Callable[[str], None] = lambda _token: None,
    answering: Answering = answer,
    traces: "Traces | None" = None,
) -> Starlette:
    """The ASGI program for one address on loopback.

    ``account`` is who is let in and decides; ``say`` is given each new token, for the terminal. The program's
    ``state.site`` holds its parts.
    """
    lists, pages, doors = RunLists(stores.database), Pages(), Doors(account)
    digests = Digests(stores.events)
    threshold = threshold_of(stores, doors, port)
    hub = Hub(lists, lambda topic, after: streams.body(site, topic, after))
    site = Site(
        stores=stores,
        lists=lists,
        pages=pages,
        doors=doors,
        threshold=threshold,
        digests=digests,
        costs=Costs(lists),
        grounds=Grounds(),
        hub=hub,
        deciding=Deciding(answering),
        products=Products(lists),
        kept=Kept(),
        account=account,
        cookie=threshold.cookie,
        say=say,
    )
    store = IntakeStore(stores.database)
    sender = answering_for(stores, store.outbox)
    desk = Desk(stores, store, sender.earlier)
    metrics = WebMetrics(stores.database, stores.settings.metrics.token)
    receiving = Hooks(
        open_doors(stores.settings, stores.sealed.reveal),
        desk,
        counted=metrics.delivered,
        admitted=traces.admitted if traces is not None else None,
    )
    api = open_api(site)
    telling = Telling(stores, f"{account}:{port}:{secrets.token_hex(4)}")

    async def hooks(request: Request) -> Response:
        return await receiving(request)

    @contextlib.asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        works = (hub.watch(), api.hub.watch(), _go_rounds(Rounds(stores, desk)), sender.go_on(), telling.run())
        try:
            with _going_on(works):
                yield
        finally:
            hub.close()
            api.hub.close()
            await asyncio.to_thread(site.deciding.close)

    app = Starlette(
        routes=[
            *permitted([*pages_of_ours(), Route("/static/{name}", _static)]),
            Route(PREFIX + "{name}", hooks, methods=["POST"]),
            Mount("/api", api),
        ],
        middleware=[
            Middleware(Logged),
            Middleware(Traced, traces=traces),
            Middleware(Measured, metrics=metrics),
            Middleware(Timed),
            Middleware(Guard, threshold=threshold, pages=pages),
        ],
        exception_handlers={KarkhanaError: _failed, 404: _unknown},
        lifespan=running,
    )
    app.state.site, app.state.api = site, api
    return app


@contextlib.contextmanager
def _going_on(works: Iterable[Coroutine[Any, Any, None]]) -> Iterator[None]:
    going = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for each in going:
            each.cancel()


async def _go_rounds(rounds: Rounds) -> None:
    while rounds.needed:
        try:
            await asyncio.to_thread(rounds.go)
        except KarkhanaError as error:
            # the next round may find the database again; a person sees it in the log
            _log.warning("round.failed", code=error.code, message=error.message)
        except Exception:
            # nobody would notice that mail is not read any more; the log has the place
            _log.error("round.failed", code="internal", trace=traceback.format_exc())
        await asyncio.sleep(EVERY_S)


@cache
def _files() -> dict[str, bytes]:
    folder = resources.files("karkhana.web") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.split(".")[-1] in MEDIA}


def _static(request: Request) -> Response:
    name: str = request.path_params["name"]
    content = _files().get(name)
    if content is None:
        return Response("There is no such file.\n", 404, media_type="text/plain")
    kept = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(content, headers=kept, media_type=MEDIA[name.rsplit(".", maxsplit=1)[-1]])


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, KarkhanaError)
    return site_of(request).page(request, "error.html", 500, message=error.message, next=error.next)


def _unknown(request: Request, _error: Exception) -> Response:
    if request.state.session is None:
        return Response("There is no such page.\n", 404, media_type="text/plain")
    return site_of(request).missing(request, "page")
