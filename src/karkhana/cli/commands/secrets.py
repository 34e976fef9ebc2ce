"""``karkhana secrets``: secrets that the factory keeps sealed, for its doors and its sign-in."""

import getpass
import sys
from datetime import UTC, datetime

import typer

from karkhana.cli.account import account, at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.json import plain
from karkhana.factory.stores import open_stores

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Sealed secrets: set, list, remove, rotate.")

Name = typer.Argument(..., metavar="NAME", help="Letters, digits, - _ and .")


@app.command("set")
def set_(name: str = Name, json: bool = AsJson) -> None:
    """Seal a secret, read from standard input, or asked for at the terminal; never from the command line."""
    if sys.stdin.isatty():
        value = getpass.getpass(f"{name}: ")
    else:
        # the line feed of echo is not part of it; those inside a key in PEM are
        value = sys.stdin.read(1_000_000).removesuffix("\n").removesuffix("\r")
    with open_stores() as stores, stores.sealed.held(), stores.database.writing() as connection:
        kept = stores.sealed.put_within(connection, name, value, by=account())
        details = {"version": kept.version}
        stores.audit.record_within(connection, at_terminal(), action="secret.set", target=name, details=details)
    if json:
        print_json(plain(kept))
    else:
        typer.echo(f"{name}  sealed, version {kept.version}")


@app.command("list")
def list_(json: bool = AsJson) -> None:
    """The names of all secrets; their values are not shown by any command."""
    with open_stores() as stores:
        found = stores.sealed.all()
    if json:
        print_json(plain(found))
    elif not found:
        typer.echo("there are no sealed secrets; set one with: karkhana secrets set NAME", err=True)
    else:
        rows = [
            (
                each.name,
                str(each.version),
                f"{datetime.fromtimestamp(each.changed_at, UTC):%Y-%m-%d %H:%M} UTC",
                visible(each.changed_by),
            )
            for each in found
        ]
        table(("name", "version", "changed", "by"), rows)


@app.command()
def remove(name: str = Name, json: bool = AsJson) -> None:
    """Forget a secret."""
    with open_stores() as stores, stores.database.writing() as connection:
        stores.sealed.remove(name, connection)
        stores.audit.record_within(connection, at_terminal(), action="secret.remove", target=name)
    if json:
        print_json({"name": name, "removed": True})
    else:
        typer.echo(f"{name}  removed")


@app.command()
def rotate(json: bool = AsJson) -> None:
    """Seal everything with a new key, which takes the place of the one in the key file."""
    with open_stores() as stores:
        count = stores.sealed.rotate()
        stores.audit.record(at_terminal(), action="secret.rotate", details={"secrets": count})
    if json:
        print_json({"secrets": count})
    else:
        typer.echo(f"{count} secrets are sealed with a new key; older backups need the key of their time")
