"""Options that several commands share, so that they are spelt and explained once."""

from pathlib import Path
from typing import Any

import typer

from karkhana.domain.tasks import TaskType

Repo: Any = typer.Option(Path(), "--repo", help="Folder of the git repository; its HEAD is the base commit.")
TypeOfTask: Any = typer.Option(TaskType.BUGFIX, "--type", help="Kind of work.")
TestCommand: Any = typer.Option(None, "--test-command", help="Shell words that run the tests; detected when absent.")
EngineerName: Any = typer.Option("auto", "--engineer", help="auto, symbolic or llm.")
ModelName: Any = typer.Option("", "--model", help="The language model; default: the one of the settings.")
StrategyName: Any = typer.Option(
    "", "--strategy", help="How the model works; default: drawn by past outcomes; see: karkhana strategies list"
)
MaxTurns: Any = typer.Option(None, "--max-turns", min=1, help="Tool calls that the engineer may make.")
BudgetUsd: Any = typer.Option(None, "--budget", min=0.0, help="US dollars for model calls.")
Timeout: Any = typer.Option(None, "--timeout", min=1.0, help="Seconds for the engineer's work.")
AsJson: Any = typer.Option(False, "--json", help="Print one JSON object.")
Sandbox: Any = typer.Option("bubblewrap", "--sandbox", help="bubblewrap, or none (see --accept-unsandboxed).")
AcceptUnsandboxed: Any = typer.Option(
    False,
    "--accept-unsandboxed",
    help="With --sandbox none: I know that the repository's code then runs with my own rights.",
)
LogFormat: Any = typer.Option("", "--log-format", help="text or json; default: the one of the settings.")
LogLevel: Any = typer.Option("", "--log-level", help="debug, info, warning or error; default: by the format.")


def log_flags(format: str, level: str) -> dict[str, Any]:
    """What was given of the two, as flags for the settings.

    >>> log_flags("json", "")
    {'log': {'format': 'json'}}
    """
    given = {"format": format, "level": level}
    return {"log": {name: value for name, value in given.items() if value}}
