"""``karkhana strategies``: how models are told to work, and what outcomes say about it."""

import typer

from karkhana.cli.account import at_terminal
from karkhana.cli.options import AsJson, ModelName, TypeOfTask
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.json import plain
from karkhana.domain.tasks import TaskType
from karkhana.engineers.llm.strategies import shipped
from karkhana.factory.configuration import load_settings
from karkhana.factory.proposing import propose as proposed
from karkhana.factory.stores import open_stores
from karkhana.factory.strategies import beliefs
from karkhana.learning.shelf import Shelf
from karkhana.storage.route_store import RouteStore

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
_NAME = typer.Argument(..., help="NAME or NAME@VERSION.")


@app.callback()
def strategies() -> None:
    """How models are told to work, and what outcomes say about it."""


@app.command("list")
def list_(type: TaskType = TypeOfTask, model: str = ModelName, json: bool = AsJson) -> None:
    """All strategies, and how often each is believed to succeed for a type of task."""
    settings = load_settings({})
    every = Shelf(settings.home, shipped()).all()
    with open_stores(settings) as stores:
        usable = [each.strategy for each in every if each.standing.usable and each.strategy.suits(type)]
        known = beliefs(RouteStore(stores.database), model or settings.models.work, type.value, usable)
    rows = [
        {
            "strategy": each.strategy.key,
            "standing": each.standing.value,
            "types": [one.value for one in each.strategy.types],
            "pattern": each.pattern,
            "succeeds": round(known[each.strategy.key].mean, 3) if each.strategy.key in known else None,
        }
        for each in every
    ]
    if json:
        print_json(rows)
        return
    shown = [[str(row[n] or "") for n in ("strategy", "standing", "pattern", "succeeds")] for row in rows]
    table(("STRATEGY", "STANDING", "PATTERN", "SUCCEEDS"), shown)


@app.command()
def show(name: str = _NAME, json: bool = AsJson) -> None:
    """What a strategy says, and the figures of its trial."""
    kept = Shelf(load_settings({}).home, shipped()).get(name)
    if json:
        print_json(plain(kept))
        return
    typer.echo(f"{kept.strategy.key}  {kept.standing.value}  {kept.pattern}")
    typer.echo(visible(kept.strategy.text.strip() or "(the instructions as they are)"))
    if kept.figures is not None:
        figures = kept.figures
        typer.echo(
            f"against {figures.against}: {figures.wins} wins, {figures.losses} losses on {figures.tickets} tickets, "
            f"p = {figures.p_value:.4f}, level {figures.level:.4f}"
        )


@app.command()
def retire(name: str = _NAME, json: bool = AsJson) -> None:
    """Choose a strategy no more; it stays readable."""
    settings = load_settings({})
    kept = Shelf(settings.home, shipped()).retire(name)
    with open_stores(settings) as stores:
        stores.audit.record(at_terminal(), action="strategy.retire", target=kept.strategy.key)
    print_json(plain(kept)) if json else typer.echo(f"{kept.strategy.key} is retired")


@app.command()
def propose(
    type: TaskType = TypeOfTask,
    drafted_by: str = typer.Option(
        "", "--drafted-by", help="The model that drafts it, or: catalogue. Default: the model that works."
    ),
    budget: float = typer.Option(5.0, "--budget", min=0.0, help="US dollars for all trials together."),
    tickets: int = typer.Option(40, "--tickets", min=1, help="Past tickets to try it on, at most."),
    json: bool = AsJson,
) -> None:
    """Draft a strategy from what fails again and again, and admit it only when it wins on held-out past tickets."""
    proposal = proposed(
        load_settings({}),
        type,
        drafted_by=drafted_by,
        budget_usd=budget,
        tickets=tickets,
        said=lambda text: typer.echo(text, err=True),
    )
    if proposal.kept is not None:
        strategy, standing = proposal.kept.strategy.key, proposal.kept.standing.value
        with open_stores() as stores:
            told = {"type": type.value, "standing": standing}
            stores.audit.record(at_terminal(), action="strategy.propose", target=strategy, details=told)
    print_json(plain(proposal)) if json else typer.echo(proposal.reason)
