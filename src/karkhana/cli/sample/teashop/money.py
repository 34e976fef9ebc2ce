"""Amounts in paise, the smallest unit, so that nothing is ever lost to rounding of floats."""


def percent_of(amount, percent):
    """``percent`` % of ``amount`` paise, half a paisa rounded up."""
    return (amount * percent + 50) // 100


def split_evenly(amount, parts):
    """Split ``amount`` paise into ``parts`` amounts that differ by at most one paisa and add up exactly."""
    if parts < 1:
        raise ValueError("parts must be at least 1")
    share, rest = divmod(amount, parts)
    return [share + 1] * rest + [share] * (parts - rest)


def formatted(amount):
    """``123456`` as ``₹1,234.56``."""
    sign = "-" if amount < 0 else ""
    rupees, paise = divmod(abs(amount), 100)
    return f"{sign}₹{rupees:,}.{paise:02d}"
