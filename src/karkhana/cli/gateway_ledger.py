"""``karkhana gateway ledger``: what calls did cost, and how what is in doubt is settled."""

from enum import StrEnum
from pathlib import Path

import typer

from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, table
from karkhana.domain.json import plain
from karkhana.domain.money import shown, written
from karkhana.factory.configuration import load_settings
from karkhana.routing.reconciling import read_records, reconcile
from karkhana.storage.database import open_database
from karkhana.storage.ledger_reading import Entry, Grouping, LedgerReader

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="What calls did cost.")


class State(StrEnum):
    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"
    UNKNOWN = "unknown"


class By(StrEnum):
    KEY = "key"
    TEAM = "team"
    TASK = "task"
    PROVIDER = "provider"
    MODEL = "model"
    DAY = "day"
    PRICES = "prices"


_COLUMNS: dict[By, Grouping] = {
    By.KEY: "key_id",
    By.TEAM: "team",
    By.TASK: "task_id",
    By.PROVIDER: "provider",
    By.MODEL: "model",
    By.DAY: "day",
    By.PRICES: "prices",
}


@app.command("list")
def list_entries(
    state: State | None = typer.Option(None, "--state", help="Only these; unknown: charged with what was reserved."),
    after: int = typer.Option(0, "--after", help="Only entries with a higher number."),
    limit: int = typer.Option(1000, "--limit", min=1, help="At most so many."),
    json: bool = AsJson,
) -> None:
    """Each call's request to a provider, in order, with the name that the provider was told for it."""
    settings = load_settings({})
    with open_database(settings.database_url, settings.home) as database:
        found = LedgerReader(database).entries(state=state and state.value, after=after, limit=limit)
    if json:
        print_json({"entries": [plain(entry) for entry in found]})
        return
    rows = [
        [str(entry.entry), entry.day, f"{entry.provider}/{entry.model}", entry.state, _cost(entry), entry.attempt]
        for entry in found
    ]
    table(["entry", "day", "model", "state", "cost", "request"], rows)


@app.command("sums")
def sums(
    by: By = typer.Option(By.MODEL, "--by", help="What to add up by."),
    first_day: str = typer.Option("", "--from", help="YYYY-MM-DD, UTC."),
    last_day: str = typer.Option("9999-12-31", "--to", help="YYYY-MM-DD, UTC; this day counts."),
    json: bool = AsJson,
) -> None:
    """What calls did cost, added up."""
    settings = load_settings({})
    with open_database(settings.database_url, settings.home) as database:
        found = LedgerReader(database).sums(_COLUMNS[by], first_day=first_day, last_day=last_day)
    if json:
        print_json({"sums": [plain(each) for each in found]})
        return
    rows = [
        [each.name, str(each.calls), shown(each.cost), shown(each.reserved), str(each.unpriced), str(each.unknown)]
        for each in found
    ]
    table([by.value, "calls", "cost", "reserved", "unpriced", "in doubt"], rows)


@app.command("resolve")
def resolve(
    file: Path = typer.Argument(..., help="What the provider says of requests, one JSON object a line."),
    json: bool = AsJson,
) -> None:
    """Correct entries that were charged with their reservation, by their provider's own account."""
    settings = load_settings({})
    with open_database(settings.database_url, settings.home) as database:
        done = reconcile(database, list(read_records(file)))
    if json:
        print_json(plain(done))
    else:
        typer.echo(
            f"{done.corrected} entries corrected, ${written(done.freed)} freed; {done.passed_over} records were of "
            f"requests not in doubt; {done.in_doubt} entries are still in doubt"
        )


def _cost(entry: Entry) -> str:
    amount = entry.cost if entry.cost is not None else entry.reserved
    return "unpriced" if amount is None else f"${written(amount)}"
