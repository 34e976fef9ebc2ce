"""``karkhana answers``: what could not be said where a ticket came from, and trying it again."""

import typer

from karkhana.cli.account import at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.errors import InvalidInput
from karkhana.factory.stores import open_stores
from karkhana.storage.intake_store import IntakeStore
from karkhana.storage.outbox import Answer

app = typer.Typer(no_args_is_help=True, help="Answers to where tickets came from: list, retry.", rich_markup_mode=None)


@app.command("list")
def list_(
    failed: bool = typer.Option(False, "--failed", help="Only those that nobody tries any more."),
    limit: int = typer.Option(100, min=1, max=10_000),
    json: bool = AsJson,
) -> None:
    """Answers that were not sent yet, the newest first, and doors that cannot be reached at the moment."""
    with open_stores() as stores:
        outbox = IntakeStore(stores.database).outbox
        waiting, troubles = outbox.waiting(limit, failed=failed), outbox.troubles()
    if json:
        print_json({"answers": [_told(answer) for answer in waiting], "troubles": troubles})
        return
    for door, trouble in troubles.items():
        typer.echo(f"{door}: {visible(trouble)}", err=True)
    if not waiting:
        typer.echo("every answer was sent")
        return
    rows = [(str(a.ordinal), a.door, a.task_id, _state(a), a.error or a.text) for a in waiting]
    table(("NUMBER", "DOOR", "TASK", "STATE", "WHY"), rows)


@app.command()
def retry(
    number: int = typer.Argument(None, help="Of one answer; all that were given up without it."),
    json: bool = AsJson,
) -> None:
    """Try answers again that were given up."""
    target = "" if number is None else str(number)
    with open_stores() as stores, stores.database.writing() as connection:
        count = IntakeStore(stores.database).outbox.again(number, connection)
        if number is not None and not count:
            raise InvalidInput(f"answer {number} was not given up", "See them: karkhana answers list --failed")
        stores.audit.record_within(
            connection, at_terminal(), action="answer.retry", target=target, details={"retried": count}
        )
    if json:
        print_json({"retried": count})
    else:
        typer.echo(f"{count} will be tried again by karkhana serve")


def _state(answer: Answer) -> str:
    return "given up" if answer.failed else f"tried {answer.attempts}"


def _told(answer: Answer) -> dict[str, object]:
    return {
        "number": answer.ordinal,
        "door": answer.door,
        "task_id": answer.task_id,
        "reference": answer.reference,
        "text": answer.text,
        "attempts": answer.attempts,
        "given_up": answer.failed,
        "error": answer.error,
    }
