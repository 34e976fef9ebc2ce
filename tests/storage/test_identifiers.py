from datetime import UTC, datetime

from karkhana.storage.identifiers import new_run_id, next_task_id


def test_run_ids_are_unique_and_sort_by_time():
    made = [new_run_id(1_700_000_000 + n / 1000) for n in range(0, 5000, 5)]
    assert made == sorted(made)
    assert len({new_run_id(1.0) for _ in range(1000)}) == 1000
    assert all(run_id.startswith("run_") and len(run_id) == 30 for run_id in made)


def test_a_run_id_holds_the_milliseconds():
    # the specification's own example of a time: 1469918176385 is 01ARYZ6S41
    assert new_run_id(1469918176.385).startswith("run_01aryz6s41")


def test_task_ids_count_by_day_and_do_not_end_at_999(database):
    day = datetime(2026, 5, 12, 23, 59, tzinfo=UTC).timestamp()
    with database.writing() as connection:
        made = [next_task_id(connection, day) for _ in range(1001)]
        assert next_task_id(connection, day + 60) == "BUILD-2026-05-13-001"
    assert made[0] == "BUILD-2026-05-12-001"
    assert made[998:] == ["BUILD-2026-05-12-999", "BUILD-2026-05-12-1000", "BUILD-2026-05-12-1001"]
