"""When a reader's day began: in the time zone that their browser named, else in the server's.

>>> from datetime import UTC
>>> midnight("Asia/Kolkata", datetime(2026, 3, 1, 20, 0, tzinfo=UTC)).isoformat()
'2026-03-02T00:00:00+05:30'
>>> zone_of("Nowhere/Town"), zone_of("../../etc/passwd"), zone_of("Europe")
('', '', '')
"""

import zoneinfo
from datetime import datetime

ZONE_COOKIE = "karkhana_zone"
LONGEST = 64


def zone_of(name: str) -> str:
    """``name`` if it is a zone of the time-zone database (RFC 6557), else nothing."""
    if not 0 < len(name) <= LONGEST:
        return ""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: a folder of zones
        return ""
    return name


def midnight(zone: str, at: datetime) -> datetime:
    """The beginning of the day that ``at`` is in; an empty zone is the server's.

    The clock's face is set, and the zone's rules for that moment then say how far it is from UTC: on the days on which
    clocks are changed that is not what it is at ``at``.
    """
    if not zone:
        return at.astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None).astimezone()
    return at.astimezone(zoneinfo.ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
