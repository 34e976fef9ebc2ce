"""Language models for engineers: those of the gateway's file, asked directly and on the run's account.

The same calling, prices, ledger and policy as the gateway's, without a server between. Everything is opened with the
first question; a factory without models opens nothing. Knows nothing of what is asked.
"""

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from karkhana.domain.chat import ChatRequest
from karkhana.domain.errors import InvalidSetting, ModelUnavailable, PromptTooLong, RunCancelled
from karkhana.domain.money import Money, Unpriced, usd
from karkhana.domain.settings import Settings
from karkhana.domain.spending import Account, Budget, Period
from karkhana.ports import Said
from karkhana.routing.budgets import BudgetReached
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Candidate, Configuration
from karkhana.routing.exchanges import Whole
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.gateway.assembly import output_limits, provider_of
from karkhana.routing.gateway.books import Books, Job
from karkhana.routing.gateway.choosing import abilities
from karkhana.routing.gateway.reloading import read_file
from karkhana.routing.gateway.serving import PRICES
from karkhana.routing.ledger import Ledger
from karkhana.routing.policy.capability import UNLIMITED, Needs
from karkhana.routing.policy.choosing import Ask, Policy, capable
from karkhana.routing.policy.notebook import Notebook
from karkhana.routing.policy.settings import IN_ORDER
from karkhana.routing.prices import PriceBook, prompt_tokens
from karkhana.routing.prices_shipped import price_book
from karkhana.routing.telling import reporter_name, tell_breakers
from karkhana.storage.breaker_store import BreakerStore
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database
from karkhana.storage.route_store import RouteStore

R = TypeVar("R")
CONTEXT = 32_768
"""Tokens that a model is believed to take of which nobody says it."""
AGAIN_S = 300.0
"""Seconds until a worker lets a run go on whose provider was away."""
_LOOK_S = 0.2
"""Seconds between two looks at whether the run was cancelled."""


def models_file(settings: Settings) -> Path | None:
    """The file that names the models: the setting, else the user's ``gateway.toml`` if there is one."""
    if settings.models.file is not None:
        return settings.models.file
    usual = Path(platformdirs.user_config_dir("karkhana")) / "gateway.toml"
    return usual if usual.is_file() else None


