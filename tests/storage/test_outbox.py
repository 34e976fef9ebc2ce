import threading

import pytest
from storage_support import StoppedClock

from karkhana.storage.database import Database, open_database
from karkhana.storage.outbox import Outbox, Saying, queue


@pytest.fixture
def outbox(database: Database, clock: StoppedClock) -> Outbox:
    return Outbox(database, clock)


def say(database: Database, clock: StoppedClock, text: str, slot: str = "", task: str = "BUILD-1", **more) -> None:
    saying = Saying(text=text, content=f"<{text}>", slot=slot, **more)
    with database.writing() as connection:
        queue(connection, clock().timestamp(), saying, door="forge", reference="octo/shop#7", task_id=task)


def test_a_slot_holds_the_newest_and_what_has_none_is_said_once_each(database, clock, outbox):
    for text in ("in the queue", "being worked on"):
        say(database, clock, text, "progress")
        say(database, clock, text)
    say(database, clock, "other", "progress", "BUILD-2")
    found = outbox.due()
    assert [(each.text, each.slot, each.version) for each in found] == [
        ("being worked on", "progress", 2),
        ("in the queue", "", 1),
        ("being worked on", "", 1),
        ("other", "progress", 1),
    ]
    assert len({each.marker for each in found}) == 4


def test_what_was_said_is_changed_where_it_stands(database, clock, outbox):
    say(database, clock, "in the queue", "progress")
    (answer,) = outbox.due()
    assert outbox.begin(answer)
    outbox.sent(answer, '{"comment":5}')
    say(database, clock, "in the queue", "progress")
    assert outbox.due() == []
    say(database, clock, "done", "progress")
    (again,) = outbox.due()
    assert (again.external, again.marker, again.begun, again.version) == ('{"comment":5}', answer.marker, True, 2)


def test_a_change_during_the_sending_is_sent_too(database, clock, outbox):
    say(database, clock, "in the queue", "progress")
    (answer,) = outbox.due()
    assert outbox.begin(answer)
    say(database, clock, "done", "progress")
    outbox.sent(answer, '{"comment":5}')
    (again,) = outbox.due()
    assert (again.text, again.external) == ("done", '{"comment":5}')
    # whoever still holds the older one must not send it, and its failure is not the newer one's
    assert not outbox.begin(answer)
    outbox.dead(answer, "gone")
    outbox.unsent(answer, 60.0, "later")
    assert [each.text for each in outbox.due()] == ["done"]


def test_what_only_changes_says_nothing_new(database, clock, outbox):
    say(database, clock, "asha approved it", "decision", only_changes=True)
    assert outbox.due() == []
    say(database, clock, "waits", "decision")
    say(database, clock, "asha approved it", "decision", only_changes=True)
    assert [each.text for each in outbox.due()] == ["asha approved it"]


def test_tries_and_the_end_of_them(database, clock, outbox):
    say(database, clock, "done")
    (answer,) = outbox.due()
    for wait, counted in ((30.0, True), (60.0, False)):
        assert outbox.begin(outbox.due()[0])
        outbox.unsent(answer, wait, "it fails", counted=counted)
        assert outbox.due() == []
        clock.move(wait)
    (again,) = outbox.due()
    assert (again.attempts, again.begun, again.error) == (1, True, "it fails")
    outbox.dead(again, "no such issue")
    assert outbox.due() == []
    (dead,) = outbox.waiting(failed=True)
    assert (dead.error, dead.failed) == ("no such issue", True)
    assert [outbox.again(dead.ordinal + 1), outbox.again()] == [0, 1]
    assert [(each.attempts, each.begun) for each in outbox.due()] == [(0, True)]


def test_one_process_sends_for_a_door(database, clock, outbox):
    assert outbox.lead("forge", "one", 60.0).mine
    assert not outbox.lead("forge", "two", 60.0).mine
    assert outbox.lead("desk", "two", 60.0).mine
    clock.move(59.0)
    assert outbox.lead("forge", "one", 60.0).mine
    clock.move(59.0)
    assert not outbox.lead("forge", "two", 60.0).mine
    clock.move(2.0)
    assert outbox.lead("forge", "two", 60.0).mine
    outbox.leave("forge", "one")
    assert not outbox.lead("forge", "one", 60.0).mine
    outbox.leave("forge", "two")
    assert outbox.lead("forge", "one", 60.0).mine


def test_of_many_at_once_one_leads(database_url, database, tmp_path):
    start, won = threading.Barrier(6), []

    def lead(name: str) -> None:
        with open_database(database_url, tmp_path / "home") as opened:
            start.wait(10)
            if Outbox(opened).lead("forge", name, 60.0).mine:
                won.append(name)

    threads = [threading.Thread(target=lead, args=(f"n{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(won) == 1


def test_a_door_rests_for_all_processes(database, clock, outbox):
    assert outbox.lead("forge", "one", 60.0).rests_s == 0
    outbox.rest("forge", 300.0, "the token does not count")
    assert outbox.troubles() == {"forge": "the token does not count"}
    clock.move(100.0)
    assert outbox.lead("forge", "two", 60.0).rests_s == pytest.approx(200.0)
    outbox.rest("forge", 0.0, "")
    assert (outbox.lead("forge", "two", 60.0).rests_s, outbox.troubles()) == (0.0, {})


def test_what_ended_long_ago_is_forgotten(database, clock, outbox):
    for text in ("sent", "dead", "waits"):
        say(database, clock, text)
    sent, dead, _waits = outbox.due()
    outbox.sent(sent)
    outbox.dead(dead, "gone")
    assert outbox.prune(clock().timestamp()) == 0
    clock.move(100.0)
    say(database, clock, "new")
    assert outbox.prune(clock().timestamp()) == 3
    # what nobody sends, as its door is no more, does not pile up
    assert [each.text for each in outbox.waiting()] == ["new"]
