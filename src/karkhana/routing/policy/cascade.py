"""In which order to ask, and whether asking pays: pure arithmetic over offers.

Asking rung i costs c_i and passes with the chance p_i; a passed answer is worth V; after a failed one the next rung is
asked with the chance r (1: somebody verifies and asks on; 0: nobody does). The value of an order is

    W(i, rest) = p_i V - c_i + (1 - p_i) r W(rest).

Exchanging two neighbours shows that the best order is by (p_i V - c_i) / (1 - r (1 - p_i)), the highest first, and that
a rung is worth asking exactly if p_i V > c_i: with r = 1 this is V - c_i / p_i, Weitzman's reservation value of a box
that holds V or nothing ("Optimal search for the best alternative", Econometrica 47, 1979).

>>> cheap, dear = Offer("cheap", Beta(5, 5), cost=0.001), Offer("dear", Beta(9, 1), cost=0.03)
>>> [offer.rung for offer in ordered([dear, cheap], Stakes(value=0.1))]
['cheap', 'dear']
>>> [offer.rung for offer in ordered([dear, cheap], Stakes(value=0.1, asks_again=0.0))]
['dear', 'cheap']
"""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from karkhana.routing.policy.posteriors import Beta

DRAWS = 200
"""Of the posteriors, to estimate how likely a choice was."""
_SURE = 0.01
"""No chance is taken to be nearer to 0 or 1 than this once the wording corrected it."""


class Offer(msgspec.Struct, frozen=True):
    """What asking one rung may bring and will cost."""

    rung: str
    passes: Beta
    correction: float = 0.0
    """What the request's wording adds to the chance."""
    cost: float = 0.0
    """Dollars of tokens, as if the prompt were in its cache where the session was."""
    switch: float = 0.0
    """Dollars more because it is not."""
    wait: float = 0.0
    """Dollars that the time is worth."""
    verify: float = 0.0
    """Dollars for checking the answer."""
    priced: bool = True
    """Whether the cost is known; else that of the dearest other rung stands for it."""
    outcomes: int = 0
    """How many outcomes of this task type the chance is known from."""
    good: int = 0
    """Of these, how many passed."""
    seconds: float = 0.0
    """Until an answer; the median of those seen."""

    @property
    def price(self) -> float:
        return self.cost + self.switch + self.wait + self.verify

    @property
    def chance(self) -> float:
        return corrected(self.passes.mean, self.correction)


class Stakes(NamedTuple):
    """What an answer that passes is worth, and how often somebody asks again after one that does not."""

    value: float
    asks_again: float = 1.0


Chances = Callable[[Offer], float]
"""The chance that an offer is taken to pass with."""


def corrected(chance: float, correction: float) -> float:
    """A chance with the wording's correction, never certain."""
    return chance if correction == 0 else min(1 - _SURE, max(_SURE, chance + correction))


def by_mean(offer: Offer) -> float:
    """What is expected."""
    return offer.chance


def by_draw(chance: random.Random) -> Chances:
    """What may be: one draw for each offer (Thompson sampling), the same whenever it is asked for."""
    drawn: dict[str, float] = {}

    def chances(offer: Offer) -> float:
        if offer.rung not in drawn:
            drawn[offer.rung] = corrected(offer.passes.drawn(chance), offer.correction)
        return drawn[offer.rung]

    return chances


def gain(offer: Offer, chance: float, stakes: Stakes) -> float:
    """Dollars that asking this rung alone is expected to bring."""
    return chance * stakes.value - offer.price


def index(offer: Offer, chance: float, stakes: Stakes) -> float:
    """What the order is by: the highest first."""
    return gain(offer, chance, stakes) / max(1e-9, 1 - stakes.asks_again * (1 - chance))


def ordered(offers: Sequence[Offer], stakes: Stakes, chances: Chances = by_mean) -> list[Offer]:
    """All offers, the best to be asked first; equals stay as they were."""
    drawn = [(index(offer, chances(offer), stakes), -number, offer) for number, offer in enumerate(offers)]
    return [offer for *_, offer in sorted(drawn, key=lambda row: row[:2], reverse=True)]


def paying(order: Sequence[Offer], stakes: Stakes, chances: Chances = by_mean) -> list[Offer]:
    """Without those that cost more than they are expected to bring."""
    return [offer for offer in order if gain(offer, chances(offer), stakes) > 0]


def worth(order: Sequence[Offer], stakes: Stakes) -> float:
    """Dollars that asking in this order is expected to bring."""
    total, reached = 0.0, 1.0
    for offer in order:
        total += reached * gain(offer, offer.chance, stakes)
        reached *= (1 - offer.chance) * stakes.asks_again
    return total


def propensities(
    offers: Sequence[Offer], stakes: Stakes, chance: random.Random, draws: int = DRAWS
) -> dict[str, float]:
    """How likely each offer is to be the first when chances are drawn; they sum to 1.

    Each counts as drawn once more than it was, so that none is impossible: whoever weighs outcomes by how unlikely
    they were must not divide by nothing.
    """
    counts = {offer.rung: 1 for offer in offers}
    for _ in range(draws):
        counts[ordered(offers, stakes, by_draw(chance))[0].rung] += 1
    return {rung: count / (draws + len(offers)) for rung, count in counts.items()}
