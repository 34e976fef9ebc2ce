"""The end of a run on the terminal: diff, tests, confidence card, where the change is, and what to do next."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from karkhana.cli.output import visible
from karkhana.domain.confidence import Confidence
from karkhana.domain.events import Candidate
from karkhana.domain.risks import Risk, in_full
from karkhana.factory.results import RunResult, ScoreResult

DIFF_LINES = 200
"""Lines of a diff that are shown; the rest is one command away."""


def print_card(result: RunResult) -> None:
    """Print what came of a run on stdout."""
    console = Console(highlight=False, soft_wrap=True)
    if result.diff:
        _print_diff(console, result)
    if result.summary:
        console.print(f"\n{escape(visible(result.summary))}")
    if result.confidence is not None:
        _print_confidence(console, result.confidence, result.decision, result.decision_reason)
    if result.risk is not None:
        _print_risk(console, result.risk)
    _print_ending(console, result)


def considered(number: int, candidate: Candidate) -> list[str]:
    """Lines on one change that passed the selected tests: what it is, how probable, and why."""
    chance = "" if candidate.probability is None else f", {candidate.probability:.0%} probable"
    alike = f", {candidate.alike} behave alike" if candidate.alike > 1 else ""
    head = f"  considered {number}: {candidate.place}  {candidate.kind}{chance}{alike}"
    return [head, *(f"      {reason}" for reason in candidate.reasons)]


def _print_diff(console: Console, result: RunResult) -> None:
    lines = visible(result.diff).splitlines()
    console.print()
    for line in lines[:DIFF_LINES]:
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(f"[{colour}]{escape(line)}[/]" if colour else escape(line))
    if len(lines) > DIFF_LINES:
        console.print(f"… {len(lines) - DIFF_LINES} more lines: karkhana runs diff {result.run_id}")


def print_score(result: ScoreResult) -> None:
    """Print what the gates and the score say about a commit range on stdout."""
    console = Console(highlight=False, soft_wrap=True)
    _print_confidence(console, result.confidence, result.decision, result.decision_reason)
    _print_risk(console, result.risk)


def _print_confidence(console: Console, confidence: Confidence, decision: str | None, reason: str) -> None:
    card = Table(title=f"Confidence {confidence.score:.2f} → {decision}", title_justify="left")
    for name in ("component", "value", "weight", "because"):
        card.add_column(name, justify="right" if name in ("value", "weight") else "left")
    for part in confidence.components:
        card.add_row(part.name, f"{part.value:.2f}", f"{part.weight:.2f}", escape(visible(part.because)))
    console.print()
    console.print(card)
    for cap in confidence.caps:
        console.print(f"held down: {escape(visible(cap))}")
    console.print(escape(reason))


def _print_risk(console: Console, risk: Risk) -> None:
    console.print()
    for line in in_full(risk):
        console.print(escape(visible(line)))


def _print_ending(console: Console, result: RunResult) -> None:
    console.print()
    console.print(f"[bold]{result.run_id}[/]  {result.task.task_id}  [bold]{result.status}[/]")
    if result.reason:
        console.print(escape(visible(result.reason)))
    if result.branch:
        where = f"pushed to {result.remote}" if result.remote else "in the repository"
        console.print(f"branch   {result.branch} ({(result.commit or '')[:12]}), {escape(where)}")
    if result.status == "waiting_for_review" and result.decision is None:
        console.print(f"resume   karkhana runs resume {result.run_id}")
    elif result.status == "waiting_for_review" and result.goes_on:
        console.print(f"goes on  {result.goes_on}, on a worker, unless: karkhana runs reject {result.run_id}")
    elif result.status == "waiting_for_review":
        console.print(f"approve  karkhana runs approve {result.run_id}    or: karkhana runs reject {result.run_id}")
    if result.next:
        console.print(f"hint     {escape(visible(result.next))}")
    console.print(f"trail    karkhana runs trace {result.run_id}")
