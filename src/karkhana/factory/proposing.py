"""A proposal of a strategy with everything that it needs: past tickets, a model that drafts, the line to try it on.

How it is drafted and admitted is in :mod:`karkhana.learning.proposing`; this knows where the parts come from.
"""

import functools
import time
from collections.abc import Callable

from karkhana.domain.errors import ConfigurationError
from karkhana.domain.settings import Settings
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import Order, TaskType
from karkhana.engineers.llm.engineer import CONFIGURE, NO_MODEL
from karkhana.engineers.llm.strategies import shipped
from karkhana.factory.assembly import Factory, open_factory, open_models
from karkhana.factory.trials import past_tickets, try_on
from karkhana.learning.proposing import CATALOGUE, Proposal, Proposer, Trialled
from karkhana.learning.shelf import Shelf
from karkhana.storage.identifiers import new_run_id

Trier = Callable[[Factory, float, Order, Strategy], Trialled]


def propose(
    settings: Settings,
    type: TaskType,
    *,
    drafted_by: str = "",
    budget_usd: float = 5.0,
    tickets: int = 40,
    said: Callable[[str], None] = lambda _text: None,
    trier: Trier = try_on,
) -> Proposal:
    """Draft a strategy for a type of task, and admit it if it wins on held-out past tickets.

    ``drafted_by``: a model, or ``catalogue``; empty: the model that works. ``trier`` works on a past ticket under a
    strategy. Raises ``ConfigurationError`` without a model, which trials need in any case.
    """
    with open_factory(settings) as factory, open_models(settings, factory.stores) as models:
        if models is None:
            raise ConfigurationError(NO_MODEL, CONFIGURE)
        drafter = None
        if drafted_by != CATALOGUE:
            drafter = models.model(
                drafted_by or settings.models.work,
                # An account of its own: budgets of accounts are for good.
                run_id=f"proposal_{new_run_id(time.time())}",
                task_type=type.value,
                budget_usd=budget_usd,
                cancelled=lambda: False,
            )
        proposer = Proposer(
            Shelf(settings.home, shipped()),
            type,
            functools.partial(trier, factory, settings.queue.lease_s),
            model=drafter,
            budget_usd=budget_usd,
            tickets=tickets,
            said=said,
        )
        return proposer.propose(past_tickets(factory.stores, type))
