"""What is learnt lasts, comes from all who share the database, and waits when that is away."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.routes import Report, RouteChoice, RouteOutcome
from karkhana.routing.policy.cascade import Offer, Stakes
from karkhana.routing.policy.choosing import Choice
from karkhana.routing.policy.notebook import Call, Notebook, Seen
from karkhana.routing.policy.posteriors import Beta, Subject
from karkhana.routing.policy.settings import PolicySettings
from karkhana.storage.database import Database, open_database
from karkhana.storage.route_store import RouteStore

DAY = 86_400.0
CHOICE = Choice(
    offers=(Offer("p/small", Beta(2, 2), cost=0.001), Offer("p/large", Beta(3, 1), cost=0.01)),
    stakes=Stakes(0.05),
    drawn=True,
)


def call(name: str, key_id: str = "k", **fields: Any) -> Call:
    return Call(name, key_id, "", "auto", "bugfix", CHOICE, **fields)


@pytest.fixture
def database(tmp_path: Path) -> Any:
    with open_database(None, tmp_path) as opened:
        yield opened


def notebook(database: Database, now: float = 1000.0, store: RouteStore | None = None) -> Notebook:
    made = Notebook(store or RouteStore(database), PolicySettings(), wall=lambda: now)
    made.load()
    return made


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def test_a_call_is_kept_with_its_reasons_and_its_propensity(database: Database) -> None:
    book = notebook(database)
    book.begin(call("c1", session=("k", "s")))
    book.answered("c1", Seen("p/small", 1.5, 40, 900))
    book.end("c1", "p/small")
    book.write()
    book.write()
    kept = RouteStore(database).choice("c1")
    assert kept is not None
    assert (kept.answered, kept.chosen, kept.seconds, kept.output) == ("p/small", "p/small", 1.5, 40)
    assert 0 < kept.propensity < 1
    assert msgspec.json.decode(kept.reasons, type=Choice) == CHOICE
    home = book.sessions.of(("k", "s"), 1000.0)
    assert home == ("p/small", 900)


def test_habits_and_outcomes_are_learnt_anew_at_the_start(database: Database) -> None:
    book = notebook(database)
    book.begin(call("c1"))
    book.answered("c1", Seen("p/small", 9.0, 70, 0))
    book.answered("c2", Seen("p/large", 4.0, 10, 0))
    book.end("c1", "p/small")
    assert run(book.report("c1", "k", True)) is Report.RECORDED
    later = notebook(database, now=1000.0 + 14 * DAY)
    assert later.habits.of("p/small")[:2] == (9.0, 70)
    found = later.posteriors.evidence(Subject("", "bugfix", "p/small"), 1000.0 + 14 * DAY)
    assert (found.passed, found.outcomes) == (pytest.approx(0.5), 1)


def test_what_others_record_is_learnt_and_nothing_twice(database: Database) -> None:
    book, other = notebook(database), notebook(database)
    for number in range(3):
        run(other.record(_outcome(f"run:{number}")))
    run(book.record(_outcome("run:9")))
    run(book.record(_outcome("run:10")))
    assert book.posteriors.evidence(Subject("", "bugfix", "symbolic"), 1000.0).outcomes == 5
    assert other.posteriors.evidence(Subject("", "bugfix", "symbolic"), 1000.0).outcomes == 3


def _outcome(reference: str) -> RouteOutcome:
    return RouteOutcome(reference=reference, at=1000.0, pool="", task_type="bugfix", rung="symbolic", passed=True)


def test_only_its_own_client_can_ask_again_after_a_call(database: Database) -> None:
    book = notebook(database)
    book.begin(call("c1", tried=frozenset({"p/tiny"})))
    book.end("c1", "p/small")
    assert book.failed("c1", "other") == frozenset()
    assert book.failed("never", "k") == frozenset()
    book.write()
    assert RouteStore(database).outcomes() == []
    assert book.failed("c1", "k") == {"p/tiny", "p/small"}
    book.write()
    assert [o.passed for _, o in RouteStore(database).outcomes()] == [False]


def test_a_call_for_which_nobody_had_to_be_chosen_leaves_nothing(database: Database) -> None:
    book = notebook(database)
    book.end("c9", "p/small")
    book.write()
    assert RouteStore(database).choice("c9") is None


class Away(RouteStore):
    """A database that is away for a while."""

    away = True

    def keep(self, choices: Any) -> None:
        if self.away and choices:
            raise InfrastructureFailure("the database is away")
        super().keep(choices)


def test_choices_wait_for_a_database_that_is_away(database: Database) -> None:
    store = Away(database)
    book = notebook(database, store=store)
    book.begin(call("c1"))
    book.end("c1", "p/small")
    with pytest.raises(InfrastructureFailure):
        book.write()
    store.away = False
    book.write()
    assert isinstance(store.choice("c1"), RouteChoice)


def test_it_writes_by_itself_and_at_the_end(database: Database) -> None:
    async def work() -> None:
        book = notebook(database)
        book.start()
        book.start()
        book.begin(call("c1"))
        book.end("c1", "p/small")
        async with asyncio.timeout(10):
            while await asyncio.to_thread(RouteStore(database).choice, "c1") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        book.begin(call("c2"))
        book.end("c2", "p/small")
        await book.close()

    run(work())
    assert RouteStore(database).choice("c2") is not None


def test_old_choices_are_forgotten(database: Database) -> None:
    book = notebook(database)
    book.begin(call("c1"))
    book.end("c1", "p/small")
    book.write()
    later = notebook(database, now=1000.0 + 31 * DAY)
    with suppress(InfrastructureFailure):
        later.write()
    assert RouteStore(database).choice("c1") is None
