"""``karkhana webhooks``: addresses that are told what happens."""

import asyncio
import time

import typer

from karkhana.cli.account import account, at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import plain
from karkhana.factory.stores import open_stores
from karkhana.factory.webhook_sending import said
from karkhana.factory.webhooks import TYPES, added, check, ping, removed, seal
from karkhana.storage.webhook_store import WebhookStore

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Webhooks: add, list, messages, switch, test, remove."
)
Id = typer.Argument(..., metavar="WEBHOOK", help="Its identifier; see: karkhana webhooks list")


@app.command()
def add(
    url: str = typer.Argument(..., help="An https address outside."),
    events: str = typer.Option("*", "--events", help="Types, separated by commas; task.* and * stand for many."),
    product: list[str] = typer.Option([], "--product", help="Only what is of this product; repeatable."),
    description: str = typer.Option("", "--description", help="For people."),
    json: bool = AsJson,
) -> None:
    """Have an address told what happens, and print the secret of its signatures, which is told this once."""
    wanted = [each.strip() for each in events.split(",") if each.strip()]
    if not wanted:
        raise InvalidInput("say what it is to be told", f"Types: {', '.join(TYPES)}; * for all.")
    with open_stores() as stores:
        check(stores, url, wanted)
        webhook_id, secret = seal(stores, by=account())
        with stores.database.writing() as connection:
            made = added(
                stores,
                connection,
                webhook_id,
                url=url,
                events=wanted,
                products=product,
                description=description,
                by=account(),
            )
            details = {"url": url, "events": wanted, "products": product}
            stores.audit.record_within(
                connection, at_terminal(), action="webhook.add", target=webhook_id, details=details
            )
    if json:
        print_json({"webhook": plain(made), "secret": secret})
        return
    typer.echo(secret)
    typer.echo(f"{webhook_id}: keep the secret now, it is not told again; karkhana serve sends.", err=True)


@app.command("list")
def list_(json: bool = AsJson) -> None:
    """All webhooks, and what is wrong with them."""
    with open_stores() as stores:
        found = WebhookStore(stores.database).all()
    if json:
        print_json(plain(found))
    elif not found:
        typer.echo("there are no webhooks; add one with: karkhana webhooks add URL --events 'task.*'", err=True)
    else:
        rows = [
            (each.webhook_id, "on" if each.active else "off", ", ".join(each.events), each.url, each.notice)
            for each in found
        ]
        table(("webhook", "is", "events", "address", "notice"), rows)


@app.command()
def messages(webhook: str = Id, limit: int = typer.Option(20, "--limit", min=1, max=200), json: bool = AsJson) -> None:
    """What a webhook was sent and is to be sent, the newest first."""
    with open_stores() as stores:
        _known(WebhookStore(stores.database), webhook)
        found = WebhookStore(stores.database).messages(webhook, limit=limit)
    if json:
        print_json(plain(found))
        return
    rows = [(f"{m.at:%Y-%m-%d %H:%M}", m.type, m.state, str(m.attempts), str(m.answered or ""), m.note) for m in found]
    table(("at (UTC)", "type", "state", "attempts", "answer", "note"), rows)


@app.command()
def switch(
    webhook: str = Id, on: bool = typer.Option(..., "--on/--off", help="Whether it is told."), json: bool = AsJson
) -> None:
    """Tell a webhook again, or no more for now; what it waits for is kept."""
    with open_stores() as stores:
        store = WebhookStore(stores.database)
        _known(store, webhook)
        notice = "" if on else f"switched off by {account()}"
        with stores.database.writing() as connection:
            store.switch(webhook, active=on, notice=notice, connection=connection)
            stores.audit.record_within(
                connection, at_terminal(), action="webhook.switch", target=webhook, details={"active": on}
            )
    if json:
        print_json({"webhook_id": webhook, "active": on})
    else:
        typer.echo(f"{webhook} is {'on' if on else 'off'}")


@app.command("test")
def try_(webhook: str = Id, json: bool = AsJson) -> None:
    """Send a message that says nothing, now; exit code 1 when it does not arrive."""
    with open_stores() as stores:
        _known(WebhookStore(stores.database), webhook)
        answered, note = asyncio.run(said(stores, webhook, ping(webhook, time.time())))
        stores.audit.record(at_terminal(), action="webhook.test", target=webhook, details={"answered": answered})
    arrived = answered is not None and 200 <= answered < 300
    if json:
        print_json({"webhook_id": webhook, "arrived": arrived, "answered": answered, "note": note})
    else:
        typer.echo(f"{webhook} answered {answered}" if answered is not None else f"nothing arrived: {visible(note)}")
    raise typer.Exit(0 if arrived else 1)


@app.command()
def remove(webhook: str = Id, json: bool = AsJson) -> None:
    """Forget a webhook, its secret, and what it was to be sent."""
    with open_stores() as stores, stores.database.writing() as connection:
        if not removed(stores, webhook, connection):
            raise _unknown(webhook)
        stores.audit.record_within(connection, at_terminal(), action="webhook.remove", target=webhook)
    if json:
        print_json({"removed": webhook})
    else:
        typer.echo(f"{webhook} is forgotten")


def _known(store: WebhookStore, webhook_id: str) -> None:
    if store.get(webhook_id) is None:
        raise _unknown(webhook_id)


def _unknown(webhook_id: str) -> InvalidInput:
    return InvalidInput(f"there is no webhook {webhook_id}", "See them: karkhana webhooks list")
