"""``karkhana backup``: everything that cannot be made again, in one file, while the factory works."""

from pathlib import Path

import typer

from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, progress_line
from karkhana.factory.backup import back_up
from karkhana.factory.configuration import load_settings

app = typer.Typer(rich_markup_mode=None)


@app.command()
def backup(
    target: Path = typer.Argument(..., help="A file (.tar, .tar.gz), or a folder, which gets one with the time."),
    json: bool = AsJson,
) -> None:
    """Back up the trail, the queue, the engine and what was learned, as they stand at one moment.

    The key of stored secrets is not in it: keep it elsewhere.
    """
    done = back_up(load_settings({}), target, progress_line)
    if json:
        print_json(done)
        return
    found = done.manifest.contents
    typer.echo(
        f"{done.file}: {done.bytes} bytes, {found.tasks} tasks, {found.runs} runs, {found.events} events\n"
        f"sha256 {done.sha256}"
    )
