"""``karkhana serve``: the dashboard."""

import typer

from karkhana.cli.account import account
from karkhana.cli.options import LogFormat, LogLevel, log_flags
from karkhana.cli.output import print_json_line
from karkhana.factory.configuration import load_settings
from karkhana.factory.logs import configure
from karkhana.factory.stores import open_stores
from karkhana.factory.tracing import tracing
from karkhana.web.serving import bound, serve_dashboard

app = typer.Typer(rich_markup_mode=None)


@app.command()
def serve(
    port: int = typer.Option(8321, "--port", min=0, max=65535, help="0 takes a free one."),
    host: str = typer.Option("127.0.0.1", "--host", help="Another address than this machine's own only for a team."),
    log_format: str = LogFormat,
    log_level: str = LogLevel,
    json: bool = typer.Option(False, "--json", help="Print one JSON line when it serves, and one for each new link."),
) -> None:
    """Serve the dashboard until SIGTERM: to one person on this machine, by the link that it prints, or to a team."""
    settings = load_settings(log_flags(log_format, log_level))
    listening = bound(host, port, settings.access)

    def ready(address: str, link: str) -> None:
        if json:
            print_json_line({"address": address, "link": link} if link else {"address": address})
        elif not link:
            typer.echo(f"Karkhana serves a team at {address}")
        else:
            typer.echo(f"Karkhana serves at {address}\nopen this link, which works once and for ten minutes:\n  {link}")

    def linked(link: str) -> None:
        if json:
            print_json_line({"link": link})
        else:
            typer.echo(f"a new link was asked for; it works once and for ten minutes:\n  {link}")

    with open_stores(settings) as stores, tracing("karkhana-serve") as traces:
        configure(settings.log, stores.redactor)
        serve_dashboard(stores, listening, account=account(), ready=ready, linked=linked, traces=traces)
