"""Says in one sentence for each rung why it is asked or not. Knows nothing of where the numbers come from.

>>> from karkhana.routing.policy.posteriors import Beta
>>> offer = Offer("cloud/small", Beta(8.0, 2.0), cost=0.0004, wait=0.002, outcomes=9, good=8, seconds=2.0)
>>> sentence(offer, Stakes(0.05))
'passes with 0.80 (8 of 9 did), costs about $0.00040, takes 2.0 s ($0.0020): asking it is worth $0.038'
"""

from karkhana.routing.policy.cascade import Offer, Stakes, gain
from karkhana.routing.policy.choosing import Choice


def sentence(offer: Offer, stakes: Stakes) -> str:
    """Why a rung stands where it stands."""
    known = f"{offer.good} of {offer.outcomes} did" if offer.outcomes else "no outcome yet"
    wording = f", {offer.correction:+.2f} of it for the wording" if offer.correction else ""
    cost = (
        f"costs about {dollars(offer.cost)}"
        if offer.priced
        else f"its price is unknown, taken as {dollars(offer.cost)}"
    )
    cost = "costs nothing" if offer.cost == 0 and offer.priced else cost
    switch = f" and {dollars(offer.switch)} for the prompt cache that is lost" if offer.switch else ""
    checked = f", checking it {dollars(offer.verify)}" if offer.verify else ""
    wait = f", takes {offer.seconds:.1f} s ({dollars(offer.wait)})" if offer.seconds else ""
    value = gain(offer, offer.chance, stakes)
    ends = f"asking it is worth {dollars(value)}" if value > 0 else f"asking it would lose {dollars(-value)}"
    return f"passes with {offer.chance:.2f} ({known}{wording}), {cost}{switch}{checked}{wait}: {ends}"


def explained(choice: Choice) -> list[tuple[str, str]]:
    """Rung and sentence: first the order in which they are asked, then those that are left out."""
    told = []
    paying = len(choice.offers) - choice.spare
    for number, offer in enumerate(choice.offers, 1):
        words = sentence(offer, choice.stakes)
        if number == 1 and choice.stays:
            words += "; the session stays here for its prompt cache"
        if number > paying:
            words += "; so it only stands by for when the others are out of order"
        told.append((offer.rung, words))
    return told + [(rung, f"left out: {reason}") for rung, reason in choice.left_out]


def dollars(amount: float) -> str:
    """Two digits that say something.

    >>> dollars(0.0), dollars(12.345), dollars(0.000123), dollars(0.0000001)
    ('$0', '$12', '$0.00012', 'less than $0.000001')
    """
    if amount == 0:
        return "$0"
    if 0 < amount < 0.000001:
        return "less than $0.000001"
    digits = 2
    while digits < 8 and abs(amount) * 10 ** (digits - 1) < 1:
        digits += 1
    return f"${amount:.0f}" if abs(amount) >= 10 else f"${amount:.{digits}f}" if abs(amount) < 1 else f"${amount:.1f}"
