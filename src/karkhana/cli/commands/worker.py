"""``karkhana worker``: take tasks from the queue and work on them."""

import typer

from karkhana.cli.output import print_json_line
from karkhana.cli.progress import Progress
from karkhana.domain.json import plain
from karkhana.factory.assembly import open_factory
from karkhana.factory.configuration import load_settings
from karkhana.factory.worker import stop_on_signals

app = typer.Typer(rich_markup_mode=None)


@app.command()
def worker(
    tags: str = typer.Option("", help="What this worker is capable of, separated by commas."),
    concurrency: int = typer.Option(1, min=1, help="Runs at the same time."),
    drain: bool = typer.Option(False, "--drain", help="Leave when nothing is ready and nothing is running."),
    json: bool = typer.Option(False, "--json", help="Print each event as one JSON line, and a last result line."),
) -> None:
    """Take the most urgent ready task, work on it, take the next. Any number of workers on any number of nodes."""
    words = tuple(tag for tag in tags.split(",") if tag)
    observer = (lambda event: print_json_line(plain(event))) if json else Progress()
    opened = open_factory(load_settings({}), observer=observer, tags=words, concurrency=concurrency)
    with opened as factory, stop_on_signals(factory.worker):
        done = factory.worker.work(drain=drain)
    if json:
        print_json_line({"type": "result", "runs": done})
