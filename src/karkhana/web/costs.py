"""What runs did cost, for lists: each answer of a model is asked for once, for many runs together.

Knows nothing of HTML.
"""

from collections import OrderedDict
from collections.abc import Sequence
from decimal import Decimal
from threading import Lock

import msgspec

from karkhana.storage.run_lists import RunLists, RunRow, Spent

REMEMBERED = 20_000
"""Runs, a few dozen bytes each."""
KEYLESS = "symbolic"
"""The engineer that asks no model."""


class _Known(msgspec.Struct, frozen=True):
    events: int
    """That are counted."""
    total: Decimal | None


class Costs:
    """Costs by run. Thread-safe."""

    def __init__(self, lists: RunLists) -> None:
        self._lists = lists
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = Lock()

    def of(self, run: RunRow) -> Decimal | None:
        """Dollars for models; ``None`` when a price is not known."""
        return self.of_all([run])[run.run_id]

    def of_all(self, rows: Sequence[RunRow]) -> dict[str, Decimal | None]:
        """The same of many runs: those that were never asked for together, the others by what came since."""
        found: dict[str, Decimal | None] = {}
        new: list[RunRow] = []
        for row in rows:
            if row.engineer == KEYLESS and row.finished_at is not None:
                found[row.run_id] = Decimal(0)
                continue
            with self._lock:
                known = self._known.get(row.run_id)
            if known is None:
                new.append(row)
            elif known.events >= row.events:
                found[row.run_id] = known.total
            else:
                answers = self._lists.spent([row.run_id], known.events)[row.run_id]
                found[row.run_id] = self._keep(row, answers, known.total)
        asked = self._lists.spent([row.run_id for row in new]) if new else {}
        return found | {row.run_id: self._keep(row, asked[row.run_id], Decimal(0)) for row in new}

    def _keep(self, row: RunRow, answers: Sequence[Spent], before: Decimal | None) -> Decimal | None:
        asked = [answer.usd for answer in answers if not answer.recalled]
        total = None if before is None or "" in asked else sum(map(Decimal, asked), before)
        # an answer may have come after the row was read
        counted = max(row.events, answers[-1].seq if answers else 0)
        with self._lock:
            self._known[row.run_id] = _Known(counted, total)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return total
