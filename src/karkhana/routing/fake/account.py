"""What the fake provider answered and would charge, so that another count of the money can be compared with it.

A model without a price is charged with ``null``, never with 0. A token class without a price of its own costs as much
as plain input; an hour in the cache as much as minutes.

>>> account = Account({})
>>> account.enter("m", "answered", Usage(input=3, output=2))
>>> account.told()["usage"]["input"], account.told()["usd"]
(3, None)
"""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from karkhana.domain.chat import Usage
from karkhana.routing.configuration import PriceEntry

MOST_NAMED = 1_000_000
"""Requests that are remembered by their client's name for them."""
_MILLION = Decimal(1_000_000)


class _Line:
    """All requests for one model."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.usage: Counter[str] = Counter()


class Account:
    """Counts by model."""

    def __init__(self, prices: Mapping[str, PriceEntry]) -> None:
        self._prices = prices
        self._lines: dict[str, _Line] = {}
        self._named: dict[str, tuple[str, str, Usage | None]] = {}

    def enter(self, model: str, outcome: str, usage: Usage | None = None, *, name: str = "") -> None:
        """A request for ``model`` ended with ``outcome``; ``usage`` is charged. ``name`` is the client's own."""
        if name and len(self._named) < MOST_NAMED:
            self._named[name] = (model, outcome, usage)
        line = self._lines.setdefault(model, _Line())
        line.outcomes[outcome] += 1
        if usage is not None:
            line.usage.update(msgspec.structs.asdict(usage))

    def told(self) -> dict[str, Any]:
        """``{requests, outcomes, usage, usd, models: {MODEL: the same}}``; ``usd`` as text, exact."""
        models = {model: self._told(line, self._usd(model, line)) for model, line in sorted(self._lines.items())}
        total = _Line()
        for line in self._lines.values():
            total.outcomes.update(line.outcomes)
            total.usage.update(line.usage)
        amounts = [self._usd(model, line) for model, line in self._lines.items()]
        known = [amount for amount in amounts if amount is not None]
        usd = sum(known, Decimal(0)) if len(known) == len(amounts) else None
        return {**self._told(total, usd), "models": models}

    def of(self, name: str) -> dict[str, Any] | None:
        """What came of the request that its client called ``name`` (``x-client-request-id``)."""
        if name not in self._named:
            return None
        model, outcome, usage = self._named[name]
        line = _Line()
        line.outcomes[outcome] += 1
        line.usage.update(msgspec.structs.asdict(usage) if usage is not None else {})
        return {"model": model, **self._told(line, self._usd(model, line))}

    def _told(self, line: _Line, usd: Decimal | None) -> dict[str, Any]:
        usage = {name: line.usage[name] for name in Usage.__struct_fields__}
        return {
            "requests": line.outcomes.total(),
            "outcomes": dict(sorted(line.outcomes.items())),
            "usage": usage,
            "usd": None if usd is None else f"{usd.normalize():f}",
        }

    def _usd(self, model: str, line: _Line) -> Decimal | None:
        price = self._prices.get(model)
        if price is None:
            return None if line.usage.total() else Decimal(0)
        write = price.input if price.cache_write is None else price.cache_write
        rates = {
            "input": price.input,
            "cache_read": price.input if price.cache_read is None else price.cache_read,
            "cache_write": write,
            "cache_write_long": write if price.cache_write_long is None else price.cache_write_long,
            "output": price.output,
        }
        return sum((line.usage[name] * rate for name, rate in rates.items()), Decimal(0)) / _MILLION
