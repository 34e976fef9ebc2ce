"""The history of levels in both databases: added to, never repeated by the factory, read back in order."""

import msgspec
import pytest

from karkhana.domain.autonomy import Cause, LevelChange
from karkhana.domain.policy import Autonomy
from karkhana.storage.autonomy_store import AutonomyStore
from karkhana.storage.database import Database

UP = LevelChange(
    repository="/shop",
    task_type="bugfix",
    at=10.0,
    level=Autonomy.ON_THE_LOOP,
    previous=Autonomy.IN_THE_LOOP,
    cause=Cause.GUARANTEE,
    because="0 of 27 were bad",
)


@pytest.fixture
def store(database: Database) -> AutonomyStore:
    return AutonomyStore(database, redact=lambda text: text.replace("hunter2", "***"))


def test_changes_come_back_in_order(store: AutonomyStore) -> None:
    down = msgspec.structs.replace(
        UP, at=20.0, level=UP.previous, previous=UP.level, cause=Cause.PERSON, by="asha", because="hunter2 said so"
    )
    other = msgspec.structs.replace(UP, task_type="deps")
    assert [store.add(each) for each in (UP, other, down)] == [True, True, True]
    assert store.history("/shop", "bugfix") == [UP, msgspec.structs.replace(down, because="*** said so")]
    assert len(store.history()) == 3
    assert store.history("/bank") == []


def test_the_factory_says_nothing_twice_and_a_person_may(store: AutonomyStore) -> None:
    assert store.add(UP)
    assert not store.add(msgspec.structs.replace(UP, at=11.0))
    assert store.add(msgspec.structs.replace(UP, at=12.0, cause=Cause.PERSON, by="asha"))


def test_an_alarm_is_told_once_for_each_run_though_the_level_stays(store: AutonomyStore) -> None:
    assert store.add(UP)
    alarm = msgspec.structs.replace(UP, previous=UP.level, cause=Cause.DRIFT, run_id="run_1")
    assert [store.add(each) for each in (alarm, alarm)] == [True, False]
    assert store.add(msgspec.structs.replace(alarm, run_id="run_2"))
