"""``karkhana gateway``: models for other programs, behind one address; its keys and budgets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
import typer

from karkhana.cli import gateway_ledger
from karkhana.cli.auditing import audited
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, print_json_line, table
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import plain
from karkhana.domain.money import Money, usd, written
from karkhana.domain.spending import Budget, Period
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import open_stores
from karkhana.routing.gateway.serving import read_file, serve_gateway
from karkhana.routing.keys import digest, minted
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.database import Database, open_database
from karkhana.storage.virtual_key_store import VirtualKeyStore

app = typer.Typer(rich_markup_mode=None)
keys = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Keys of the gateway's own clients.")
budgets = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="What keys, teams and tasks may spend.")
app.add_typer(keys, name="keys")
app.add_typer(budgets, name="budgets")
app.add_typer(gateway_ledger.app, name="ledger")


@app.callback(invoke_without_command=True)
def gateway(
    context: typer.Context,
    config: Path = typer.Option(
        Path("gateway.toml"), "--config", help="Providers, models, prices; see docs/gateway.md."
    ),
    check: bool = typer.Option(False, "--check", help="Only read the file, and say what is wrong with it."),
    json: bool = AsJson,
) -> None:
    """Serve models to programs that speak OpenAI's, Anthropic's, Google's or Ollama's wire, until SIGTERM."""
    if context.invoked_subcommand is not None:
        return
    configuration = read_file(config)
    served = {"models": sorted(configuration.models), "providers": sorted(configuration.providers)}
    if check:
        if json:
            print_json_line({"status": "ok", **served})
        else:
            typer.echo(f"{config} is right: {len(served['models'])} models, {len(served['providers'])} providers")
        return
    settings = load_settings({})

    def ready(address: str) -> None:
        if json:
            print_json_line({"address": address, **served})
        else:
            typer.echo(f"{address}  serves {', '.join(served['models']) or 'PROVIDER/MODEL'}")

    with _database() as database:
        serve_gateway(config, configuration, database, settings.home, ready)


@keys.command("add")
def add_key(
    name: str = typer.Argument(..., help="For people; need not be unique."),
    team: str = typer.Option("", "--team", help="Whose budget it counts against too."),
    model: list[str] = typer.Option([], "--model", help="Model it is for, with * and ?; repeat it. Default: all."),
    requests: int | None = typer.Option(None, "--requests", help="Requests per minute."),
    tokens: int | None = typer.Option(None, "--tokens", help="Tokens per minute, those that an answer may have too."),
    json: bool = AsJson,
) -> None:
    """Make a key. Its secret is shown now and never again."""
    try:
        secret, key = minted(
            name, team=team, models=tuple(model), requests_per_minute=requests, tokens_per_minute=tokens
        )
    except ValueError as error:
        raise InvalidInput(str(error), "Correct it and try again.") from error
    with _audited("key.add", key.key_id, name=name) as (database, connection):
        VirtualKeyStore(database).add(key, digest(secret), connection)
    if json:
        print_json({"secret": secret, "key": plain(key)})
    else:
        typer.echo(f"{secret}\n\nkey {key.key_id}; this secret is not kept: put it where the client reads it.")


@keys.command("list")
def list_keys(json: bool = AsJson) -> None:
    """All keys, without their secrets."""
    with _database() as database:
        found = list(VirtualKeyStore(database).all().values())
    if json:
        print_json({"keys": [plain(key) for key in found]})
        return
    rows = [
        [key.key_id, f"{key.prefix}…", key.name, key.team, " ".join(key.models) or "all", "off" if key.disabled else ""]
        for key in found
    ]
    table(["key", "secret", "name", "team", "models", ""], rows)


@keys.command("remove")
def remove_key(key_id: str, json: bool = AsJson) -> None:
    """Forget a key: from the next second on nobody is let in with it."""
    with _audited("key.remove", key_id) as (database, connection):
        VirtualKeyStore(database).remove(key_id, connection)
    if json:
        print_json({"removed": key_id})
    else:
        typer.echo(f"{key_id} is removed; what it did cost stays in the ledger")


@budgets.command("set")
def set_budget(
    scope: str = typer.Argument(..., help="key:ID, team:NAME or task:ID."),
    hard: str | None = typer.Option(None, "--hard", help="Dollars; a call that might pass it is not made."),
    soft: str | None = typer.Option(None, "--soft", help="Dollars; above it calls are made with a warning."),
    period: Period = typer.Option(Period.MONTH, "--period", help="UTC days and months."),
    json: bool = AsJson,
) -> None:
    """Set what may be spent in a period. A raised limit holds for the next call."""
    try:
        budget = Budget(scope=scope, period=period, soft=_money(soft), hard=_money(hard))
    except ValueError as error:
        raise InvalidInput(str(error), "For example: karkhana gateway budgets set team:web --hard 50") from error
    target = f"{scope} {period.value}"
    with _audited("budget.set", target, hard=hard or "", soft=soft or "") as (database, connection):
        BudgetStore(database).put(budget, connection)
    if json:
        print_json(plain(budget))
    else:
        typer.echo(f"{scope} may spend {_shown(budget.hard)} per {period.value}, warned at {_shown(budget.soft)}")


@budgets.command("list")
def list_budgets(json: bool = AsJson) -> None:
    """All budgets."""
    with _database() as database:
        found = BudgetStore(database).all()
    if json:
        print_json({"budgets": [plain(budget) for budget in found]})
        return
    rows = [[b.scope, b.period.value, _shown(b.soft), _shown(b.hard)] for b in found]
    table(["scope", "period", "soft", "hard"], rows)


@contextmanager
def _database() -> Iterator[Database]:
    settings = load_settings({})
    with open_database(settings.database_url, settings.home) as database:
        yield database


@contextmanager
def _audited(action: str, target: str, **details: object) -> Iterator[tuple[Database, sa.Connection]]:
    """A transaction that ends with its entry; as :func:`~karkhana.cli.auditing.audited`."""
    with (
        open_stores() as stores,
        audited(stores, action, target, product="", **details) as done,
        stores.database.writing() as connection,
    ):
        yield stores.database, connection
        done(connection)


def _money(text: str | None) -> Money | None:
    return None if text is None else usd(text)


def _shown(amount: Money | None) -> str:
    return "-" if amount is None else f"${written(amount)}"
