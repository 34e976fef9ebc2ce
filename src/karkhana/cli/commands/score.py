"""``karkhana score``: the gates and the score for any commit range, whoever wrote it."""

from pathlib import Path

import typer

from karkhana.cli.card import print_score
from karkhana.cli.options import AsJson, Repo, TestCommand
from karkhana.cli.output import print_json, visible
from karkhana.cli.progress import Progress
from karkhana.domain.json import plain
from karkhana.factory.explaining import explain_run
from karkhana.factory.scoring import score_range
from karkhana.factory.stores import open_stores

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True, no_args_is_help=True)


@app.callback()
def score(
    context: typer.Context,
    repo: Path = Repo,
    base: str = typer.Option(None, "--base", help="The commit before the change."),
    head: str = typer.Option("HEAD", "--head", help="The commit after it."),
    test_command: str = TestCommand,
    text: str = typer.Option("", "--ticket", help="What was asked, for the review; the commit message when absent."),
    json: bool = AsJson,
) -> None:
    """Run all gates and the score on an existing commit range, or explain the score of a run."""
    if context.invoked_subcommand is not None:
        return
    if base is None:
        raise typer.BadParameter("say which commit is the base, for example --base main", param_hint="--base")
    result = score_range(repo, base, head, test_command=test_command, text=text, observer=Progress())
    if json:
        print_json(plain(result))
    else:
        print_score(result)


@app.command()
def explain(
    run: str = typer.Argument(..., metavar="RUN", help="Identifier of the run; see: karkhana runs list"),
    json: bool = AsJson,
) -> None:
    """Every component of a run's score, what it contributed, and what would raise it."""
    with open_stores() as stores:
        explanation = explain_run(stores, run)
    if json:
        print_json(plain(explanation))
    else:
        typer.echo(visible(explanation.text), nl=False)
