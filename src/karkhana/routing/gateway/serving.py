"""Puts the gateway together and serves it. Knows where its parts come from; they do not know each other.

Blocks: prices and the database are opened before anything is served.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from karkhana.domain.errors import InvalidInput, InvalidSetting, KarkhanaError
from karkhana.http.loops import run
from karkhana.http.pool import Pool, PoolSettings
from karkhana.http.server import Limits, listen, serve, server
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Configuration, read_configuration
from karkhana.routing.gateway.app import Gateway
from karkhana.routing.gateway.books import Books
from karkhana.routing.gateway.clients import Clients, KeyHolders, OpenHouse
from karkhana.routing.keys import VirtualKeys
from karkhana.routing.ledger import Ledger
from karkhana.routing.prices import PriceBook
from karkhana.routing.prices_shipped import price_book
from karkhana.routing.provider import Provider
from karkhana.routing.wires.registry import WIRES
from karkhana.storage.database import Database
from karkhana.storage.virtual_key_store import VirtualKeyStore

REFRESH_S = 1.0
PRICES = "prices.json"
"""In Karkhana's home: the prices that were found for the configured models."""


def read_file(path: Path, environ: Mapping[str, str] = os.environ) -> Configuration:
    """Raises ``InvalidSetting`` with what is wrong and where."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{path} cannot be read: {error}", "Name the file with --config.") from error
    return read_configuration(text, environ=environ, source=str(path))


@asynccontextmanager
async def gateway(
    configuration: Configuration, database: Database, prices: PriceBook, clients: Clients | None = None
) -> AsyncIterator[Gateway]:
    """The gateway of a configuration, for one event loop."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(database))
        providers = {}
        for name, entry in configuration.providers.items():
            pool = await stack.enter_async_context(Pool(PoolSettings.from_environment(per_origin=entry.connections)))
            providers[name] = Provider(name, WIRES[entry.wire], entry.base_url, configuration.keys[name], pool)
        limits = {
            (candidate.provider, candidate.model): model.entry.output
            for model in configuration.models.values()
            for candidate in model.candidates
            if model.entry.output is not None
        }
        books = Books(ledger, prices, limits)
        caller = Caller(providers, observer=books)
        yield Gateway(configuration, caller, books, clients or OpenHouse())


def serve_gateway(configuration: Configuration, database: Database, home: Path, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is given the address.

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

    keys = None if serving.open else VirtualKeys(VirtualKeyStore(database))

    async def work() -> None:
        clients = OpenHouse() if keys is None else KeyHolders(keys)
        async with gateway(configuration, database, prices, clients) as app:
            fresh = asyncio.ensure_future(_refreshed(keys)) if keys is not None else None
            try:
                await serve(server(app, Limits()), listening, lambda: ready(f"http://{host}:{port}"))
            finally:
                if fresh is not None:
                    fresh.cancel()

    run(work())


async def _refreshed(keys: VirtualKeys) -> None:
    """Keys that are added, changed or removed count from the next second on."""
    while True:
        await asyncio.sleep(REFRESH_S)
        # A database that is away for a moment must not end the gateway: the keys known so far stay.
        with suppress(KarkhanaError):
            await asyncio.to_thread(keys.refresh)
