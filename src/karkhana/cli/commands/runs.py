"""``karkhana runs``: what happened, and what a person decides about it."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
import typer

from karkhana.cli.account import account
from karkhana.cli.auditing import audited
from karkhana.cli.card import considered, print_card
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, print_json_line, print_patch, table, visible
from karkhana.cli.progress import Progress
from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import AnyEvent, FunctionsSuspected
from karkhana.domain.json import plain
from karkhana.domain.tasks import Status
from karkhana.factory.reporting import write_patch, write_report
from karkhana.factory.results import RunResult, exit_code, result_of
from karkhana.factory.stores import Stores, open_stores
from karkhana.storage.replay import replay as replay_run

_TOLD = frozenset({"functions.suspected", "hypothesis.tried", "lessons.learned"})
"""Events that ``show`` tells one by one."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Runs: what happened, and what is decided.")

RunId = typer.Argument(..., metavar="RUN", help="Identifier of the run; see: karkhana runs list")
Comment = typer.Option("", "--comment", help="Kept in the trail.")
By = typer.Option(None, "--by", help="Who decides; the user's name when absent.")


@app.command("list")
def list_(
    status: Status = typer.Option(None, help="Only runs of this status."),
    limit: int = typer.Option(50, min=1),
    json: bool = AsJson,
) -> None:
    """Runs, the newest first."""
    with open_stores() as stores:
        runs = stores.runs.list(status=status, limit=limit)
        titles = {run.task_id: stores.tasks.get(run.task_id).title for run in runs}
    if json:
        print_json(plain(runs))
    elif not runs:
        typer.echo('there are no runs yet; start one with: karkhana run "TEXT" --repo PATH', err=True)
    else:
        started = [f"{run.started_at:%Y-%m-%d %H:%M}" for run in runs]
        rows = [(run.run_id, at, run.status.value, titles[run.task_id]) for run, at in zip(runs, started, strict=True)]
        table(("run", "started (UTC)", "status", "title"), rows)


@app.command()
def show(run: str = RunId, json: bool = AsJson) -> None:
    """What came of a run: where it looked, what was excluded and considered, and what it taught."""
    with open_stores() as stores:
        result = result_of(stores, run)
        told = [line for e in stores.events.entries(run) if e.type in _TOLD for line in _lines(e.event)]
    if json:
        print_json(plain(result))
        return
    for line in told:
        typer.echo(f"  {visible(line)}")
    for number, candidate in enumerate(result.considered, 1):
        for text in considered(number, candidate):
            typer.echo(visible(text))
    print_card(result)


