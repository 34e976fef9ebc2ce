"""What those who run the gateway may see of it. Knows nothing of how it is shown, and holds no key and no request."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from karkhana.domain.money import ZERO, written
from karkhana.domain.spending import Standing
from karkhana.http.messages import Url
from karkhana.routing.attempt import Place
from karkhana.routing.breaker import Health
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Configuration
from karkhana.routing.gateway.cache import Cache
from karkhana.routing.gateway.spans import Spans
from karkhana.routing.gateway.tally import OTHER, Tally
from karkhana.routing.ledger import Ledger
from karkhana.routing.wires.wire import Json

NEAR = Decimal("0.8")
"""Share of a limit from which a budget is near its end."""


class Loading:
    """How the configuration came to be what it is."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.at = clock()
        """Seconds since the epoch at which it was read."""
        self.mistake = ""
        """What is wrong with the file as it is now; empty: nothing."""
        self.restart: tuple[str, ...] = ()
        """Settings that were changed and count from the next start on."""
        self._clock = clock

    def age_s(self) -> float:
        """Seconds since it was read."""
        return self._clock() - self.at

    def taken(self, restart: Sequence[str]) -> None:
        """The file was read, and counts."""
        self.at, self.mistake, self.restart = self._clock(), "", tuple(restart)

    def refused(self, mistake: str) -> None:
        """The file has a mistake."""
        self.mistake = mistake


class Insight:
    """All that can be looked at."""

    def __init__(
        self,
        configuration: Configuration,
        caller: Caller,
        ledger: Ledger,
        tally: Tally,
        standings: Callable[[], Sequence[Standing]],
        *,
        cache: Cache | None = None,
        spans: Spans | None = None,
    ) -> None:
        """``standings`` tells all budgets and how they stand; it blocks."""
        self.configuration = configuration
        self.caller = caller
        self.ledger = ledger
        self.tally = tally
        self.standings = standings
        self.cache = cache
        self.spans = spans
        self.loading = Loading()

    @property
    def failing(self) -> bool:
        """Whether no call can be made now."""
        return self.ledger.failure is not None

    def breakers(self) -> list[tuple[Place, Health]]:
        """Those of the configured models; one for all others would show what clients wrote."""
        known = self.tally.known
        return sorted((place, health) for place, health in self.caller.breakers().items() if place[:2] in known)

    def told(self) -> Json:
        """Everything but the budgets, for machines."""
        cache, spans = self.cache, self.spans
        return {
            "status": "failing" if self.failing else "ok",
            "providers": [self._provider(name) for name in sorted(self.configuration.providers)],
            "breakers": [_breaker(place, health) for place, health in self.breakers()],
            "resting_keys": self._resting(),
            "ledger": {
                "failure": "" if self.ledger.failure is None else str(self.ledger.failure),
                "transactions": self.ledger.transactions,
                "failures": self.ledger.failures,
            },
            "requests_under_way": self.tally.under_way,
            "configuration": {
                "read_at": self.loading.at,
                "mistake": self.loading.mistake,
                "needs_restart": list(self.loading.restart),
            },
            "cache": None if cache is None else {"entries": cache.entries, "bytes": cache.bytes, "hits": cache.hits},
            "spans": None if spans is None else {"sent": spans.sent, "lost": spans.lost + spans.dropped},
        }

    def _resting(self) -> dict[str, int]:
        known = {"/".join(place) for place in self.tally.known}
        found = sorted(self.caller.resting_keys().items())
        return {name: round(wait) for name, wait in found if name.rpartition("#")[0] in known}

    def _provider(self, name: str) -> Json:
        entry = self.configuration.providers[name]
        models = {c.model for model in self.configuration.models.values() for c in model.candidates if c[0] == name}
        places = [self.tally.places.get((name, model)) for model in (*sorted(models), OTHER)]
        found = [place for place in places if place is not None]
        return {
            "name": name,
            "wire": entry.wire,
            "address": str(Url.parse(entry.base_url)),
            "keys": len(self.configuration.keys[name]),
            "models": sorted(models),
            "answered": sum(place.answered for place in found),
            "failed": sum(sum(place.endings.values()) for place in found),
        }


def near_end(standings: Sequence[Standing]) -> list[Json]:
    """Budgets of which four fifths of a limit and more are used, the fullest first."""
    found = [(_share(standing), standing) for standing in standings]
    return [_budget(share, s) for share, s in sorted(found, key=lambda pair: -pair[0]) if share >= NEAR]


def _share(standing: Standing) -> Decimal:
    limits = [limit for limit in (standing.budget.soft, standing.budget.hard) if limit is not None]
    return max((standing.used / limit if limit else Decimal(1) for limit in limits), default=ZERO)


def _budget(share: Decimal, standing: Standing) -> Json:
    budget = standing.budget
    return {
        "scope": budget.scope,
        "period": budget.period.value,
        "start": standing.start,
        "used_usd": written(standing.used),
        "soft_usd": None if budget.soft is None else written(budget.soft),
        "hard_usd": None if budget.hard is None else written(budget.hard),
        "share": round(float(share), 3),
    }


def _breaker(place: Place, health: Health) -> Json:
    return {
        "provider": place.provider,
        "model": place.model,
        "key": place.key,
        "state": health.state.value,
        "answered": health.answered,
        "failed": health.failed,
        "opens_in_s": round(health.opens_in_s, 1),
    }
