"""``karkhana gateway``: models for other programs, behind one address."""

from pathlib import Path

import typer

from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json_line
from karkhana.factory.configuration import load_settings
from karkhana.routing.gateway.serving import read_file, serve_gateway
from karkhana.storage.database import open_database

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def gateway(
    config: Path = typer.Option(
        Path("gateway.toml"), "--config", help="Providers, models, prices; see docs/gateway.md."
    ),
    check: bool = typer.Option(False, "--check", help="Only read the file, and say what is wrong with it."),
    json: bool = AsJson,
) -> None:
    """Serve models to programs that speak OpenAI's or Anthropic's wire, until SIGTERM or Ctrl-C."""
    configuration = read_file(config)
    served = {"models": sorted(configuration.models), "providers": sorted(configuration.providers)}
    if check:
        if json:
            print_json_line({"status": "ok", **served})
        else:
            typer.echo(f"{config} is right: {len(served['models'])} models, {len(served['providers'])} providers")
        return
    settings = load_settings({})

    def ready(address: str) -> None:
        if json:
            print_json_line({"address": address, **served})
        else:
            typer.echo(f"{address}  serves {', '.join(served['models']) or 'PROVIDER/MODEL'}")

    with open_database(settings.database_url, settings.home) as database:
        serve_gateway(configuration, database, settings.home, ready)
