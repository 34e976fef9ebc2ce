"""``karkhana queue``: the queue of tasks."""

from pathlib import Path

import typer

from karkhana.cli.account import account, at_terminal
from karkhana.cli.auditing import audited
from karkhana.cli.options import AsJson, BudgetUsd, EngineerName, MaxTurns, Repo, TestCommand, Timeout, TypeOfTask
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.json import plain
from karkhana.domain.tasks import Status, TaskType
from karkhana.factory.ordering import make_order
from karkhana.factory.stores import open_stores
from karkhana.storage.intake_store import IntakeStore

app = typer.Typer(no_args_is_help=True, help="The queue: add, list, show, cancel.", rich_markup_mode=None)


@app.command()
def add(
    text: str = typer.Argument(..., help="The ticket; - reads it from standard input."),
    repo: Path = Repo,
    type: TaskType = TypeOfTask,
    priority: int = typer.Option(5, min=1, max=10, help="10 goes first."),
    depends_on: list[str] = typer.Option([], "--depends-on", help="A task that must be delivered first; repeatable."),
    tags: str = typer.Option("", help="Capabilities that a worker needs, separated by commas."),
    test_command: str = TestCommand,
    engineer: str = EngineerName,
    max_turns: int = MaxTurns,
    budget: float = BudgetUsd,
    timeout: float = Timeout,
    auto: bool = typer.Option(False, "--auto", help="Deliver without waiting for approval where policy allows."),
    json: bool = AsJson,
) -> None:
    """Put a ticket into the queue."""
    order, settings = make_order(
        text,
        repo,
        type=type,
        test_command=test_command,
        engineer=engineer,
        max_turns=max_turns,
        usd=budget,
        seconds=timeout,
        auto=auto,
        by=account(),
    )
    with open_stores(settings) as stores:
        wanted = tuple(t for t in tags.split(",") if t)
        with stores.database.writing() as connection:
            task = stores.tasks.add_within(
                connection, order, priority=priority, depends_on=tuple(depends_on), tags=wanted
            )
            stores.audit.record_within(
                connection, at_terminal(), action="ticket.add", target=task.task_id, product=task.product
            )
    if json:
        print_json(plain(task))
    else:
        typer.echo(f"{task.task_id}  {visible(task.title)}")
        typer.echo("start a worker to have it done: karkhana worker", err=True)


@app.command("list")
def list_(
    status: Status = typer.Option(None, help="Only tasks of this status."),
    limit: int = typer.Option(50, min=1),
    json: bool = AsJson,
) -> None:
    """Tasks, the most urgent first."""
    with open_stores() as stores:
        tasks = stores.tasks.list(status=status, limit=limit)
    if json:
        print_json(plain(tasks))
        return
    if not tasks:
        typer.echo('the queue is empty; fill it with: karkhana queue add "TEXT" --repo PATH', err=True)
        return
    table(
        ("task", "priority", "status", "type", "title"),
        [(t.task_id, str(t.priority), t.status.value, t.type.value, t.title) for t in tasks],
    )


@app.command()
def show(task: str, json: bool = AsJson) -> None:
    """One task, with what it waits for."""
    with open_stores() as stores:
        found = stores.tasks.get(task)
        blocked = stores.tasks.blocked_by(task)
        runs = stores.runs.list(task_id=task)
        came_by = IntakeStore(stores.database).ticket(task)
    if json:
        told = {"blocked_by": plain(blocked), "runs": [run.run_id for run in runs], "came_by": plain(came_by)}
        print_json({**plain(found), **told})
        return
    for key, value in plain(found).items():
        typer.echo(f"{key:<20} {visible(str(value))}")
    typer.echo(f"{'blocked_by':<20} {', '.join(f'{b.task_id} ({b.status.value})' for b in blocked) or '-'}")
    typer.echo(f"{'runs':<20} {', '.join(run.run_id for run in runs) or '-'}")
    if came_by is not None:
        typer.echo(f"{'came_by':<20} {visible(f'{came_by.door}, from {came_by.sender} ({came_by.reference})')}")
        typer.echo(f"{'suspicious':<20} {', '.join(came_by.suspicions) or '-'}")


@app.command()
def cancel(task: str, json: bool = AsJson) -> None:
    """Take a task out of the queue, or stop its run; the sandbox is killed."""
    with open_stores() as stores:
        product = stores.tasks.get(task).product
        with (
            audited(stores, "task.cancel", task, product=product) as done,
            stores.database.writing() as connection,
        ):
            stores.tasks.cancel_within(connection, task)
            done(connection)
        found = stores.tasks.get(task)
    if json:
        print_json({"task_id": task, "status": found.status.value})
    else:
        typer.echo(f"{task}  {found.status.value}")
