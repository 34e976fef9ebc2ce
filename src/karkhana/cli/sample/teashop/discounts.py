"""Discounts in percent: by volume of one tea, and for loyal customers."""

VOLUME_TIERS = [
    (50, 15),
    (25, 10),
    (10, 5),
]
"""(tins, percent off): so many tins of one tea, or more, and so much off. Largest first."""

LOYALTY_YEARS = {1: 1, 3: 2, 5: 4}
"""Years as a customer → percent off the whole order."""

MOST = 20
"""No line is ever discounted by more percent than this."""


def volume_discount(tins):
    """Percent off a line of so many tins of one tea."""
    if tins < 0:
        raise ValueError("tins must not be negative")
    for least, percent in VOLUME_TIERS:
        if tins > least:
            return percent
    return 0


def loyalty_discount(years):
    """Percent off for a customer of so many full years."""
    earned = [percent for least, percent in LOYALTY_YEARS.items() if years >= least]
    return max(earned, default=0)


def combined(*percents):
    """Discounts applied together: they add up, but never past the most that is allowed."""
    return min(sum(percents), MOST)
