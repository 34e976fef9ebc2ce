"""``karkhana tickets``: what was asked, what was understood of it, and what people say to that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
import typer

from karkhana.cli.account import account, at_terminal
from karkhana.cli.auditing import audited
from karkhana.cli.options import AsJson, EngineerName, Repo, TestCommand
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.json import plain
from karkhana.domain.tasks import Status, Task, TaskType
from karkhana.domain.understanding import Judgement, QuestionState, Understanding
from karkhana.factory.ordering import make_order
from karkhana.factory.replies import answer_within, change_criteria, confirm_duplicate
from karkhana.factory.stores import Stores, open_stores
from karkhana.factory.taking import take
from karkhana.factory.understanding import shown

app = typer.Typer(
    no_args_is_help=True, help="Tickets: add, list, show, answer, duplicate, criteria.", rich_markup_mode=None
)


@app.command()
def add(
    text: str = typer.Argument(..., help="The ticket; - reads it from standard input."),
    repo: Path = Repo,
    type: TaskType = typer.Option(None, help="Kind of work; default: by the ticket's words."),
    priority: int = typer.Option(None, min=1, max=10, help="10 goes first; default: by the ticket's words."),
    label: list[str] = typer.Option([], "--label", help="A label; repeatable."),
    test_command: str = TestCommand,
    engineer: str = EngineerName,
    ask: bool = typer.Option(True, help="Wait for an answer when the ticket does not say enough."),
    auto: bool = typer.Option(False, "--auto", help="Deliver without waiting for approval where policy allows."),
    json: bool = AsJson,
) -> None:
    """Put a ticket into the queue as it is understood."""
    order, settings = make_order(text, repo, test_command=test_command, engineer=engineer, auto=auto, by=account())
    with open_stores(settings) as stores:

        def written(connection: sa.Connection, task: Task) -> None:
            stores.audit.record_within(
                connection, at_terminal(), action="ticket.add", target=task.task_id, product=task.product
            )

        task, found = take(stores, order, type=type, urgency=priority, labels=label, ask=ask, written=written)
    if json:
        print_json({**plain(task), "understanding": plain(found)})
        return
    typer.echo(f"{task.task_id}  {visible(task.title)}")
    _print(found)
    typer.echo("start a worker to have it done: karkhana worker", err=True)


@app.command("list")
def list_(
    status: Status = typer.Option(None, help="Only tickets of this status."),
    limit: int = typer.Option(50, min=1),
    json: bool = AsJson,
) -> None:
    """Tickets, with what waits for an answer."""
    with open_stores() as stores:
        tasks = stores.tasks.list(status=status, limit=limit)
        found = {task.task_id: shown(stores, task.task_id) for task in tasks}
    if json:
        print_json([{**plain(task), "understanding": plain(found[task.task_id])} for task in tasks])
        return
    if not tasks:
        typer.echo('there are no tickets; put one in with: karkhana tickets add "TEXT" --repo PATH', err=True)
        return
    table(
        ("ticket", "priority", "status", "type", "asks", "like", "title"),
        [(t.task_id, str(t.priority), t.status.value, t.type.value, *_marks(found[t.task_id]), t.title) for t in tasks],
    )


@app.command()
def show(ticket: str, json: bool = AsJson) -> None:
    """What was understood of a ticket, and why."""
    with open_stores() as stores:
        task = stores.tasks.get(ticket)
        found = shown(stores, ticket)
    if json:
        print_json({**plain(task), "understanding": plain(found)})
        return
    typer.echo(f"{task.task_id}  {visible(task.title)}")
    typer.echo(f"{'status':<12} {task.status.value}")
    _print(found)


@app.command()
def answer(
    ticket: str,
    text: str = typer.Argument(..., help="What the ticket's question asks for."),
    json: bool = AsJson,
) -> None:
    """Answer the question that a ticket waits with."""
    with _audited("ticket.answer", ticket) as (stores, done), stores.database.writing() as connection:
        asked = answer_within(stores, connection, ticket, text, by=account())
        done(connection)
    if json:
        print_json({"task_id": ticket, "question": asked.text, "run_id": asked.run_id})
    else:
        typer.echo(f"{ticket}  answered; a worker goes on with it")


@app.command()
def duplicate(ticket: str, of: str, json: bool = AsJson) -> None:
    """Say that two tickets ask for the same. Nothing is closed."""
    with _audited("ticket.duplicate", ticket, of=of) as (stores, done):
        change = confirm_duplicate(stores, ticket, of, by=account())
        with stores.database.writing() as connection:
            found = change(connection)
            done(connection)
    if json:
        print_json(plain(found))
    else:
        typer.echo(f"{ticket}  asks for the same as {of}; close it with: karkhana queue cancel {ticket}")


@app.command()
def criteria(
    ticket: str,
    add: list[str] = typer.Option([], "--add", help="What should hold when it is done; repeatable."),
    remove: list[int] = typer.Option([], "--remove", help="Number of a criterion, from 1; repeatable."),
    json: bool = AsJson,
) -> None:
    """What should hold when a ticket is done; with options, change it."""
    if add or remove:
        with _audited("ticket.criteria", ticket, add=len(add), remove=len(remove)) as (stores, done):
            change = change_criteria(stores, ticket, add=add, remove=remove, by=account())
            with stores.database.writing() as connection:
                found = change(connection)
                done(connection)
    else:
        with open_stores() as stores:
            found = shown(stores, ticket)
    if json:
        print_json(plain(found.criteria))
        return
    for number, each in enumerate(found.criteria, 1):
        typer.echo(f"{number:>2}  {visible(each.text)}  ({'from ' + each.by if each.by else 'proposed'})")
    if not found.criteria:
        typer.echo(f'none; give one with: karkhana tickets criteria {ticket} --add "TEXT"', err=True)


@contextmanager
def _audited(action: str, task_id: str, **details: object) -> Iterator[tuple[Stores, Callable[[sa.Connection], None]]]:
    """Around what is done to a ticket; as :func:`~karkhana.cli.auditing.audited`."""
    with open_stores() as stores:
        product = stores.tasks.get(task_id).product
        with audited(stores, action, task_id, product=product, **details) as done:
            yield stores, done


def _marks(found: Understanding) -> tuple[str, str]:
    waits = found.question is not None and found.question.state is QuestionState.WAITING
    return "yes" if waits else "-", found.duplicates[0].task_id if found.duplicates else "-"


def _print(found: Understanding) -> None:
    _line("type", found.type)
    _line("priority", found.priority)
    if found.engineer.value:
        _line("engineer", found.engineer)
    for each in found.concerns:
        typer.echo(f"{'concerns':<12} {visible(each.path)} ({each.confidence:.2f}: {visible(', '.join(each.because))})")
    for like in found.duplicates:
        said = f"confirmed by {like.by}" if like.by else f"{like.likeness:.2f}: {', '.join(like.because)}"
        typer.echo(f"{'like':<12} {like.task_id} {visible(like.title)} ({visible(said)})")
    for number, criterion in enumerate(found.criteria, 1):
        typer.echo(f"{'criterion ' + str(number):<12} {visible(criterion.text)}")
    if found.question is not None:
        typer.echo(f"{'question':<12} {visible(found.question.text)} ({found.question.state.value})")
        if found.question.reply:
            typer.echo(f"{'reply':<12} {visible(found.question.reply)}")
    elif found.missing:
        typer.echo(f"{'missing':<12} {found.missing}")


def _line(name: str, judged: Judgement) -> None:
    because = f" ({judged.confidence:.2f}: {', '.join(judged.because)})" if judged.because else ""
    typer.echo(f"{name:<12} {visible(judged.value + because)}")
