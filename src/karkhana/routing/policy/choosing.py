"""Chooses whom to ask for one request, and in which order. Pure but for the state that is passed in.

Whoever cannot answer is left out first. The others are appraised: how likely the answer passes, what it costs, how long
it takes, and what is lost with the session's prompt cache; then they are put into the order of a cascade.

A session stays where it is unless a change is expected to bring more than the lost cache costs; within a session
nothing is tried out. Those who do not pay come last: they are asked only when all others are out of order.
"""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from karkhana.domain.money import Unpriced
from karkhana.routing.configuration import Candidate
from karkhana.routing.policy.capability import UNLIMITED, Ability, Needs, lacks, nobody_can
from karkhana.routing.policy.cascade import Offer, Stakes, by_draw, by_mean, ordered, paying, worth
from karkhana.routing.policy.habits import Habits
from karkhana.routing.policy.posteriors import Posteriors, Subject
from karkhana.routing.policy.priors import priors
from karkhana.routing.policy.sessions import Home
from karkhana.routing.policy.settings import PolicySettings
from karkhana.routing.prices import PriceBook, Rate, Tier

_DOLLAR = 1e18
"""Trillionths in a dollar times the million tokens that prices are for."""


class Wording(Protocol):
    """What a request's words say about the chance that a model's answer passes."""

    def score(self, text: str, model: str) -> float:
        """What to add to the chance of ``model`` (``PROVIDER/MODEL``), from -1 to 1; 0 for one it does not know."""


class Ask(NamedTuple):
    """What is known of a request."""

    entry: str
    """The model's name in the configuration, for messages."""
    candidates: tuple[Candidate, ...]
    needs: Needs = Needs()
    task_type: str = ""
    pool: str = ""
    home: Home | None = None
    """Where the request's session is."""
    tried: frozenset[str] = frozenset()
    """Rungs whose answers to this did not pass."""
    text: str = ""
    """The prompt, if the wording is to be looked at."""


class Estimate(NamedTuple):
    """What asking a rung takes."""

    cost: float | None
    """Dollars; ``None``: nobody knows."""
    switch: float = 0.0
    """Dollars more because the session's prompt cache is elsewhere."""
    seconds: float = 0.0
    output_price: float | None = 0.0
    """Dollars of a million tokens of an answer, by which models are believed to be good."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask, and why."""

    offers: tuple[Offer, ...]
    """In the order in which they are asked."""
    spare: int = 0
    """How many at the end do not pay, and stand by for when the others are out of order."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Rung and reason."""
    stakes: Stakes
    drawn: bool = False
    """Whether the first one was drawn, so that it might have been another one."""
    stays: bool = False
    """Whether the session stays where a new one would not go."""

    @property
    def rungs(self) -> tuple[str, ...]:
        return tuple(offer.rung for offer in self.offers)


