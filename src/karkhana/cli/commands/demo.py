"""``karkhana demo``: the main job on a sample repository, by the same path as every other run."""

import shlex
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

import typer

from karkhana.cli.card import print_card
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json
from karkhana.cli.progress import Progress
from karkhana.domain.json import plain
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order
from karkhana.factory.results import exit_code

app = typer.Typer(rich_markup_mode=None)

GIT = ("git", "-c", "user.name=Teashop", "-c", "user.email=teashop@localhost", "-c", "commit.gpgsign=false")


@app.command()
def demo(json: bool = AsJson) -> None:
    """Repair a sample shop whose test-suite shows a bug, and push the fix to a branch of its remote."""
    folder = Path(tempfile.mkdtemp(prefix="karkhana-demo-"))
    repository = make_sample_repository(folder)
    ticket = (resources.files("karkhana.cli") / "sample" / "ticket.txt").read_text()
    command = shlex.join(["karkhana", "run", ticket.splitlines()[0], "--repo", str(repository), "--auto"])
    typer.echo(f"a sample repository with a remote: {repository}\n$ {command}\n", err=True)
    order, settings = make_order(ticket, repository, auto=True)
    result = work_in_foreground(order, settings, Progress())
    if json:
        print_json(plain(result))
    else:
        print_card(result)
        typer.echo(f"look     git -C {repository} show {result.branch}" if result.branch else f"look in  {repository}")
        typer.echo(f"verify   karkhana runs verify {result.run_id}")
    raise typer.Exit(exit_code(result))


def make_sample_repository(folder: Path) -> Path:
    """``folder/teashop``, a git repository with one commit, whose remote is ``folder/teashop.git``."""
    repository, remote = folder / "teashop", folder / "teashop.git"
    with resources.as_file(resources.files("karkhana.cli") / "sample") as sample:
        shutil.copytree(sample, repository, ignore=shutil.ignore_patterns("__pycache__", "ticket.txt"))
    _git(folder, "init", "--quiet", "--bare", str(remote))
    _git(repository, "init", "--quiet", "--initial-branch=main")
    _git(repository, "remote", "add", "origin", str(remote))
    _git(repository, "add", "--all")
    _git(repository, "commit", "--quiet", "--message", "Prices and invoices")
    _git(repository, "push", "--quiet", "origin", "main")
    return repository


def _git(folder: Path, *words: str) -> None:
    subprocess.run([*GIT, "-C", folder, *words], check=True, capture_output=True)
