"""``karkhana restore``: a backup becomes this factory's home and database."""

from pathlib import Path

import typer

from karkhana.cli.account import at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, progress_line
from karkhana.factory.configuration import load_settings
from karkhana.factory.restoring import restore as restored
from karkhana.factory.stores import open_stores

app = typer.Typer(rich_markup_mode=None)


@app.command()
def restore(
    source: Path = typer.Argument(..., help="A file that karkhana backup wrote."),
    force: bool = typer.Option(False, "--force", help="Replace what is there; files are moved aside, not removed."),
    accept_damage: bool = typer.Option(False, "--accept-damage", help="Restore also trails that do not verify."),
    json: bool = AsJson,
) -> None:
    """Verify a backup, bring it to this version's schema, and put it in place.

    Stop the factory that it was made of first: two that go on with the same runs would deliver twice.
    """
    settings = load_settings({})
    done = restored(settings, source, force=force, accept_damage=accept_damage, progress=progress_line)
    with open_stores(settings) as stores:
        told = {"made_at": done.manifest.made_at, "damaged": len(done.damaged), "replaced": done.replaced}
        stores.audit.record(at_terminal(), action="backup.restore", target=source.name, details=told)
    if json:
        print_json(done)
        return
    found = done.contents
    typer.echo(f"restored the backup of {done.manifest.made_at} into {done.home}")
    typer.echo(f"{found.tasks} tasks, {found.runs} runs, {found.events} events; schema {found.schema}")
    if done.replaced:
        typer.echo(f"what was there before is in {done.replaced}")
    for run_id, problems in done.damaged.items():
        typer.echo(f"damaged: {run_id}: {problems[0]}")