class Models:
    """The models of one file. Thread-safe; :meth:`close` it."""

    def __init__(self, file: Path, settings: Settings, database: Database) -> None:
        """Raises ``InvalidSetting`` with the line that is wrong."""
        self._configuration = read_file(file)
        self._settings, self._database = settings, database
        if not self._configuration.models:
            raise InvalidSetting(f"{file} names no model", "Add a [model.NAME] with candidates; see docs/models.md.")
        self._lock = threading.Lock()
        self._service: _Service | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the file, in its order."""
        return tuple(self._configuration.models)

    def model(
        self, name: str, *, run_id: str, task_type: str, budget_usd: float, cancelled: Callable[[], bool]
    ) -> "RoutedModel":
        """A model of the file (the first one if ``name`` is empty) for one run, which may spend so much.

        Raises ``InvalidSetting`` for a model that is not there.
        """
        entries = self._configuration.models
        name = name or next(iter(entries))
        if name not in entries:
            raise InvalidSetting(f"there is no model {name!r}", f"There are: {', '.join(entries)}.")
        with self._lock:
            service = self._service = self._service or _Service(self._configuration, self._settings, self._database)
        BudgetStore(self._database).put(
            Budget(scope=f"task:{run_id}", period=Period.TOTAL, hard=usd(f"{budget_usd:.6f}"))
        )
        return RoutedModel(service, name, Account(task_id=run_id), task_type, cancelled)

    def close(self) -> None:
        """End what is open; what was spent is written down."""
        with self._lock:
            service, self._service = self._service, None
        if service is not None:
            service.close()


class RoutedModel:
    """Implements ``karkhana.ports.ChatModel``: one model of the file, for one run."""

    def __init__(
        self, service: "_Service", name: str, account: Account, task_type: str, cancelled: Callable[[], bool]
    ) -> None:
        self.name = name
        self._service, self._account, self._cancelled = service, account, cancelled
        self._candidates = service.candidates(name, task_type)
        self.context = min(service.context(candidate) for candidate in self._candidates)
        self.calls_tools = all(service.calls_tools(candidate) for candidate in self._candidates)
        self._numbers = itertools.count(1)

    def ask(self, request: ChatRequest) -> Said:
        """The whole answer of the first candidate that gives one. Raises ``RunCancelled`` as well."""
        call = f"{self._account.task_id}-{next(self._numbers)}-{threading.get_ident():x}"
        asked = asyncio.run_coroutine_threadsafe(
            self._service.ask(call, self._account, self._candidates, request), self._service.loop
        )
        try:
            while True:
                try:
                    return asked.result(_LOOK_S)
                except TimeoutError:
                    if asked.done():
                        raise
                    if self._cancelled():
                        raise RunCancelled("the run was cancelled") from None
        except ProviderFault as fault:
            raise _unavailable(self.name, self._account.task_id, fault) from fault
        except BudgetReached as reached:
            raise ModelUnavailable(
                reached.message, f"give it more: karkhana runs resume {self._account.task_id} --budget USD"
            ) from reached
        finally:
            asked.cancel()


def _unavailable(name: str, run_id: str, fault: ProviderFault) -> PromptTooLong | ModelUnavailable:
    if fault.fault is Fault.TOO_LONG:
        return PromptTooLong(f"the prompt is too long for {name}: {fault.message}")
    steps = {
        Fault.UNAUTHORISED: "mend the provider's key",
        Fault.QUOTA: "top the provider's account up",
        Fault.UNKNOWN_MODEL: "correct the model's name in the file of models",
        Fault.INVALID: "see what the provider says, and choose another model",
        Fault.REFUSED: "choose another model",
    }
    step = steps.get(fault.fault, "wait until the provider works again")
    away = ModelUnavailable(
        f"the model {name} does not answer: {fault.message}", f"{step}; then: karkhana runs resume {run_id}"
    )
    away.again_s = AGAIN_S if fault.fault.retryable else None
    return away


class _Service:
    """Connections, breakers, ledger and policy, on an event loop of their own."""

    def __init__(self, configuration: Configuration, settings: Settings, database: Database) -> None:
        self._configuration = configuration
        self._prices: PriceBook = price_book(configuration, settings.home / PRICES)
        self._abilities = abilities(configuration, self._prices)
        self._notebook = Notebook(RouteStore(database), configuration.policy)
        self._notebook.load()
        self._policy = Policy(configuration.policy, self._prices, self._notebook.posteriors, self._notebook.habits)
        self._stack = AsyncExitStack()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="karkhana-models", daemon=True)
        self._thread.start()
        self._caller, self._books = self._do(self._open(database))
        told = tell_breakers(self._caller.breakers, BreakerStore(database), reporter_name("worker", os.getpid()))
        self._telling = asyncio.run_coroutine_threadsafe(told, self.loop)

    def candidates(self, name: str, task_type: str) -> tuple[Candidate, ...]:
        """Whom to ask, the first one first: one order for a whole run, so that prompt caches stay warm."""
        model = self._configuration.models[name]
        ask = Ask(name, model.candidates, Needs(), task_type=task_type)
        try:
            able, left_out = capable(ask, lambda candidate: self._abilities.get(candidate, UNLIMITED))
        except ProviderFault as fault:
            raise InvalidSetting(fault.message, "Name another model.") from fault
        if model.entry.policy == IN_ORDER:
            return tuple(able)
        by_name = {str(candidate): candidate for candidate in able}
        choice = self._policy.choose(ask, able, time.time(), left_out)
        return tuple(by_name[rung] for rung in choice.rungs)

    def context(self, candidate: Candidate) -> int:
        ability = self._abilities.get(candidate)
        return (ability.context if ability is not None else None) or CONTEXT

    def calls_tools(self, candidate: Candidate) -> bool:
        return self._abilities.get(candidate, UNLIMITED).tools

    async def ask(self, call: str, account: Account, candidates: tuple[Candidate, ...], request: ChatRequest) -> Said:
        bill = self._books.open(call, Job(account, prompt_tokens(request), request.max_tokens))
        try:
            deadline_s = self._configuration.serving.deadline_s
            called = await self._caller.call(candidates, Whole(request), deadline_s, name=call)
        finally:
            self._books.close(call)
        cost = None if isinstance(bill.cost, Unpriced) else bill.cost
        place = f"{called.place.provider}/{called.place.model}"
        return Said(answer=called.answer, place=place, cost=None if cost is None else Money(cost))

    async def _open(self, database: Database) -> tuple[Caller, Books]:
        ledger = await self._stack.enter_async_context(Ledger(database))
        providers = {}
        for name in self._configuration.providers:
            providers[name], pool = provider_of(name, self._configuration)
            self._stack.callback(pool.close)
        books = Books(ledger, self._prices, output_limits(self._configuration))
        return Caller(providers, observer=books), books

    def close(self) -> None:
        self._telling.cancel()
        self._do(self._stack.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _do(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()
