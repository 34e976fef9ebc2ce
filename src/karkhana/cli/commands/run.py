"""``karkhana run``: one ticket in the foreground."""

from pathlib import Path

import typer

from karkhana.cli.account import account
from karkhana.cli.card import print_card
from karkhana.cli.options import (
    AcceptUnsandboxed,
    AsJson,
    BudgetUsd,
    EngineerName,
    MaxTurns,
    ModelName,
    Repo,
    Sandbox,
    StrategyName,
    TestCommand,
    Timeout,
    TypeOfTask,
)
from karkhana.cli.output import print_json, visible
from karkhana.cli.progress import Progress
from karkhana.domain.json import plain
from karkhana.domain.tasks import TaskType
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order, remarks
from karkhana.factory.results import exit_code

app = typer.Typer(rich_markup_mode=None)


@app.command()
def run(
    text: str = typer.Argument(..., help="The ticket; - reads it from standard input."),
    repo: Path = Repo,
    type: TaskType = TypeOfTask,
    test_command: str = TestCommand,
    engineer: str = EngineerName,
    model: str = ModelName,
    max_turns: int = MaxTurns,
    budget: float = BudgetUsd,
    timeout: float = Timeout,
    attempts: int = typer.Option(1, min=1, help="Independent attempts; the best one is handed over."),
    strategy: str = StrategyName,
    auto: bool = typer.Option(False, "--auto", help="Deliver without waiting for approval where policy allows."),
    explain: bool = typer.Option(False, "--explain", help="Show every hypothesis that the engineer tries."),
    sandbox: str = Sandbox,
    accept_unsandboxed: bool = AcceptUnsandboxed,
    report: Path = typer.Option(None, "--report", help="Write a Markdown report to this file."),
    patch: Path = typer.Option(None, "--patch", help="Write a patch for git am to this file."),
    json: bool = AsJson,
) -> None:
    """Work on one ticket and leave a reviewed change on a branch."""
    order, settings = make_order(
        text,
        repo,
        type=type,
        test_command=test_command,
        engineer=engineer,
        model=model,
        max_turns=max_turns,
        usd=budget,
        seconds=timeout,
        attempts=attempts,
        strategy=strategy,
        auto=auto,
        explain=explain,
        sandbox=sandbox,
        accept_unsandboxed=accept_unsandboxed,
        by=account(),
    )
    for remark in remarks(order):
        typer.echo(f"note: {visible(remark)}", err=True)
    result = work_in_foreground(order, settings, Progress(explain=explain), report=report, patch=patch)
    if json:
        print_json(plain(result))
    else:
        print_card(result)
    raise typer.Exit(exit_code(result))