@app.command()
def trace(
    run: str = RunId,
    after: int = typer.Option(0, "--after", min=0, help="Only events after this number."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object a line, and a last result line."),
) -> None:
    """Every event of a run, in order."""
    with open_stores() as stores:
        found = stores.runs.get(run)
        for entry in stores.events.entries(run, after=after):
            if json:
                print_json_line(plain(entry))
            else:
                typer.echo(f"{entry.seq:>5}  {entry.at[:23]}  {entry.type:<20} {visible(_brief(entry.event))}")
    if json:
        print_json_line({"type": "result", "run_id": run, "status": found.status.value})


def _lines(event: AnyEvent) -> list[str]:
    if isinstance(event, FunctionsSuspected):
        return [f"suspected {s.place} {s.function}: {s.because}" for s in event.suspects]
    line = Progress.line(event)
    return [line[2]] if line is not None else []


def _brief(event: object) -> str:
    text = ", ".join(f"{key}={value}" for key, value in plain(event).items() if key != "type")
    text = text.replace("\n", "\\n")
    return text if len(text) <= 160 else text[:157] + "..."


@app.command()
def diff(
    run: str = RunId,
    considered: int | None = typer.Option(
        None, "--considered", min=1, help="Instead the change of this number that the engineer considered."
    ),
) -> None:
    """The change as a patch, as it stands in the trail."""
    with open_stores() as stores:
        result = result_of(stores, run)
    if considered is None:
        print_patch(result.diff)
    elif considered > len(result.considered):
        raise InvalidInput(f"{run} considered {len(result.considered)} changes", f"See them: karkhana runs show {run}")
    else:
        print_patch(result.considered[considered - 1].patch)


@app.command()
def replay(run: str = RunId) -> None:
    """Rebuild the change from the events alone, and print it as a patch."""
    with open_stores() as stores:
        stores.runs.get(run)
        print_patch(replay_run(stores.events, run))


@app.command()
def report(
    run: str = RunId,
    output: Path = typer.Option(None, "--output", "-o", help="File to write; standard output when absent."),
    patch: Path = typer.Option(None, "--patch", help="Also write a patch for git am to this file."),
) -> None:
    """The run as a Markdown report."""
    with open_stores() as stores:
        write_report(stores, run, output)
        if patch is not None:
            write_patch(stores, run, patch)


@app.command()
def verify(run: str = RunId, json: bool = AsJson) -> None:
    """Check that no event was altered, removed or reordered; exit code 1 when one was."""
    with open_stores() as stores:
        stores.runs.get(run)
        problems = stores.events.verify(run)
        count = sum(1 for _ in stores.events.entries(run)) if not problems else 0
    if json:
        print_json({"run_id": run, "intact": not problems, "events": count, "problems": plain(problems)})
    elif problems:
        for problem in problems:
            typer.echo(f"event {problem.seq}: {problem.kind.value}: {visible(problem.message)}")
    else:
        typer.echo(f"{run}: {count} events, intact")
    raise typer.Exit(1 if problems else 0)


@app.command()
def approve(run: str = RunId, comment: str = Comment, by: str = By, json: bool = AsJson) -> None:
    """Approve the change that a run waits with, and deliver exactly that diff."""
    _answer(run, approved=True, comment=comment, by=by, json=json)


@app.command()
def reject(run: str = RunId, comment: str = Comment, by: str = By, json: bool = AsJson) -> None:
    """Reject the change that a run waits with."""
    _answer(run, approved=False, comment=comment, by=by, json=json)


@app.command()
def resume(
    run: str = RunId,
    max_turns: int = typer.Option(0, "--max-turns", min=0, help="So many more tool calls than it was given."),
    budget: float = typer.Option(0.0, "--budget", min=0.0, help="So many more US dollars than it was given."),
    by: str = By,
    json: bool = AsJson,
) -> None:
    """Let a paused run go on where it was."""
    # As for an answer: the whole factory.
    from karkhana.factory.approvals import resume as resume_run

    with _audited("run.resume", run, turns=max_turns, usd=budget) as (_, done):
        result = resume_run(
            run, turns=max_turns, usd=budget, by=by or getpass.getuser(), observer=Progress(), written=done
        )
    _told(result, json=json)


@app.command()
def rewind(
    run: str = RunId,
    turn: int = typer.Option(..., "--turn", min=1, help="Answers of the model that are taken over."),
    json: bool = AsJson,
) -> None:
    """Begin a new run of the same ticket where this one was after some of its model's answers."""
    # As for an answer: the whole factory.
    from karkhana.factory.approvals import rewind as rewind_run

    with _audited("run.rewind", run, turn=turn) as (stores, done):
        result = rewind_run(run, turn, Progress())
        with stores.database.writing() as connection:
            done(connection)
    _told(result, json=json)


def _told(result: RunResult, *, json: bool) -> None:
    if json:
        print_json(plain(result))
    else:
        print_card(result)
    raise typer.Exit(exit_code(result))


def _answer(run: str, *, approved: bool, comment: str, by: str | None, json: bool) -> None:
    # The whole factory, which takes a second to import; those who only look at runs do not pay that.
    from karkhana.factory.approvals import answer

    who = account()
    with _audited("run.approve" if approved else "run.reject", run, by=by or who, comment=comment) as (_, done):
        result = answer(
            run, approved=approved, comment=comment, by=by or who, observer=Progress(), account=who, written=done
        )
    if json:
        print_json(plain(result))
    else:
        print_card(result)
    raise typer.Exit(0 if not approved and result.status == "rejected" else exit_code(result))


@app.command()
def cancel(run: str = RunId, json: bool = AsJson) -> None:
    """Stop a run that is under way; its sandbox is killed."""
    with _audited("run.cancel", run) as (stores, done):
        with stores.database.writing() as connection:
            stores.tasks.cancel_within(connection, stores.runs.get_within(connection, run).task_id)
            done(connection)
        status = stores.runs.get(run).status
    if json:
        print_json({"run_id": run, "status": status.value})
    else:
        typer.echo(f"{run}  {status.value}: cancellation requested")


@contextmanager
def _audited(action: str, run_id: str, **details: object) -> Iterator[tuple[Stores, Callable[[sa.Connection], None]]]:
    """Around what is done with a run; as :func:`~karkhana.cli.auditing.audited`."""
    with open_stores() as stores:
        product = stores.tasks.get(stores.runs.get(run_id).task_id).product
        with audited(stores, action, run_id, product=product, **details) as done:
            yield stores, done
