"""``karkhana prune``: removes what is older than ``[retention]`` lets things be."""

import typer

from karkhana.cli.account import at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json
from karkhana.factory.configuration import load_settings
from karkhana.factory.retaining import prune as pruned
from karkhana.factory.stores import open_stores

app = typer.Typer(rich_markup_mode=None)


@app.command()
def prune(
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would go."),
    json: bool = AsJson,
) -> None:
    """Remove large values of old trails, and old deliveries; trails stay verifiable. Workers do so every night."""
    settings = load_settings({})
    with open_stores(settings) as stores:
        removed = pruned(stores.database, settings.retention, dry_run=dry_run)
        if not dry_run:
            gone = {"blobs": removed.payloads.blobs, "deliveries": removed.deliveries}
            stores.audit.record(at_terminal(), action="retention.prune", details=gone)
    if json:
        print_json(removed)
        return
    found, would = removed.payloads, "would remove" if dry_run else "removed"
    if not settings.retention.payload_days:
        typer.echo("large values of trails are kept for good (retention.payload_days)")
    else:
        typer.echo(f"{would} {found.blobs} large values ({found.bytes} bytes) of {found.runs} runs")
    if removed.deliveries >= 0:
        typer.echo(f"{would} {removed.deliveries} deliveries and answers")
