from typing import Any

import pytest

from karkhana.domain.chat import Cache
from karkhana.routing.wires.cache_marks import breakpoint_of, cache_control, cache_of


@pytest.mark.parametrize("cache", list(Cache))
def test_what_is_written_is_read(cache: Cache) -> None:
    assert cache_of(cache_control(cache)) is cache_of(breakpoint_of(cache)) is cache


@pytest.mark.parametrize(
    ("part", "cache"),
    [
        ({"cache_control": {"type": "ephemeral", "ttl": "5m"}}, Cache.SHORT),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, Cache.LONG),
        ({"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}, Cache.SHORT),
        ({"cache_control": None}, Cache.NONE),
        ({"cache_control": "ephemeral"}, Cache.NONE),
        ({}, Cache.NONE),
    ],
)
def test_marks_of_clients(part: dict[str, Any], cache: Cache) -> None:
    assert cache_of(part) is cache
