"""One ticket in the foreground: the same queue, line and worker as everywhere, for one run.

If this process dies, the run stays in the queue's tables and any worker goes on with it.
"""

from collections.abc import Callable
from pathlib import Path

from karkhana.domain.events import AnyEvent
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Order
from karkhana.factory.assembly import open_factory
from karkhana.factory.reporting import write_patch, write_report
from karkhana.factory.results import RunResult, result_of
from karkhana.factory.worker import stop_on_signals


def work_in_foreground(
    order: Order,
    settings: Settings,
    observer: Callable[[AnyEvent], None],
    *,
    report: Path | None = None,
    patch: Path | None = None,
) -> RunResult:
    """Add a task for ``order``, carry it out here and now, and return what came of it.

    A run that needs an approval is left waiting. Raises ``DatabaseUnavailable``.
    """
    with open_factory(settings, observer=observer) as factory:
        stores = factory.stores
        _, claim = stores.tasks.add_and_claim(order, factory.worker.name, settings.queue.lease_s)
        with stop_on_signals(factory.worker):
            factory.worker.carry_out(claim)
        if report is not None:
            write_report(stores, claim.run_id, report)
        if patch is not None:
            write_patch(stores, claim.run_id, patch)
        return result_of(stores, claim.run_id)
