"""Puts the gateway's parts together as a configuration says, and anew when it changes.

What did not change stays: a provider with the same settings and keys keeps its connections and breakers. Requests
under way end with the parts that they began with; connections of a provider that is gone are closed as they become
free. Knows nothing of files.
"""

import asyncio
import time
from collections.abc import Sequence

from karkhana.domain.spending import Standing
from karkhana.http.pool import Pool, PoolSettings
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Configuration
from karkhana.routing.gateway.app import Gateway
from karkhana.routing.gateway.books import Books
from karkhana.routing.gateway.cache import Cache
from karkhana.routing.gateway.clients import Clients
from karkhana.routing.gateway.insight import Insight
from karkhana.routing.gateway.learning import Learning
from karkhana.routing.gateway.spans import USUAL, Sending, Spans
from karkhana.routing.gateway.tally import Tally
from karkhana.routing.ledger import Ledger
from karkhana.routing.prices import PriceBook
from karkhana.routing.provider import Provider
from karkhana.routing.wires.registry import WIRES
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database


class Assembly:
    """For one event loop."""

    def __init__(
        self,
        configuration: Configuration,
        database: Database,
        ledger: Ledger,
        prices: PriceBook,
        clients: Clients,
        *,
        sending: Sending = USUAL,
    ) -> None:
        self._sending = sending
        self._ledger = ledger
        self._tally = Tally()
        self._configuration = configuration
        self._providers: dict[str, tuple[Provider, Pool]] = {}
        self._retired: list[Pool] = []
        self._learning = Learning(database)
        self._choosing = self._learning.choosing(configuration, prices)
        self._caller, books = self._calling(configuration, prices)
        self.insight = Insight(
            configuration,
            self._caller,
            ledger,
            self._tally,
            lambda: _standings(BudgetStore(database)),
            cache=_cache(configuration, None),
            spans=_spans(configuration, None, sending),
        )
        self.app = Gateway(configuration, self._caller, books, clients, self.insight, choosing=self._choosing)

    async def start(self) -> None:
        """Begin what is done beside requests; :meth:`close` ends it."""
        await self._learning.settle()

    async def reload(self, configuration: Configuration, prices: PriceBook, clients: Clients) -> None:
        """Requests that come from now on are answered as ``configuration`` says.

        Raises ``InvalidSetting`` for a key that no header can carry; nothing has changed then.
        """
        insight = self.insight
        # Making them may import for half a second.
        spans = await asyncio.to_thread(_spans, configuration, insight.spans, self._sending)
        left = insight.spans if insight.spans is not spans else None
        self._choosing = await asyncio.to_thread(self._learning.choosing, configuration, prices)
        caller, books = self._calling(configuration, prices)
        caller.inherit(self._caller)
        self._configuration, self._caller = configuration, caller
        insight.configuration, insight.caller = configuration, caller
        insight.cache, insight.spans = _cache(configuration, insight.cache), spans
        self.app.reconfigure(configuration, caller, books, clients, self._choosing)
        await self._learning.settle()
        if left is not None:
            await asyncio.to_thread(left.close)

    def sweep(self) -> None:
        """Close what has become free of the connections that nobody will use again; to be called now and then."""
        for pool in self._retired:
            pool.close()
        self._retired = [pool for pool in self._retired if pool.open]

    async def close(self) -> None:
        """End all waiting connections, and send the spans that are left."""
        for _, pool in self._providers.values():
            pool.close()
        self.sweep()
        await self._learning.close()
        if self.insight.spans is not None:
            await asyncio.to_thread(self.insight.spans.close)

    def _calling(self, configuration: Configuration, prices: PriceBook) -> tuple[Caller, Books]:
        before = self._providers
        kept = {name for name in before if _same(name, self._configuration, configuration)}
        made = {
            name: before[name] if name in kept else provider_of(name, configuration) for name in configuration.providers
        }
        self._retired += [pool for name, (_, pool) in before.items() if name not in kept]
        self._providers = made
        candidates = (candidate for model in configuration.models.values() for candidate in model.candidates)
        self._tally.known = frozenset((candidate.provider, candidate.model) for candidate in candidates)
        books = Books(self._ledger, prices, output_limits(configuration), self._tally)
        observer = self._choosing.watching(books)
        return Caller({name: provider for name, (provider, _) in made.items()}, observer=observer), books


def _same(name: str, before: Configuration, after: Configuration) -> bool:
    return before.providers.get(name) == after.providers.get(name) and before.keys.get(name) == after.keys.get(name)


def provider_of(name: str, configuration: Configuration) -> tuple[Provider, Pool]:
    """A provider of the file, and its connections, which are to be closed."""
    entry = configuration.providers[name]
    pool = Pool(PoolSettings.from_environment(per_origin=entry.connections))
    return Provider(name, WIRES[entry.wire], entry.base_url, configuration.keys[name], pool), pool


def output_limits(configuration: Configuration) -> dict[tuple[str, str], int]:
    """Provider and model → tokens that an answer may have, where the file says so."""
    return {
        (candidate.provider, candidate.model): model.entry.output
        for model in configuration.models.values()
        for candidate in model.candidates
        if model.entry.output is not None
    }


def _cache(configuration: Configuration, before: Cache | None) -> Cache | None:
    settings = configuration.cache
    if not settings.entries:
        return None
    if before is None or before.settings != settings:
        return Cache(settings)
    # Others may answer now, or the same models otherwise.
    before.clear()
    return before


def _spans(configuration: Configuration, before: Spans | None, sending: Sending) -> Spans | None:
    endpoint = configuration.telemetry.otlp
    if not endpoint:
        return None
    if before is None or before.endpoint != endpoint:
        return Spans(endpoint, configuration.providers, sending)
    before.know(configuration.providers)
    return before


def _standings(store: BudgetStore) -> Sequence[Standing]:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return store.standings({budget.scope for budget in store.all()}, today)
