"""The ``karkhana`` command. Loads a command's module only when that command is called.

Knows how errors, exit codes and ``--json`` look to a user; knows no rule of the business.
"""

import importlib
import os
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from karkhana import __version__
from karkhana.cli.output import print_error
from karkhana.domain.errors import KarkhanaError

COMMANDS = {
    "demo": "The main job on a sample repository, end to end, with no key and no network.",
    "run": "Work on one ticket in the foreground.",
    "runs": "Runs: list, show, trace, diff, approve, reject, cancel, verify, replay, report.",
    "tickets": "Tickets and what was understood of them: add, list, show, answer, duplicate, criteria.",
    "queue": "The queue: add, list, show, cancel.",
    "worker": "Take tasks from the queue and work on them.",
    "answers": "What could not be said where a ticket came from: list, retry.",
    "serve": "The dashboard: what goes on, what waits for a person, and why.",
    "score": "Run the gates and the score on any commit range, or explain a run's score.",
    "backtest": "What the forecasts of risk would have done on a repository's own past.",
    "provider": "A fake provider of models for rehearsals, on loopback.",
    "gateway": "Models for other programs, behind one address.",
    "route": "Whom the router would ask and why, and what it has learnt.",
    "strategies": "How models are told to work: list, show, propose, retire.",
    "outcomes": "What became of changes: list, add, sync, learn, records.",
    "autonomy": "How far the factory decides alone: show, set, report.",
    "tokens": "API tokens for programs: create, list, revoke.",
    "secrets": "Secrets that are kept sealed: set, list, remove, rotate.",
    "webhooks": "Addresses that are told what happens: add, list, messages, switch, test, remove.",
    "audit": "Who did what: list, export, verify.",
    "backup": "Everything that cannot be made again, in one file, while the factory works.",
    "prune": "Remove what is older than the settings let things be.",
    "restore": "A backup becomes this factory's home and database.",
    "doctor": "What is missing on this machine, and the command that mends it.",
}
"""Name → the line that ``karkhana --help`` shows."""


class LazyGroup(TyperGroup):
    """Lists commands from :data:`COMMANDS`; imports ``karkhana.cli.commands.NAME`` when it is called."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if self._listing:
            return TyperCommand(cmd_name, short_help=COMMANDS[cmd_name], help=COMMANDS[cmd_name])
        module = importlib.import_module(f"karkhana.cli.commands.{cmd_name}")
        return typer.main.get_command(module.app)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would triple the CPU time of --help
    help="Tickets in, trustworthy shipped code out, with a trail of every decision.",
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"karkhana {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Tickets in, trustworthy shipped code out, with a trail of every decision."""


def main() -> None:
    """Entry point: runs the command, shows errors the way the command line promises."""
    try:
        app()
    except KarkhanaError as error:
        print_error(error, as_json="--json" in sys.argv)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # The reader of our output has gone; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
