"""``karkhana worker``: take tasks from the queue and work on them."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import structlog
import typer

from karkhana.cli.options import LogFormat, LogLevel, log_flags
from karkhana.cli.output import print_json_line
from karkhana.cli.progress import Progress
from karkhana.domain.json import plain
from karkhana.domain.settings import Settings
from karkhana.factory.assembly import open_factory
from karkhana.factory.configuration import load_settings
from karkhana.factory.logs import RunLog, configure
from karkhana.factory.retaining import pruning_nightly
from karkhana.factory.tracing import tracing
from karkhana.factory.watching import Watch
from karkhana.factory.worker import stop_on_signals

app = typer.Typer(rich_markup_mode=None)
_log = structlog.get_logger("karkhana.worker")


@app.command()
def worker(
    tags: str = typer.Option("", help="What this worker is capable of, separated by commas."),
    concurrency: int = typer.Option(1, min=1, help="Runs at the same time."),
    drain: bool = typer.Option(False, "--drain", help="Leave when nothing is ready and nothing is running."),
    metrics_port: int = typer.Option(
        -1, "--metrics-port", min=-1, max=65535, help="Serve figures for Prometheus on this port; 0 takes a free one."
    ),
    metrics_host: str = typer.Option("127.0.0.1", "--metrics-host", help="The address that they are served at."),
    log_format: str = LogFormat,
    log_level: str = LogLevel,
    json: bool = typer.Option(False, "--json", help="Print each event as one JSON line, and a last result line."),
) -> None:
    """Take the most urgent ready task, work on it, take the next. Any number of workers on any number of nodes."""
    words = tuple(tag for tag in tags.split(",") if tag)
    settings = load_settings(log_flags(log_format, log_level))
    logged = settings.log.format == "json"
    observer = (lambda event: print_json_line(plain(event))) if json else Progress(quiet=logged)
    with ExitStack() as stack, tracing("karkhana-worker") as traces:
        watches: list[Watch] = [RunLog()] if logged else []
        address = ""
        if traces is not None:
            watches.append(traces)
        if metrics_port >= 0:
            measured, address = stack.enter_context(_measured(settings, metrics_host, metrics_port))
            watches.append(measured)
        opened = open_factory(settings, observer=observer, tags=words, concurrency=concurrency, watches=watches)
        factory = stack.enter_context(opened)
        configure(settings.log, factory.stores.redactor)
        if logged:
            _log.info("worker.begun", worker=factory.worker.name, figures=address)
        elif address:
            sys.stderr.write(f"figures at {address}\n")
        stack.enter_context(stop_on_signals(factory.worker))
        stack.enter_context(pruning_nightly(settings))
        done = factory.worker.work(drain=drain)
    if json:
        print_json_line({"type": "result", "runs": done})


@contextmanager
def _measured(settings: Settings, host: str, port: int) -> Iterator[tuple[Watch, str]]:
    # a worker without figures does not load what makes them
    from karkhana.factory.metrics import WorkerMetrics, new_registry
    from karkhana.factory.metrics_server import serving_metrics

    metrics = WorkerMetrics(new_registry())
    with serving_metrics(metrics.registry, host, port, token=settings.metrics.token) as taken:
        yield metrics, f"http://{host}:{taken}/metrics"
