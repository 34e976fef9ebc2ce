"""``karkhana autonomy``: how far the factory decides alone, why, and what became of what it decided."""

import calendar
from datetime import UTC, datetime
from pathlib import Path

import typer

from karkhana.cli.account import account
from karkhana.cli.options import AsJson, Repo, TypeOfTask
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import plain
from karkhana.domain.policy import Autonomy, Policy
from karkhana.domain.tasks import TaskType
from karkhana.factory.autonomy import autonomy_book
from karkhana.factory.ordering import settings_for
from karkhana.factory.stores import open_stores
from karkhana.git import Repository
from karkhana.quality.guarantee.report import Report

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="How far the factory decides alone.")


def _at(repo: Path) -> tuple[str, Policy]:
    source = Repository.open(repo)
    return str(source.root), settings_for(source, source.head(), {}).policy


@app.command()
def show(
    repo: Path = Repo,
    type: TaskType | None = typer.Option(None, "--type", help="Only this kind of work.", show_default=False),
    history: bool = typer.Option(False, "--history", help="Also every change of the levels."),
    json: bool = AsJson,
) -> None:
    """The level of each type of task, what it rests on, and the guarantee with its figures."""
    name, policy = _at(repo)
    with open_stores() as stores:
        book = autonomy_book(stores)
        found = [book.standing(name, each.value, policy) for each in ([type] if type else TaskType)]
        changes = book.store.history(name, type.value if type else None)
    if json:
        print_json({"repository": name, "levels": plain(found), "history": plain(changes) if history else None})
        return
    for standing in found:
        typer.echo(f"{standing.task_type:<9} {standing.level.value:<23} {visible(standing.because)}")
    if history:
        rows = [
            (_time(c.at), c.task_type, f"{c.previous.value} -> {c.level.value}", c.cause.value, c.by, c.because)
            for c in changes
        ]
        table(("at (UTC)", "type", "level", "cause", "by", "because"), rows)


@app.command("set")
def set_(
    level: Autonomy = typer.Argument(..., help="The level from now on."),
    repo: Path = Repo,
    type: TaskType = TypeOfTask,
    because: str = typer.Option("", "--because", help="Kept in the history."),
    by: str = typer.Option(None, "--by", help="Who decides; the user's name when absent."),
    json: bool = AsJson,
) -> None:
    """Grant a level, or hold one down. What was not earned is lost with the first bad outcome."""
    name, policy = _at(repo)
    with open_stores() as stores:
        standing = autonomy_book(stores).set(name, type.value, level, policy, by=by or account(), because=because)
    if json:
        print_json(plain(standing))
    else:
        typer.echo(f"{standing.task_type}  {standing.level.value}  {visible(standing.because)}")


@app.command()
def report(
    repo: Path = Repo,
    type: TaskType | None = typer.Option(None, "--type", help="Only this kind of work.", show_default=False),
    month: str = typer.Option("", "--month", help="YYYY-MM, UTC; the present one when absent."),
    json: bool = AsJson,
) -> None:
    """A month's false positives and negatives, the audit, and what the thresholds should be."""
    name, _ = _at(repo)
    start, end = _month(month)
    with open_stores() as stores:
        found = autonomy_book(stores).report(name, type.value if type else None, start, end)
    if json:
        print_json(plain(found))
        return
    for line in _lines(found):
        typer.echo(line)


def _lines(found: Report) -> list[str]:
    none = "none can be shown to be safe"
    said = [
        f"{found.outcomes} outcomes became known, {found.bad} of them bad",
        f"false positives: {found.false_positives} of {found.alone} that went ahead alone were bad",
        f"false negatives: {found.false_negatives} of {found.waited} that waited for a person were good",
        f"threshold for a deploy: {none if found.deploy_above is None else f'{found.deploy_above:.3f}'}"
        f" (alpha {found.alpha:g}, delta {found.delta:g})",
        f"threshold for a canary: {'not to be said' if found.canary_from is None else f'{found.canary_from:.3f}'}",
    ]
    audit = found.overlooked
    if audit.rate is None:
        said.append("audit: nothing was drawn yet")
    else:
        said.append(
            f"audit: {audit.refused} of {audit.audited} were bad; {audit.rate:.1%} ({audit.low:.1%} to"
            f" {audit.high:.1%}) of what goes ahead alone is bad without being known"
        )
    return said + [
        f"score {band.low:.2f} to {band.high:.2f}: said {band.said:.2f}, good {band.good} of {band.outcomes}"
        f" ({band.good_low:.2f} to {band.good_high:.2f})"
        for band in found.bands
    ]


def _month(text: str) -> tuple[float, float]:
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC) if text else datetime.now(UTC).replace(day=1)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no month", "Write it as YYYY-MM.") from error
    first = first.replace(hour=0, minute=0, second=0, microsecond=0)
    return first.timestamp(), first.timestamp() + calendar.monthrange(first.year, first.month)[1] * 86_400.0


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
