"""A person's word to a run that waits: whose counts, and that it holds when it cannot be carried out at once."""

import threading
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from short_lines import git, settings

from karkhana.domain import events as ev
from karkhana.domain.errors import InvalidInput, KarkhanaError, LeftToWorker
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.again import let_go_on
from karkhana.factory.approvals import Word, answer, answer_message, leave_within
from karkhana.factory.stores import Stores, open_stores
from karkhana.storage.runs import Claim
from postgres import until_waiting

DIGEST = "a" * 64
ASKED = ev.ApprovalRequested(patch_sha256=DIGEST)


def waiting(stores: Stores, shop: Path, asked: ev.AnyEvent = ASKED) -> Claim:
    order = Order(ticket=Ticket(text="total() is wrong"), repository=str(shop), commit=git(shop, "rev-parse", "HEAD"))
    _, claim = stores.tasks.add_and_claim(order, "worker", 600.0, product="shop")
    record(stores, claim, asked)
    stores.runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    stores.runs.park(claim.run_id, claim.epoch)
    return claim


def record(stores: Stores, claim: Claim, event: ev.AnyEvent) -> None:
    stores.events.trail(claim.run_id, claim.epoch).record(event)


def leave(stores: Stores, run_id: str, word: Word) -> None:
    with stores.database.writing() as connection:
        leave_within(stores, connection, run_id, word)


def left(stores: Stores, run_id: str, topic: str = "approval") -> list[str]:
    """By whom."""
    found = (stores.messages.read(run_id, topic, number) for number in range(4))
    return [msgspec.json.decode(each)["by"] for each in found if each is not None]


@pytest.mark.parametrize(("first", "told"), [(True, "approved already, by asha"), (False, "rejected already, by asha")])
@pytest.mark.parametrize("asked", [ASKED, ev.DeliveryAnnounced(patch_sha256=DIGEST, until=1e11)])
def test_of_two_decisions_the_first_counts_and_the_second_is_told_whose_that_was(
    stores: Stores, shop: Path, asked: ev.AnyEvent, first: bool, told: str
) -> None:
    run_id = waiting(stores, shop, asked).run_id
    # both looked before either of them said something
    words = [
        answer_message(stores, run_id, approved=approved, comment="", by=by)
        for approved, by in ((first, "asha"), (True, "ravi"), (False, "mira"))
    ]
    leave(stores, run_id, words[0])
    for word in words[1:]:
        with pytest.raises(InvalidInput, match=told):
            leave(stores, run_id, word)
    assert left(stores, run_id, words[0].topic) == ["asha"]


def test_after_an_answer_that_did_not_count_another_one_may(stores: Stores, shop: Path) -> None:
    claim = waiting(stores, shop)
    leave(stores, claim.run_id, answer_message(stores, claim.run_id, approved=True, comment="", by="asha"))
    with pytest.raises(InvalidInput, match="by asha"):
        leave(stores, claim.run_id, answer_message(stores, claim.run_id, approved=True, comment="", by="ravi"))
    record(stores, claim, ev.ApprovalRefused(by="asha", because="asha ordered it", patch_sha256=DIGEST))
    leave(stores, claim.run_id, answer_message(stores, claim.run_id, approved=True, comment="", by="ravi"))
    assert left(stores, claim.run_id) == ["asha", "ravi"]


def test_a_paused_run_is_let_go_on_once_for_each_pause(stores: Stores, shop: Path) -> None:
    paused = ev.WorkPaused(reason="the budget is used up")
    claim = waiting(stores, shop, paused)

    def go_on(by: str) -> None:
        tell = let_go_on(stores, claim.run_id, turns=5, usd=1.0, by=by)
        with stores.database.writing() as connection:
            tell(connection)

    # the clock says nothing that the run would have heard
    for event in (ev.WorkResumed(by="the clock"), paused):
        record(stores, claim, event)
    go_on("asha")
    with pytest.raises(InvalidInput, match="was let go on already, by asha"):
        go_on("ravi")
    for event in (ev.WorkResumed(by="asha", turns=5, usd=1.0), paused):
        record(stores, claim, event)
    go_on("ravi")
    assert left(stores, claim.run_id, "resume") == ["asha", "ravi"]


@pytest.mark.postgres
def test_of_two_decisions_at_the_same_time_one_counts_and_the_other_is_told(
    postgres_migrated_url: str, tmp_path: Path, shop: Path
) -> None:
    here = msgspec.structs.replace(settings(), home=tmp_path / "home", database_url=postgres_migrated_url)
    with open_stores(here) as stores:
        run_id = waiting(stores, shop).run_id
        words = [answer_message(stores, run_id, approved=True, comment="", by=by) for by in ("asha", "ravi")]
        told: list[str] = []

        def second() -> None:
            try:
                leave(stores, run_id, words[1])
            except KarkhanaError as error:
                told.append(error.message)

        thread = threading.Thread(target=second)
        with stores.database.writing() as connection:
            leave_within(stores, connection, run_id, words[0])
            thread.start()
            until_waiting(stores.database)
        thread.join(20.0)
        assert told == [f"{run_id} was approved already, by asha"]
        assert left(stores, run_id) == ["asha"]


def test_a_decision_holds_when_it_cannot_be_carried_out_here(stores: Stores, shop: Path) -> None:
    run_id = waiting(stores, shop).run_id
    written: list[sa.Connection] = []
    with stores.database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER broken BEFORE UPDATE OF lease_owner ON runs BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises(LeftToWorker, match=r"could not be carried out here.*no room") as failed:
        answer(run_id, approved=True, comment="", by="ravi", observer=lambda _event: None, written=written.append)
    assert failed.value.next == "A worker carries it out: karkhana worker"
    assert (left(stores, run_id), len(written)) == (["ravi"], 1)
    assert [lease.run_id for lease in stores.runs.expired()] == [run_id], "any worker may take it"
