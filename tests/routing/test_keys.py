"""Virtual keys: found by their secret alone, refused with the cause, changed without a restart."""

from pathlib import Path

import msgspec
import pytest

from karkhana.domain.spending import Account
from karkhana.routing.keys import (
    KeyDisabled,
    KeyExpired,
    KeyRefused,
    ModelNotAllowed,
    UnknownKey,
    VirtualKeys,
    digest,
    minted,
)
from karkhana.routing.limits import RateLimited
from karkhana.storage.database import open_database
from karkhana.storage.virtual_key_store import VirtualKeyStore


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(sqlite_home: Path):
    with open_database(None, sqlite_home) as database:
        yield VirtualKeyStore(database)


@pytest.fixture
def keys(store: VirtualKeyStore, clock: Clock) -> VirtualKeys:
    return VirtualKeys(store, wall=clock, clock=clock)


def add(store: VirtualKeyStore, keys: VirtualKeys, **fields):
    secret, key = minted("ci", **fields)
    store.add(key, digest(secret))
    assert keys.refresh()
    return secret, key


def test_a_secret_is_random_long_and_not_what_is_stored(store, keys) -> None:
    secret, key = add(store, keys)
    assert minted("ci")[0] != secret
    assert len(secret) == 46
    assert secret.startswith(key.prefix)
    stored = repr(store.all())
    assert secret not in stored
    assert secret[7:] not in stored


def test_a_holder_is_found_by_the_whole_secret_only(store, keys) -> None:
    secret, key = add(store, keys, team="web")
    holder = keys.find(secret)
    assert holder.key == key
    assert holder.account == Account(key.key_id, "web")
    for wrong in ("", secret[:-1], secret + "x", secret.upper(), digest(secret), key.key_id, "\ud800", "x" * 10**7):
        with pytest.raises(UnknownKey):
            keys.find(wrong)


def test_no_secret_is_printed(store, keys) -> None:
    secret, _ = add(store, keys, disabled=True)
    with pytest.raises(KeyRefused) as caught:
        keys.find(secret)
    assert secret[8:] not in repr(caught.value) + caught.value.message + caught.value.next
    with pytest.raises(KeyRefused) as caught:
        keys.find(secret + "x")
    assert secret[3:] not in repr(caught.value) + caught.value.message + caught.value.next
    assert secret[8:] not in repr(keys._holders)


def test_a_key_ends_at_its_time(store, keys, clock) -> None:
    secret, _ = add(store, keys, expires_at=1060.0)
    keys.find(secret)
    clock.now = 1060.0
    with pytest.raises(KeyExpired):
        keys.find(secret)


def test_changes_hold_after_a_refresh(store, keys) -> None:
    secret, key = add(store, keys)
    assert not keys.refresh()
    store.put(msgspec.structs.replace(key, disabled=True))
    assert keys.refresh()
    with pytest.raises(KeyDisabled):
        keys.find(secret)
    store.remove(key.key_id)
    assert keys.refresh()
    with pytest.raises(UnknownKey):
        keys.find(secret)


def test_a_key_is_for_its_models(store, keys) -> None:
    secret, _ = add(store, keys, models=("gpt-*",))
    holder = keys.find(secret)
    for _ in range(2):
        holder.check("gpt-5")
        with pytest.raises(ModelNotAllowed, match="claude") as caught:
            holder.check("claude-5")
    assert caught.value.status == 403
    assert "gpt-*" in caught.value.next
    for number in range(3000):
        with pytest.raises(ModelNotAllowed):
            holder.check(f"made-up-{number}")
    assert len(holder._models) <= 1024


def test_a_change_elsewhere_does_not_give_a_key_its_allowance_again(store, keys, clock) -> None:
    secret, key = add(store, keys, requests_per_minute=1)
    keys.find(secret).limits.take(0)
    add(store, keys)
    with pytest.raises(RateLimited):
        keys.find(secret).limits.take(0)
    store.put(msgspec.structs.replace(key, requests_per_minute=2))
    keys.refresh()
    keys.find(secret).limits.take(0)
