"""Serves the dashboard until it is told to stop: to one person on loopback, or to a team wherever the settings allow.

Knows where it listens; knows nothing of its pages.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.errors import InvalidInput
from karkhana.factory.stores import Stores
from karkhana.http.loops import run
from karkhana.http.server import Limits, listen, serve, server
from karkhana.web.api.application import Api
from karkhana.web.app import dashboard
from karkhana.web.site import Site
from karkhana.web.tls import Certificate

if TYPE_CHECKING:
    from karkhana.factory.traces import Traces

STOP_S = 10.0
"""Seconds that answers under way have after SIGTERM."""


def bound(host: str, port: int, access: AccessSettings | None = None) -> socket.socket:
    """A listening socket; on another address than loopback only for a team, with TLS or behind a proxy that is named.

    Raises ``InvalidInput`` for any other address, or one that is taken.
    """
    team = access is not None and access.team
    if team and not _is_loopback(host) and access is not None and access.certificate is None and not access.proxies:
        raise InvalidInput(
            f"a team signs in over TLS only: {host} needs a certificate, or a proxy that speaks TLS for it",
            "set access.certificate and access.key, or access.proxies; see docs/access.md",
        )
    if not team and not _is_loopback(host):
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
    traces: "Traces | None" = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    ``ready`` is given the address and the first link (a team has none), ``linked`` each further one.
    """
    host, port = listening.getsockname()[:2]
    access = stores.settings.access
    address = access.origin if access.team else f"http://{f'[{host}]' if ':' in host else host}:{port}"
    certificate = None
    if access.team and access.certificate is not None and access.key is not None:
        certificate = Certificate(access.certificate, access.key)

    def url(token: str) -> str:
        return f"{address}/enter?token={token}"

    app = dashboard(stores, account=account, port=port, say=lambda token: linked(url(token)), traces=traces)
    site: Site = app.state.site
    tls = certificate.context if certificate is not None else None
    made = server(app, Limits(), stop_s=STOP_S, cancelling=True, tls=tls)

    def serving() -> None:
        ready(address, "" if access.team else url(site.doors.link()))

    async def work() -> None:
        beside = [asyncio.ensure_future(_end_streams(made, site, app.state.api))]
        if certificate is not None:
            beside.append(asyncio.ensure_future(certificate.keep_fresh()))
        try:
            await serve(made, listening, serving)
        finally:
            for each in beside:
                each.cancel()

    run(work())


async def _end_streams(made: uvicorn.Server, site: Site, api: Api) -> None:
    """Streams have no end of their own, and a server that stops waits for all answers."""
    while not made.should_exit:  # noqa: ASYNC110 - uvicorn tells it by this attribute only
        await asyncio.sleep(0.1)
    site.hub.close()
    api.hub.close()
