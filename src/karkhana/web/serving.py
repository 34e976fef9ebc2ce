"""Serves the dashboard on loopback until it is told to stop. Knows where it listens; knows nothing of its pages."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable

import uvicorn

from karkhana.domain.errors import InvalidInput
from karkhana.factory.stores import Stores
from karkhana.http.loops import run
from karkhana.http.server import Limits, listen, serve, server
from karkhana.web.api.application import Api
from karkhana.web.app import dashboard
from karkhana.web.site import Site

STOP_S = 10.0
"""Seconds that answers under way have after SIGTERM."""


def bound(host: str, port: int) -> socket.socket:
    """A listening socket on loopback. Raises ``InvalidInput`` for any other address, or one that is taken."""
    if not _is_loopback(host):
        raise InvalidInput(
            f"the dashboard lets one person in, and listens on this machine only: {host} is not of it",
            "use --host 127.0.0.1, and reach it from elsewhere by: ssh -L PORT:127.0.0.1:PORT HOST",
        )
    try:
        return listen("127.0.0.1" if host == "localhost" else host, port)
    except OSError as error:
        raise InvalidInput(f"{host}:{port} cannot be used: {error.strerror}", "choose another --port") from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host) in _ADDRESSES
    except ValueError:
        return False


_ADDRESSES = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}


def serve_dashboard(
    stores: Stores,
    listening: socket.socket,
    *,
    account: str,
    ready: Callable[[str, str], None],
    linked: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT.

    ``ready`` is given the address and the first link, ``linked`` each further one.
    """
    host, port = listening.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def url(token: str) -> str:
        return f"{address}/enter?token={token}"

    app = dashboard(stores, account=account, port=port, say=lambda token: linked(url(token)))
    site: Site = app.state.site
    made = server(app, Limits(), stop_s=STOP_S, cancelling=True)

    async def work() -> None:
        ending = asyncio.ensure_future(_end_streams(made, site, app.state.api))
        try:
            await serve(made, listening, lambda: ready(address, url(site.doors.link())))
        finally:
            ending.cancel()

    run(work())


async def _end_streams(made: uvicorn.Server, site: Site, api: Api) -> None:
    """Streams have no end of their own, and a server that stops waits for all answers."""
    while not made.should_exit:  # noqa: ASYNC110 - uvicorn tells it by this attribute only
        await asyncio.sleep(0.1)
    site.hub.close()
    api.hub.close()
