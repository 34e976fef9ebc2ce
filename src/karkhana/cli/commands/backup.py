"""``karkhana backup``: everything that cannot be made again, in one file, while the factory works."""

from pathlib import Path

import typer

from karkhana.cli.account import at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, progress_line
from karkhana.factory.backup import back_up
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import open_stores
from karkhana.storage.tables import SCHEMA_VERSION

app = typer.Typer(rich_markup_mode=None)


@app.command()
def backup(
    target: Path = typer.Argument(..., help="A file (.tar, .tar.gz), or a folder, which gets one with the time."),
    json: bool = AsJson,
) -> None:
    """Back up the trail, the queue, the engine and what was learned, as they stand at one moment.

    The key of stored secrets is not in it: keep it elsewhere.
    """
    settings = load_settings({})
    done = back_up(settings, target, progress_line)
    # an older schema is left as it is: a backup is what is made before an upgrade
    if done.manifest.contents.schema == SCHEMA_VERSION:
        with open_stores(settings) as stores:
            told = {"sha256": done.sha256, "bytes": done.bytes}
            stores.audit.record(at_terminal(), action="backup.make", target=done.file, details=told)
    if json:
        print_json(done)
        return
    found = done.manifest.contents
    typer.echo(
        f"{done.file}: {done.bytes} bytes, {found.tasks} tasks, {found.runs} runs, {found.events} events\n"
        f"sha256 {done.sha256}"
    )