class Policy:
    """Appraises candidates by prices, habits and outcomes."""

    def __init__(
        self,
        settings: PolicySettings,
        prices: PriceBook,
        posteriors: Posteriors,
        habits: Habits,
        *,
        wording: Wording | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.stakes = Stakes(float(settings.value_usd), settings.asks_again)
        self.wording = wording
        self._second = float(settings.second_usd)
        self._verifier = float(settings.verifier_usd)
        self._prices = prices
        self._posteriors = posteriors
        self._habits = habits
        self._chance = chance or random.Random()  # noqa: S311 - nothing is secret about it

    def choose(self, ask: Ask, able: Sequence[Candidate], now: float, left_out: Sequence[tuple[str, str]]) -> Choice:
        """The order among those who are able; ``now`` in seconds since the epoch."""
        offers = self.offers(ask, able, now)
        cached = ask.home is not None and ask.home.cached > 0
        drawn = self.settings.exploration and not cached and len(offers) > 1
        chances = by_draw(self._chance) if drawn else by_mean
        best = ordered(offers, self.stakes, chances)
        settled = self._settled(best, ask.home) if cached else None
        order = settled or best
        good = paying(order, self.stakes, chances)
        order = [*good, *(offer for offer in order if offer not in good)]
        return Choice(
            offers=tuple(order),
            spare=len(order) - len(good),
            left_out=tuple(left_out),
            stakes=self.stakes,
            drawn=drawn,
            stays=settled is not None,
        )

    def offers(self, ask: Ask, able: Sequence[Candidate], now: float) -> list[Offer]:
        """What asking each candidate may bring and will cost."""
        return priced([self.offer(ask, str(each), self._estimate(ask, each), now) for each in able])

    def _settled(self, best: list[Offer], home: Home | None) -> list[Offer] | None:
        """The order that begins where the session is, if leaving would not bring more than the cache is worth."""
        here = [offer for offer in paying(best, self.stakes) if home is not None and offer.rung == home.rung]
        if not here or best[0] is here[0]:
            return None
        stay = here + [offer for offer in best if offer is not here[0]]
        worth_of = [worth(paying(order, self.stakes), self.stakes) for order in (stay, best)]
        return stay if worth_of[0] >= worth_of[1] else None

    def offer(self, ask: Ask, rung: str, estimate: Estimate, now: float) -> Offer:
        """What asking a rung may bring, whether it is a model or not."""
        subject = Subject(ask.pool, ask.task_type, rung)
        prior = priors().of(rung, ask.task_type, estimate.output_price)
        passes, known = self._posteriors.belief(subject, prior, now)
        return Offer(
            rung,
            passes,
            correction=self.wording.score(ask.text, rung) if self.wording is not None and ask.text else 0.0,
            cost=estimate.cost or 0.0,
            switch=estimate.switch,
            wait=estimate.seconds * self._second,
            verify=self._verifier,
            priced=estimate.cost is not None,
            outcomes=known.outcomes,
            good=known.good,
            seconds=estimate.seconds,
        )

    def _estimate(self, ask: Ask, candidate: Candidate) -> Estimate:
        rung, rate = str(candidate), self._prices.rate(candidate)
        habit = self._habits.of(rung)
        if isinstance(rate, Unpriced):
            return Estimate(None, seconds=habit.seconds)
        output = min(habit.output, ask.needs.answer) if ask.needs.answer else habit.output
        cost, switch = _tokens(rate, ask, rung, output)
        return Estimate(cost, switch, habit.seconds, rate.tiers[0].output / 1e12)


def priced(offers: Sequence[Offer]) -> list[Offer]:
    """With the cost of the dearest other one where nobody knows it."""
    dearest = max((offer.cost + offer.switch for offer in offers if offer.priced), default=0.0)
    return [offer if offer.priced else msgspec.structs.replace(offer, cost=dearest) for offer in offers]


def capable(
    ask: Ask, ability: Callable[[Candidate], Ability] = lambda _: UNLIMITED
) -> tuple[list[Candidate], list[tuple[str, str]]]:
    """Those who can answer and whose answer did not already fail, and why each of the others cannot.

    Raises ``ProviderFault`` if nobody can. If all that can were tried in vain they are asked once more.
    """
    able, missing = [], []
    for candidate in dict.fromkeys(ask.candidates):
        words = lacks(ask.needs, ability(candidate))
        if words:
            missing.append((str(candidate), words))
        else:
            able.append(candidate)
    if not able:
        raise nobody_can(ask.entry, missing)
    left_out = [(name, "lacks " + ", ".join(words)) for name, words in missing]
    fresh = [candidate for candidate in able if str(candidate) not in ask.tried]
    if not fresh:
        return able, left_out
    left_out += [(str(each), "its answer did not pass") for each in able if str(each) in ask.tried]
    return fresh, left_out


def _tokens(rate: Rate, ask: Ask, rung: str, output: float) -> tuple[float, float]:
    """Dollars of the tokens with the session's prompt in its cache, and dollars more because it is elsewhere."""
    tier = _tier(rate, ask.needs.prompt)
    cached = min(ask.home.cached, ask.needs.prompt) if ask.home is not None else 0
    fresh = ask.needs.prompt - cached
    whole = fresh * tier.input + cached * tier.cache_read + output * tier.output
    elsewhere = ask.home is not None and ask.home.rung != rung
    lost = cached * max(0, tier.input - tier.cache_read) if elsewhere else 0
    return whole / _DOLLAR + rate.call / 1e12, lost / _DOLLAR


def _tier(rate: Rate, prompt: int) -> Tier:
    return next((tier for tier in reversed(rate.tiers) if prompt > tier.start), rate.tiers[0])
