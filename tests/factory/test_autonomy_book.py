"""The levels of a repository from real outcomes: earned, written into the history once, lost, set by a person."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from karkhana.domain import events as ev
from karkhana.domain.autonomy import Cause
from karkhana.domain.errors import InvalidInput
from karkhana.domain.outcomes import ScoredChange, Sign, SignKind
from karkhana.domain.policy import Autonomy, Policy
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Order, Ticket
from karkhana.factory.autonomy import AutonomyBook, autonomy_book
from karkhana.factory.stores import Stores, open_stores

IN, ON, OUT = Autonomy
DAY = 86_400.0
SHOP = "/home/me/shop"


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with open_stores(Settings(home=tmp_path / "home")) as opened:
        yield opened


@pytest.fixture
def book(stores: Stores) -> AutonomyBook:
    return autonomy_book(stores)


def delivered(stores: Stores, book: AutonomyBook, number: int, *, bad: bool = False, score: float = 0.95) -> str:
    """One more change that landed on day ``number``; a good one was watched for long enough."""
    order = Order(ticket=Ticket(text="mend it"), repository=SHOP, commit="0" * 40)
    run = stores.tasks.add_and_claim(order, "worker", 20.0)[1]
    at = number * DAY
    change = ScoredChange(
        run_id=run.run_id, repository=SHOP, type="bugfix", engineer="symbolic", score=score, at=at, commit="1" * 40
    )
    book.outcomes.store.keep(change)
    book.outcomes.store.land(run.run_id, "1" * 40, at)
    if bad:
        book.outcomes.store.add(Sign.make(run.run_id, SignKind.REVERTED, "2" * 40, at=at + 40 * DAY))
    return run.run_id


def test_levels_are_earned_and_lost_and_the_history_tells(stores: Stores, book: AutonomyBook) -> None:
    for number in range(27):
        delivered(stores, book, number)
    assert book.standing(SHOP, "bugfix", Policy()).level is IN
    book.outcomes.store.watched(SHOP, 1000 * DAY)
    standing = book.standing(SHOP, "bugfix", Policy())
    assert (standing.level, standing.guarantee.deploy_above) == (ON, 0.90)
    assert book.standing(SHOP, "bugfix", Policy()).level is ON
    assert book.standing(SHOP, "deps", Policy()).level is IN
    delivered(stores, book, 200, bad=True)
    assert book.standing(SHOP, "bugfix", Policy()).level is IN
    history = book.store.history(SHOP, "bugfix")
    assert [(c.previous, c.level, c.cause) for c in history] == [
        (IN, ON, Cause.GUARANTEE),
        (ON, IN, Cause.BAD_OUTCOME),
    ]
    (found,) = book.months(SHOP, "bugfix", [("always", 0.0, 10_000 * DAY)])
    assert (found.whole.outcomes, found.whole.bad) == (28, 1)
    assert (found.whole.alone, found.whole.false_positives) == (28, 1)


def test_a_person_grants_and_a_bad_outcome_takes(stores: Stores, book: AutonomyBook) -> None:
    standing = book.set(SHOP, "bugfix", ON, Policy(), by="asha", because="it is a toy")
    assert standing.level is ON
    assert [(c.by, c.because, c.cause) for c in book.store.history()] == [("asha", "it is a toy", Cause.PERSON)]
    assert standing.guarantee.deploy_above is None
    with pytest.raises(InvalidInput, match="no more than human_on_the_loop"):
        book.set(SHOP, "bugfix", OUT, Policy(), by="asha", because="")


def test_a_change_is_told_what_holds_for_it(book: AutonomyBook) -> None:
    policy = Policy(autonomy=ON, audit_share=1.0)
    found = book.consult("run_1", SHOP, "bugfix", policy, ["shop/cart.py", "karkhana.toml"])
    assert found.audited
    assert found.protected == ("karkhana.toml: it is the policy that changes are judged by",)
    alone = book.consult("run_1", SHOP, "bugfix", Policy(audit_share=1.0), ["shop/cart.py"])
    assert not alone.audited
    assert alone.protected == ()


def test_months_tell_types_apart_and_what_was_known_by_then(stores: Stores, book: AutonomyBook) -> None:
    for number in range(27):
        delivered(stores, book, number)
    asked = delivered(stores, book, 40, bad=True)
    trail = stores.events.trail(asked)
    trail.record(ev.AutonomyConsulted(standing=book.standing(SHOP, "deps", Policy()), audited=True))
    trail.record(ev.ApprovalRequested(patch_sha256="0" * 64))
    book.outcomes.store.watched(SHOP, 1000 * DAY)
    early, late = book.months(SHOP, None, [("early", 0.0, 60 * DAY), ("late", 60 * DAY, 100 * DAY)])
    assert (early.whole.outcomes, late.whole.outcomes, late.whole.bad) == (27, 1, 1)
    assert (early.by_then["bugfix"].outcomes, early.by_then["bugfix"].deploy_above) == (27, 0.70)
    assert (late.by_then["bugfix"].outcomes, late.by_then["bugfix"].bad) == (28, 1)
    assert list(late.by_type) == ["bugfix"]
    audit = late.by_type["bugfix"].overlooked
    assert (late.whole.alone, audit.audited, audit.refused, audit.share) == (0, 1, 1, 1.0)
    assert early.whole.overlooked.share == 0.0


def test_other_settings_are_told_as_what_they_are(stores: Stores, book: AutonomyBook) -> None:
    assert book.standing(SHOP, "deps", Policy(autonomy=ON)).level is ON
    assert book.standing(SHOP, "bugfix", Policy(autonomy_limit=OUT)).level is IN
    assert book.store.history() == []
    for number in range(27):
        delivered(stores, book, number)
    book.outcomes.store.watched(SHOP, 1000 * DAY)
    for policy in (Policy(), Policy(autonomy_limit=IN), Policy(autonomy=OUT), Policy()):
        book.standing(SHOP, "bugfix", policy)
    causes = [(change.level, change.cause) for change in book.store.history(SHOP, "bugfix")]
    assert causes == [(ON, Cause.GUARANTEE), (IN, Cause.SETTINGS), (OUT, Cause.SETTINGS), (ON, Cause.SETTINGS)]
