"""Virtual keys in both databases: what is added comes back, and every change is noticed."""

import msgspec
import pytest
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput
from karkhana.domain.virtual_keys import VirtualKey
from karkhana.storage.database import Database
from karkhana.storage.tables import virtual_keys
from karkhana.storage.virtual_key_store import VirtualKeyStore

FULL = VirtualKey(
    key_id="a1",
    prefix="kk_AbCd",
    name="Nightly übung",
    team="web",
    models=("gpt-*", "claude-?"),
    requests_per_minute=60,
    tokens_per_minute=100_000,
    expires_at=2e9,
    disabled=True,
    created_at=1e9,
)
BARE = VirtualKey(key_id="b2", prefix="kk_EfGh", name="b", created_at=2e9)


@pytest.fixture
def store(database: Database) -> VirtualKeyStore:
    return VirtualKeyStore(database)


def test_what_is_added_comes_back_by_its_hash(store: VirtualKeyStore) -> None:
    store.add(BARE, "b" * 64)
    store.add(FULL, "a" * 64)
    assert list(store.all().items()) == [("a" * 64, FULL), ("b" * 64, BARE)]
    assert store.get("a1") == FULL


def test_all_but_the_secret_is_changed(store: VirtualKeyStore) -> None:
    store.add(FULL, "a" * 64)
    changed = msgspec.structs.replace(FULL, name="n", models=(), tokens_per_minute=None, disabled=False)
    store.put(changed)
    assert dict(store.all()) == {"a" * 64: changed}


def test_every_change_gives_another_version(store: VirtualKeyStore) -> None:
    versions = [store.version()]
    for change in (
        lambda: store.add(FULL, "a" * 64),
        lambda: store.put(FULL),
        lambda: store.put(FULL),
        lambda: store.add(BARE, "b" * 64),
        lambda: store.remove("a1"),
    ):
        change()
        versions.append(store.version())
    assert len(set(versions)) == 6
    assert store.version() == versions[-1]


def test_what_is_not_there_is_not_changed(store: VirtualKeyStore) -> None:
    store.add(FULL, "a" * 64)
    store.remove("a1")
    for attempt in (lambda: store.remove("a1"), lambda: store.put(FULL), lambda: store.get("a1")):
        with pytest.raises(InvalidInput, match="no key a1"):
            attempt()


def test_two_keys_never_share_a_secret(store: VirtualKeyStore) -> None:
    store.add(FULL, "a" * 64)
    with pytest.raises(sa.exc.IntegrityError):
        store.add(BARE, "a" * 64)


def test_no_column_holds_a_secret() -> None:
    assert {column.name for column in virtual_keys.columns if "secret" in column.name} == {"secret_sha256"}
