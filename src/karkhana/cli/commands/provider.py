"""``karkhana provider``: a provider of models for rehearsals, without a key and without a network."""

from pathlib import Path

import typer

from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json_line
from karkhana.domain.errors import InvalidInput
from karkhana.http.loops import run
from karkhana.routing.fake.program import FakeProvider
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import serve_fake
from karkhana.routing.wires.registry import WIRES

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def provider() -> None:
    """Providers of models."""


@app.command()
def fake(
    script: Path = typer.Option(
        ..., "--script", help="What it answers and what goes wrong; see docs/fake-provider.md."
    ),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Port on loopback; 0 takes a free one."),
    json: bool = AsJson,
) -> None:
    """Speak every wire on loopback and answer by a script, until SIGTERM or Ctrl-C."""
    try:
        text = script.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{script} cannot be read: {error}", "Name a TOML file with --script.") from error
    program = FakeProvider(read_script(text, str(script)))

    def ready(address: str) -> None:
        if json:
            print_json_line({"address": address, "wires": sorted(WIRES), "account": f"{address}/fake/account"})
        else:
            typer.echo(f"{address}  speaks {', '.join(sorted(WIRES))}; what it charges: {address}/fake/account")

    run(serve_fake(program, port, ready))
