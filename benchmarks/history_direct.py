"""The symbolic engineer on one mined ticket, without the line and its sandbox, in a process of its own.

    python -m benchmarks.history_direct --repository GIT_DIR --python PYTHON [--words ticket|report] < TICKET

Prints one JSON object: ``solved, reason, question, tried, changes {path: text}, events``. Runs code of the library as
plain processes: only for libraries that you trust.
"""

import argparse
import hashlib
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

import karkhana.behaviour
from benchmarks.mine_tickets import History, OfflineWorkspace
from karkhana.behaviour.running import PROBES
from karkhana.domain.events import AnyEvent, CandidatesCompared, HypothesisTried, Noted
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import CommandResult, RunTests
from karkhana.engineers.symbolic import SymbolicEngineer
from karkhana.ports import Assignment
from karkhana.workspace.toolbox import Toolbox

_HERE = str(Path(karkhana.behaviour.__file__).parent / "probes")


class ProbedWorkspace(OfflineWorkspace):
    """A plain folder in which the probes' path inside the sandbox works."""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> CommandResult:
        words = tuple(word.replace(PROBES, _HERE, 1) for word in argv)
        return super().run(words, stdin=stdin, timeout_s=timeout_s, env=env)


class Remembering:
    """A trail in memory of what the engineer said it did."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def record(self, event: AnyEvent) -> None:
        if isinstance(event, (HypothesisTried, CandidatesCompared, Noted)):
            self.events.append(msgspec.to_builtins(event))

    def keep(self, content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()


def work(ticket: Mapping[str, Any], history: History, python: Path, seconds: float, words: str) -> dict[str, Any]:
    """What the engineer made of a ticket."""
    command = tuple(shlex.split(ticket["command"]))
    budget, trail = Budget(seconds=seconds), Remembering()
    with ProbedWorkspace(dict(history.broken(ticket)), python=str(python)) as workspace:
        before = Toolbox(workspace, trail, budget=Budget(), test_command=command).call(RunTests(timeout_s=120.0))
        tools = Toolbox(workspace, trail, budget=budget, test_command=command)
        assignment = Assignment(
            ticket=Ticket(text=ticket[words]),
            baseline=before,
            budget=budget,
            root=workspace.root,
            test_command=command,
        )
        handover = SymbolicEngineer().work(assignment, tools, trail)
        changes = {change.path: after for change, _, after in workspace.changes()} if handover.solved else {}
    return {
        **msgspec.to_builtins(handover),
        "failing_before": list(before.failing),
        "changes": {path: None if data is None else data.decode() for path, data in changes.items()},
        "events": trail.events,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--words", choices=("ticket", "report"), default="ticket")
    options = parser.parse_args()
    ticket = json.load(sys.stdin)
    history = History(options.repository, ticket["library"])
    print(json.dumps(work(ticket, history, options.python, options.seconds, options.words)))


if __name__ == "__main__":
    main()
