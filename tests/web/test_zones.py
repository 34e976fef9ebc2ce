"""Days begin where the reader is, also on the days on which clocks are changed."""

from datetime import UTC, datetime

import pytest

from karkhana.web.pages.audit import _day
from karkhana.web.zones import midnight


@pytest.mark.parametrize(
    ("zone", "at", "began"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC), "2026-03-28T23:00:00+00:00"),
        ("Europe/Berlin", datetime(2026, 10, 25, 20, tzinfo=UTC), "2026-10-24T22:00:00+00:00"),
        ("Pacific/Kiritimati", datetime(2026, 5, 1, 12, tzinfo=UTC), "2026-05-01T10:00:00+00:00"),
        ("UTC", datetime(2026, 5, 1, 23, 59, tzinfo=UTC), "2026-05-01T00:00:00+00:00"),
    ],
)
def test_midnight_is_by_the_zones_rules_for_that_day(zone, at, began):
    assert midnight(zone, at).astimezone(UTC).isoformat() == began


def test_without_a_zone_it_is_the_servers():
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    begun = midnight("", at)
    assert (begun.hour, begun.minute, begun.date()) == (0, 0, at.astimezone().date())


@pytest.mark.parametrize(
    ("day", "zone", "more", "at"),
    [
        ("2026-03-29", "Europe/Berlin", 0, "2026-03-28T23:00:00.000000Z"),
        ("2026-03-29", "Europe/Berlin", 1, "2026-03-29T22:00:00.000000Z"),
        ("2026-05-02", "Pacific/Kiritimati", 0, "2026-05-01T10:00:00.000000Z"),
        ("2026-05-02", "Pacific/Midway", 0, "2026-05-02T11:00:00.000000Z"),
        ("no day", "UTC", 0, ""),
        ("9999-12-31", "UTC", 1, ""),
    ],
)
def test_a_day_of_the_audit_is_the_readers(day, zone, more, at):
    assert _day(day, zone, more) == at
