"""``karkhana autonomy``: how far the factory decides alone, why, and what became of what it decided."""

import calendar
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from karkhana.cli.account import account, at_terminal
from karkhana.cli.options import AsJson, Repo, TypeOfTask
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import plain
from karkhana.domain.policy import Autonomy, Policy
from karkhana.domain.tasks import TaskType
from karkhana.factory.autonomy import Month, Period, autonomy_book
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
        told = {"type": type.value, "level": level.value, "because": because, "by": by or account()}
        stores.audit.record(at_terminal(), action="autonomy.set", target=name, details=told)
    if json:
        print_json(plain(standing))
    else:
        typer.echo(f"{standing.task_type}  {standing.level.value}  {visible(standing.because)}")


@app.command()
def report(
    repo: Path = Repo,
    type: TaskType | None = typer.Option(None, "--type", help="Only this kind of work.", show_default=False),
    month: str = typer.Option("", "--month", help="YYYY-MM, UTC; the present one when absent."),
    months: int = typer.Option(1, "--months", min=1, max=120, help="So many months, of which that is the last."),
    json: bool = AsJson,
) -> None:
    """A month's false positives and negatives, the audit, and what the thresholds should be."""
    name, policy = _at(repo)
    with open_stores() as stores:
        book = autonomy_book(stores)
        found = book.months(name, type.value if type else None, _months(month, months))
        levels = [book.standing(name, each, policy) for each in sorted({t for m in found for t in m.by_then})]
    if json:
        print_json(
            {
                "repository": name,
                "policy": {"deploy_above": policy.deploy_above, "canary_from": policy.canary_from},
                "audit_share": policy.audit_share,
                "levels": plain(levels),
                "months": plain(found),
            }
        )
        return
    for each in found:
        for line in _lines(each, policy):
            typer.echo(line)
    for standing in levels:
        typer.echo(f"now, {standing.task_type}: {standing.level.value}; {visible(standing.because)}")


def _lines(month: Month, policy: Policy) -> list[str]:
    said = [f"{month.month}: {month.whole.outcomes} outcomes became known, {month.whole.bad} of them bad"]
    for name, each in (month.by_type | {"all": month.whole} if len(month.by_type) > 1 else month.by_type).items():
        said += [
            f"  {name}: {each.outcomes} outcomes, {each.bad} bad",
            f"    false positives: {each.false_positives} of {each.alone} that went ahead alone were bad",
            f"    false negatives: {each.false_negatives} of {each.waited} that waited for a person were good",
            f"    {_audit(each, policy)}",
            *(
                f"    score {band.low:.2f} to {band.high:.2f}: said {band.said:.2f}, good {band.good} of"
                f" {band.outcomes} ({band.good_low:.2f} to {band.good_high:.2f})"
                for band in each.bands
            ),
        ]
    for name, then in month.by_then.items():
        deploy = "no threshold can be shown" if then.deploy_above is None else f"above {then.deploy_above:.3f}"
        canary = "not to be said" if then.canary_from is None else f"from {then.canary_from:.3f}"
        said.append(
            f"  {name}, by all {then.outcomes} outcomes until then ({then.bad} bad): deploy {deploy} (it is"
            f" {policy.deploy_above:.2f}), canary {canary} (it is {policy.canary_from:.2f})"
        )
    return said


def _audit(found: Report, policy: Policy) -> str:
    audit = found.overlooked
    if audit.share is None:
        return "audit: nothing could go ahead alone"
    share = f"audit: {audit.share:.1%} of what could go ahead alone was drawn (wanted {policy.audit_share:.1%})"
    if audit.rate is None:
        return share
    return (
        f"{share}, {audit.refused} of {audit.audited} were bad; so {audit.rate:.1%} ({audit.low:.1%} to"
        f" {audit.high:.1%}) of what goes ahead alone is bad without being known"
    )


def _months(text: str, count: int) -> list[Period]:
    """The last ``count`` ones up to that of ``text``, the oldest first."""
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC) if text else datetime.now(UTC).replace(day=1)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no month", "Write it as YYYY-MM.") from error
    first = first.replace(hour=0, minute=0, second=0, microsecond=0)
    found = list[Period]()
    for _ in range(count):
        days = calendar.monthrange(first.year, first.month)[1]
        found.append((f"{first:%Y-%m}", first.timestamp(), first.timestamp() + days * 86_400.0))
        if (first.year, first.month) == (1, 1):
            break
        first = (first - timedelta(days=1)).replace(day=1)
    return found[::-1]


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
