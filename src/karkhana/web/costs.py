"""What a run did cost and how it scored, for lists: finished runs are asked once, the others each time.

Knows nothing of HTML.
"""

from collections import OrderedDict
from decimal import Decimal
from threading import Lock

from karkhana.domain.tasks import Status
from karkhana.storage.run_lists import RunLists, RunRow
from karkhana.web.digests import Digests

REMEMBERED = 20_000
"""Runs, a few dozen bytes each."""
KEYLESS = "symbolic"
"""The engineer that asks no model."""


class Costs:
    """Costs by run. Thread-safe."""

    def __init__(self, lists: RunLists, digests: Digests) -> None:
        self._lists = lists
        self._digests = digests
        self._known: OrderedDict[tuple[str, int], Decimal | None] = OrderedDict()
        self._lock = Lock()

    def of(self, run: RunRow) -> Decimal | None:
        """Dollars for models; ``None`` when a price is not known."""
        if run.engineer == KEYLESS and run.finished_at is not None:
            return Decimal(0)
        key = run.run_id, run.events
        with self._lock:
            if key in self._known:
                return self._known[key]
        asked = [cost for cost, recalled in self._lists.spent(run.run_id) if not recalled]
        total = None if "" in asked else sum(map(Decimal, asked), Decimal(0))
        with self._lock:
            self._known[key] = total
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return total

    def score(self, run: RunRow) -> float | None:
        """The score; of a run that waits, the one that it waits with."""
        if run.score is None and run.status is Status.WAITING_FOR_REVIEW:
            scored = self._digests.of(run.run_id).scored
            return None if scored is None else scored.confidence.score
        return run.score
