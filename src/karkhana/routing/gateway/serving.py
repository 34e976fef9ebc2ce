"""Puts the gateway together and serves it. Knows where its parts come from; they do not know each other.

Blocks: prices and the database are opened before anything is served.
"""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from karkhana.domain.errors import InvalidInput, KarkhanaError
from karkhana.http.loops import run
from karkhana.http.server import Limits, listen, serve, server
from karkhana.routing.attempt import Place
from karkhana.routing.breaker import Health
from karkhana.routing.configuration import Configuration
from karkhana.routing.gateway.app import Gateway
from karkhana.routing.gateway.assembly import Assembly
from karkhana.routing.gateway.clients import Clients, KeyHolders, OpenHouse
from karkhana.routing.gateway.reloading import Reloading, read_file
from karkhana.routing.gateway.spans import USUAL, Sending
from karkhana.routing.keys import VirtualKeys
from karkhana.routing.ledger import Ledger
from karkhana.routing.prices import PriceBook
from karkhana.routing.prices_shipped import price_book
from karkhana.routing.telling import reporter_name, tell_breakers
from karkhana.storage.breaker_store import BreakerStore
from karkhana.storage.database import Database
from karkhana.storage.virtual_key_store import VirtualKeyStore

__all__ = ["assembled", "gateway", "read_file", "serve_gateway"]
REFRESH_S = 1.0
PRICES = "prices.json"
"""In Karkhana's home: the prices that were found for the configured models."""


@asynccontextmanager
async def assembled(
    configuration: Configuration, database: Database, prices: PriceBook, clients: Clients, sending: Sending = USUAL
) -> AsyncIterator[Assembly]:
    """The parts of a gateway, for one event loop."""
    async with Ledger(database) as ledger:
        assembly = Assembly(configuration, database, ledger, prices, clients, sending=sending)
        await assembly.start()
        try:
            yield assembly
        finally:
            await assembly.close()


@asynccontextmanager
async def gateway(
    configuration: Configuration, database: Database, prices: PriceBook, clients: Clients | None = None
) -> AsyncIterator[Gateway]:
    """The gateway of a configuration that does not change, for one event loop."""
    async with assembled(configuration, database, prices, clients or OpenHouse()) as assembly:
        yield assembly.app


def serve_gateway(
    path: Path, configuration: Configuration, database: Database, home: Path, ready: Callable[[str], None]
) -> None:
    """Serve what ``path`` says, which is read already, until SIGTERM or SIGINT; ``ready`` is given the address.

    Raises ``InvalidInput`` for an address that cannot be used, and what opening the parts raises.
    """
    serving = configuration.serving
    prices = price_book(configuration, home / PRICES)
    try:
        listening = listen(serving.host, serving.port)
    except OSError as error:
        raise InvalidInput(
            f"{serving.host}:{serving.port} cannot be used: {error.strerror}", "Set another port in [gateway]."
        ) from error
    host, port = listening.getsockname()[:2]
    door = _Door(database)
    clients = door.clients(serving.open)

    async def work() -> None:
        async with assembled(configuration, database, prices, clients) as assembly:
            reloading = Reloading(
                path,
                configuration,
                assembly,
                prices=lambda found: price_book(found, home / PRICES),
                clients=door.clients,
            )

            def breakers() -> Mapping[Place, Health]:
                # a file that is read anew brings another caller
                return assembly.insight.caller.breakers()

            telling = tell_breakers(breakers, BreakerStore(database), reporter_name("gateway", os.getpid()))
            tasks = [asyncio.ensure_future(each) for each in (door.refreshed(), reloading.watch(), telling)]
            try:
                with _told_to_reload(reloading):
                    await serve(
                        server(assembly.app, Limits(), cancelling=True),
                        listening,
                        lambda: ready(f"http://{host}:{port}"),
                    )
            finally:
                for task in tasks:
                    task.cancel()

    run(work())


class _Door:
    """Who is let in. Keys are read when they are needed first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: VirtualKeys | None = None

    def clients(self, open_to_all: bool) -> Clients:
        """Blocks."""
        if open_to_all:
            return OpenHouse()
        if self._keys is None:
            self._keys = VirtualKeys(VirtualKeyStore(self._database))
        return KeyHolders(self._keys)

    async def refreshed(self) -> None:
        """Keys that are added, changed or removed count from the next second on."""
        while True:
            await asyncio.sleep(REFRESH_S)
            if self._keys is not None:
                # A database that is away for a moment must not end the gateway: the keys known so far stay.
                with contextlib.suppress(KarkhanaError):
                    await asyncio.to_thread(self._keys.refresh)


@contextlib.contextmanager
def _told_to_reload(reloading: Reloading) -> Iterator[None]:
    """SIGHUP reads the file anew, where there is such a signal and we may take it."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reloading.ask)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
