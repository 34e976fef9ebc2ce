"""``karkhana doctor``: what is missing on this machine, and the command that mends it."""

import typer

from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, visible
from karkhana.domain.json import plain
from karkhana.factory.checkup import check_machine
from karkhana.factory.configuration import load_settings

app = typer.Typer(rich_markup_mode=None)


@app.command()
def doctor(json: bool = AsJson) -> None:
    """Try everything that a run needs; exit code 4 when something is missing."""
    checks = check_machine(load_settings({}))
    healthy = all(check.ok for check in checks if check.required)
    if json:
        print_json({"healthy": healthy, "checks": plain(checks)})
    else:
        for check in checks:
            mark = "✓" if check.ok else ("✗" if check.required else "!")
            typer.echo(f"{mark} {check.name:<15} {visible(check.found)}")
            if check.next:
                typer.echo(f"  {'hint:':<15} {visible(check.next)}")
        typer.echo("everything that a run needs is here" if healthy else "something is missing: see the hints")
    raise typer.Exit(0 if healthy else 4)
