"""``karkhana backtest``: what the forecasts of change risk would have done on a repository's own past."""

import os
import sys
import time
from pathlib import Path

import typer

from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import plain
from karkhana.factory.backtest import Backtest, backtest
from karkhana.factory.backtest.page import page
from karkhana.factory.configuration import load_settings

app = typer.Typer(rich_markup_mode=None)


class StageProgress:
    """What is being done and how far it is: one line that is rewritten on a terminal, else a line now and then."""

    def __init__(self, every_s: float = 5.0) -> None:
        self._terminal = sys.stderr.isatty()
        self._every = 0.2 if self._terminal else every_s
        self._stage = ""
        self._last = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        ends = done >= total
        if stage == self._stage and not ends and now - self._last < self._every:
            return
        new, self._stage, self._last = stage != self._stage, stage, now
        if self._terminal:
            sys.stderr.write(("\n" if new else "") + f"\r{stage}: {done} of {total} ")
        else:
            sys.stderr.write(f"{stage}: {done} of {total}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._terminal and self._stage:
            sys.stderr.write("\n")


@app.command()
def judge(
    repo: Path = typer.Option(Path(), "--repo", help="Folder of the git repository; one without a work tree will do."),
    limit: int = typer.Option(1000, "--limit", min=60, help="Newest commits that are old enough to be judged."),
    days: int = typer.Option(180, "--days", min=1, help="Days in which a commit can turn out bad; younger ones wait."),
    head: str = typer.Option("HEAD", "--head", help="Where the history ends."),
    html: Path = typer.Option(None, "--html", help="Also write a report with plots to this file."),
    json: bool = AsJson,
) -> None:
    """Forecast each commit of a repository's past from what was known then, and compare with what became of it."""
    if html is not None and not os.access(html.parent, os.W_OK):
        raise InvalidInput(f"{html} cannot be written", "choose a file in a folder that you may write to")
    progress = StageProgress()
    settings = load_settings({})
    try:
        result = backtest(
            repo, limit=limit, days=days, head=head, home=settings.home, policy=settings.policy, progress=progress
        )
    finally:
        progress.end()
    if html is not None:
        html.write_text(page(result), encoding="utf-8", errors="replace")
        sys.stderr.write(f"report: {visible(str(html))}\n")
    if json:
        print_json(plain(result))
    else:
        _print(result)


def _print(result: Backtest) -> None:
    measures = result.measures
    typer.echo(
        visible(
            f"{result.repository}: {result.forecast} commits forecast, {result.bad} of them turned out bad within "
            f"{result.within_days} days ({result.bad / result.forecast:.1%})"
        )
    )
    if measures.auc is not None:
        prior = f"; the shipped prior alone {result.prior_alone.auc:.3f}" if result.prior_alone.auc is not None else ""
        lines = f"; lines added alone {result.lines_added_auc:.3f}" if result.lines_added_auc is not None else ""
        typer.echo(f"AUC {measures.auc:.3f} (95 % {measures.auc_low:.3f} to {measures.auc_high:.3f}){prior}{lines}")
    typer.echo(
        f"Brier {measures.brier:.4f} (base rate {measures.brier_of_base_rate:.4f}); calibration error "
        f"{measures.calibration_error:.1%}"
    )
    typer.echo("")
    table(
        ("FORECAST", "OBSERVED", "95 %", "COMMITS"),
        [_row(b.forecast, b.observed, b.low, b.high, b.count) for b in result.calibration],
    )
    typer.echo("")
    table(
        ("DECISION", "COMMITS", "SHARE", "BAD", "BAD SHARE", "95 %"),
        [
            [
                band.decision,
                str(band.count),
                f"{band.share:.1%}",
                str(band.bad),
                *_rate(band.bad_share, band.low, band.high),
            ]
            for band in result.policy
        ],
    )
    typer.echo("")
    table(
        ("SCORE ABOVE", "DEPLOYED", "SHARE", "BAD", "BAD SHARE", "95 %", "BAD HELD BACK"),
        [
            [
                f"{at.threshold:g}",
                str(at.deployed),
                f"{at.share:.1%}",
                str(at.bad),
                *_rate(at.bad_share, at.low, at.high),
                f"{at.caught:.0%}",
            ]
            for at in result.thresholds
        ],
    )
    typer.echo("")
    typer.echo(result.guarantee)
    for note in result.notes:
        typer.echo(f"- {note}")


def _row(forecast: float, observed: float, low: float, high: float, count: int) -> list[str]:
    return [f"{forecast:.1%}", f"{observed:.1%}", f"{low:.1%} to {high:.1%}", str(count)]


def _rate(share: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    if share is None or low is None or high is None:
        return "-", "-"
    return f"{share:.1%}", f"{low:.1%} to {high:.1%}"
