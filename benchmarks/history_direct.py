"""The symbolic engineer on one mined ticket, without the line and its sandbox, in a process of its own.

    python -m benchmarks.history_direct --repository GIT_DIR --python PYTHON [--words ticket|report] < TICKET

Prints one JSON object: ``solved, reason, question, tried, changes {path: text}, events``. Runs code of the library as
plain processes: only for libraries that you trust.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.direct import work_directly
from benchmarks.mine_tickets import History, OfflineWorkspace
from karkhana.domain.events import CandidatesCompared, HypothesisTried, Noted

_TOLD = (HypothesisTried, CandidatesCompared, Noted)


def work(ticket: Mapping[str, Any], history: History, python: Path, seconds: float, words: str) -> dict[str, Any]:
    """What the engineer made of a ticket."""
    command = tuple(shlex.split(ticket["command"]))
    with OfflineWorkspace(dict(history.broken(ticket)), python=str(python)) as workspace:
        handover, before, trail = work_directly(workspace, ticket[words], command, seconds, suite_s=120.0)
        changes = {change.path: after for change, _, after in workspace.changes()} if handover.solved else {}
    return {
        **msgspec.to_builtins(handover),
        "failing_before": list(before.failing),
        "changes": {path: None if data is None else data.decode() for path, data in changes.items()},
        "events": [msgspec.to_builtins(event) for event in trail.events if isinstance(event, _TOLD)],
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
