"""What it costs to send a parcel."""

FREE_FROM = 200_000
"""Orders of this net value in paise, or more, travel for free."""

ZONES = {"city": 4_000, "country": 7_000, "abroad": 45_000}
"""Paise for the first kilogram."""

NEXT_KILOGRAM = {"city": 1_000, "country": 2_000, "abroad": 15_000}


class UnknownZone(ValueError):
    """There is no such zone."""


def shipping(net, weight, zone="country"):
    """Paise for a parcel of ``weight`` grams and ``net`` paise value."""
    if zone not in ZONES:
        raise UnknownZone(f"no zone {zone!r}; there are {', '.join(sorted(ZONES))}")
    if weight == 0:
        return 0
    if net >= FREE_FROM and zone != "abroad":
        return 0
    kilograms = -(-weight // 1000)
    return ZONES[zone] + (kilograms - 1) * NEXT_KILOGRAM[zone]
