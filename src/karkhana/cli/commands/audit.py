"""``karkhana audit``: who did what, when, and what came of it."""

from datetime import UTC, datetime

import typer

from karkhana.cli.account import at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, print_json_line, table, visible
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import canonical, plain
from karkhana.factory.stores import open_stores
from karkhana.storage.audit import AuditFilter
from karkhana.storage.event_log import timestamp

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The audit: list, export, verify.")

Actor = typer.Option("", "--actor", help="Only of this person or token.")
Action = typer.Option("", "--action", help="Only this action; run.* for all of a kind.")
Target = typer.Option("", "--target", help="Only what was done with this run, token or secret.")
Product = typer.Option("", "--product", help="Only of this product.")
Since = typer.Option(
    "", "--since", help="From this time on: 2026-05-12, or with T08:30:00Z; in UTC unless it says otherwise."
)


def moment(text: str) -> str:
    """A time as entries have it; empty for none. Raises ``InvalidInput``.

    >>> moment("2026-05-12"), moment("2026-05-12T08:30:00+05:30")
    ('2026-05-12T00:00:00.000000Z', '2026-05-12T03:00:00.000000Z')
    """
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
        return timestamp(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text!r} is no time", "write it as 2026-05-12 or 2026-05-12T08:30:00Z") from error


@app.command("list")
def list_(
    actor: str = Actor,
    action: str = Action,
    target: str = Target,
    product: str = Product,
    since: str = Since,
    words: str = typer.Option("", "--words", help="Only with this text in it."),
    limit: int = typer.Option(50, min=1),
    json: bool = AsJson,
) -> None:
    """What was done, the newest first."""
    chosen = AuditFilter(actor=actor, action=action, target=target, product=product, since=moment(since), words=words)
    with open_stores() as stores:
        found = stores.audit.entries(chosen, limit=limit)
    if json:
        print_json(plain(found))
        return
    rows = [
        (
            str(entry.seq),
            f"{entry.at[:19]}Z",
            visible(f"{entry.actor} ({entry.via})"),
            entry.action,
            visible(entry.target),
            entry.outcome,
            visible(canonical(entry.details).decode()[:120]) if entry.details else "",
        )
        for entry in found
    ]
    table(("entry", "at", "who", "did", "what", "outcome", "details"), rows)


@app.command()
def export(
    actor: str = Actor, action: str = Action, target: str = Target, product: str = Product, since: str = Since
) -> None:
    """Everything as JSON lines, the oldest first, with the hashes; a last line tells whether the chain is intact."""
    chosen = AuditFilter(actor=actor, action=action, target=target, product=product, since=moment(since))
    asked = {"actor": actor, "action": action, "target": target, "product": product, "since": chosen.since}
    told = {name: text for name, text in asked.items() if text}
    with open_stores() as stores:
        stores.audit.record(at_terminal(), action="audit.export", details={"format": "ndjson", **told})
        for entry in stores.audit.exported(chosen):
            print_json_line(plain(entry))
        problem, head = stores.audit.verify(), stores.audit.head()
    print_json_line({"type": "result", "intact": problem is None, "entries": head[0], "head": head[1]})


@app.command()
def verify(json: bool = AsJson) -> None:
    """Check that no entry was altered, removed or inserted; exit code 1 when one was."""
    with open_stores() as stores:
        problem = stores.audit.verify()
        seq, newest = stores.audit.head() if problem is None else (0, "")
    if json:
        print_json({"intact": problem is None, "entries": seq, "head": newest, "problem": plain(problem)})
    elif problem is None:
        typer.echo(f"{seq} entries, intact; note the newest hash elsewhere: {newest}")
    else:
        typer.echo(f"entry {problem.seq}: {problem.kind.value}: {visible(problem.message)}")
    raise typer.Exit(0 if problem is None else 1)
