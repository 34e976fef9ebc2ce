"""The symbolic engineer, or the hybrid one, on one mined ticket without the line and sandbox, in a process of its own.

    python -m benchmarks.history_direct --repository GIT_DIR --python PYTHON [--words ticket|report]
                                        [--base-url URL [--kept FILE] [--answers N]] < TICKET

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
from benchmarks.local_model import LocalModel
from benchmarks.mine_tickets import History, OfflineWorkspace
from karkhana.domain.events import CandidatesCompared, HypothesisTried, ModelAnswered, Noted
from karkhana.engineers.llm.small import HybridEngineer
from karkhana.engineers.llm.small.proposing import Limits

_TOLD = (HypothesisTried, CandidatesCompared, ModelAnswered, Noted)


def work(
    ticket: Mapping[str, Any],
    history: History,
    python: Path,
    *,
    seconds: float,
    words: str,
    model: LocalModel | None = None,
    answers: int = 5,
) -> dict[str, Any]:
    """What the engineer made of a ticket; with a ``model`` the hybrid one."""
    command = tuple(shlex.split(ticket["command"]))
    with OfflineWorkspace(dict(history.broken(ticket)), python=str(python)) as workspace:
        handover, before, trail = work_directly(
            workspace,
            ticket[words],
            command,
            seconds,
            suite_s=120.0,
            engineer=HybridEngineer(Limits(answers=answers)) if model else None,
            model=model,
        )
        changes = {change.path: after for change, _, after in workspace.changes()} if handover.solved else {}
    return {
        **msgspec.to_builtins(handover),
        "failing_before": list(before.failing),
        "changes": {path: None if data is None else data.decode() for path, data in changes.items()},
        "model": {"answers": model.asked, "seconds": model.seconds, "tokens": dict(model.tokens)} if model else None,
        "events": [msgspec.to_builtins(event) for event in trail.events if isinstance(event, _TOLD)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--words", choices=("ticket", "report"), default="ticket")
    parser.add_argument("--base-url", help="a server of the OpenAI form: the hybrid engineer asks its model")
    parser.add_argument("--kept", type=Path, help="file of the model's answers")
    parser.add_argument("--answers", type=int, default=5)
    options = parser.parse_args()
    ticket = json.load(sys.stdin)
    history = History(options.repository, ticket["library"])
    model = LocalModel(options.base_url, options.kept) if options.base_url else None
    how: dict[str, Any] = {"seconds": options.seconds, "words": options.words, "answers": options.answers}
    print(json.dumps(work(ticket, history, options.python, model=model, **how)))
    if model is not None:
        model.close()


if __name__ == "__main__":
    main()
