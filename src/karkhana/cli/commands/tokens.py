"""``karkhana tokens``: what programs show to be let in to the API."""

import re
import time
from datetime import UTC, datetime

import typer

from karkhana.cli.account import account, at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.access import EVERYTHING, Role
from karkhana.domain.access_tokens import AccessToken
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import plain
from karkhana.factory.stores import open_stores

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API tokens: create, list, revoke.")
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0, "y": 365 * 86_400.0}


def seconds_of(text: str) -> float:
    """A length of time as people write it.

    >>> seconds_of("90d"), seconds_of("12h")
    (7776000.0, 43200.0)
    """
    found = re.fullmatch(r"([0-9]{1,6})([mhdwy])", text.strip())
    if found is None:
        raise InvalidInput(f"{text!r} is no length of time", "write it as 12h, 90d or 1y")
    return int(found[1]) * _UNITS[found[2]]


@app.command()
def create(
    name: str = typer.Argument(..., help="What it is for; it stands in the audit as token:NAME."),
    role: Role = typer.Option(..., "--role", help="What it may do."),
    product: list[str] = typer.Option([EVERYTHING], "--product", help="For which product; repeatable; * for all."),
    expires: str = typer.Option(..., "--expires", help="How long it works: 12h, 90d, 1y; a year at most."),
    json: bool = AsJson,
) -> None:
    """Make a token, and print its secret, which is told this once and never again."""
    roles = dict.fromkeys(product, role)
    with open_stores() as stores:
        seconds = seconds_of(expires)
        with stores.database.writing() as connection:
            token, secret = stores.tokens.create(name, roles, seconds=seconds, owner=account(), connection=connection)
            details = {"name": name, "roles": dict(roles), "expires_at": _day(token.expires_at)}
            stores.audit.record_within(
                connection, at_terminal(), action="token.create", target=token.token_id, details=details
            )
    if json:
        print_json({**plain(token), "token": secret})
        return
    typer.echo(secret)
    typer.echo(
        f"{token.token_id}, until {_day(token.expires_at)}: keep it now, it is not told again.\n"
        "send it as: Authorization: Bearer TOKEN",
        err=True,
    )


@app.command("list")
def list_(json: bool = AsJson) -> None:
    """All tokens, the newest first, without their secrets."""
    with open_stores() as stores:
        found = stores.tokens.all()
    now = time.time()
    if json:
        print_json([{**plain(token), "state": _state(token, now)} for token in found])
    elif not found:
        typer.echo(
            "there are no tokens; make one with: karkhana tokens create NAME --role viewer --expires 90d", err=True
        )
    else:
        rows = [
            (
                token.token_id,
                visible(token.name),
                visible(", ".join(f"{product}: {role.value}" for product, role in sorted(token.roles.items()))),
                _state(token, now),
                _day(token.expires_at),
                "never" if token.used_at is None else _day(token.used_at),
                visible(token.owner),
            )
            for token in found
        ]
        table(("token", "name", "roles", "state", "until", "last used", "made by"), rows)


@app.command()
def revoke(
    token: str = typer.Argument(..., metavar="ID", help="See: karkhana tokens list"), json: bool = AsJson
) -> None:
    """End a token; the next request with it is refused."""
    with open_stores() as stores, stores.database.writing() as connection:
        ended = stores.tokens.revoke(token, connection)
        stores.audit.record_within(
            connection, at_terminal(), action="token.revoke", target=token, details={"name": ended.name}
        )
    if json:
        print_json(plain(ended))
    else:
        typer.echo(f"{token}  revoked")


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _state(token: AccessToken, now: float) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.live(now) else "expired"
