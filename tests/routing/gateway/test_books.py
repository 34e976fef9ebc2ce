"""What an attempt is charged with: the whole answer's usage, or its reservation when nobody knows."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from karkhana.domain.chat import Usage
from karkhana.domain.money import usd
from karkhana.domain.spending import Account
from karkhana.routing.attempt import Attempt, Ending, Outcome, Place
from karkhana.routing.configuration import read_configuration
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.gateway.books import Books, Job
from karkhana.routing.ledger import Ledger
from karkhana.routing.ledger_keeping import Reservation
from karkhana.routing.prices_shipped import price_book
from karkhana.storage.database import open_database
from karkhana.storage.ledger_reading import Entry, LedgerReader

CONFIGURATION = """
[provider.p]
wire = "openai"
base_url = "http://127.0.0.1:1/v1"
[model.m]
candidates = ["p/m"]
[price."p/m"]
input = "1"
output = "1"
"""
BEGINNING = Usage(input=100, output=1)
"""What Anthropic's wire tells before the answer."""


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


@pytest.mark.parametrize(
    ("ending", "state", "cost", "tokens"),
    [
        (Ending(outcome=Outcome.ANSWERED, usage=Usage(input=100, output=9), first_s=0.1), "settled", "0.000109", 109),
        (Ending(outcome=Outcome.ANSWERED, first_s=0.1), "unknown", "0.0015", 1500),
        (Ending(outcome=Outcome.LEFT, usage=BEGINNING, first_s=0.1), "unknown", "0.0015", 1500),
        (Ending(outcome=Outcome.BROKE_OFF, usage=BEGINNING, first_s=0.1), "unknown", "0.0015", 1500),
        (Ending(outcome=Outcome.LEFT), "unknown", "0.0015", 0),
        (Ending(outcome=Outcome.FAILED, charged=False, fault=ProviderFault(Fault.INVALID, "")), "released", "0", 0),
    ],
)
def test_only_a_whole_answer_is_charged_with_its_usage(
    tmp_path: Path, ending: Ending, state: str, cost: str, tokens: int
) -> None:
    attempt = Attempt(call="c", number=1, place=Place("p", "m", "1"), streamed=True)

    async def work() -> tuple[int, Entry]:
        with open_database(None, tmp_path) as database:
            async with Ledger(database) as ledger:
                books = Books(ledger, price_book(read_configuration(CONFIGURATION, environ={})))
                bill = books.open("c", Job(Account("k"), 500, 1000))
                await books.begins(attempt)
                books.ends(attempt, ending)
                books.close("c")
            return bill.tokens, LedgerReader(database).entries()[0]

    counted, entry = run(work())
    assert (entry.state, entry.cost, entry.attempt) == (state, usd(cost), "c-1")
    assert counted == tokens


class Leaving(Ledger):
    """Whoever waits for a reservation is cancelled in the very turn in which it is made."""

    def reserve(self, *arguments: Any, **others: Any) -> "asyncio.Future[Reservation]":
        waits, reserved = asyncio.current_task(), super().reserve(*arguments, **others)
        assert waits is not None
        reserved.add_done_callback(lambda _: waits.cancel())
        return reserved


def test_what_was_reserved_for_one_who_is_gone_by_then_is_released(tmp_path: Path) -> None:
    attempt = Attempt(call="c", number=1, place=Place("p", "m", "1"), streamed=True)

    async def work() -> list[str]:
        with open_database(None, tmp_path) as database:
            async with Leaving(database) as ledger:
                books = Books(ledger, price_book(read_configuration(CONFIGURATION, environ={})))
                books.open("c", Job(Account("k"), 500, 1000))
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.ensure_future(books.begins(attempt))
                books.close("c")
            return [entry.state for entry in LedgerReader(database).entries()]

    assert run(work()) == ["released"]
