"""What the gates cost on a library of many tests, in times of the plain suite's CPU.

    python -m benchmarks.gate_cost --dataset DIR --tickets DIR [--ticket NAME] [--suite TESTS] [--environments DIR]
                                   [--efforts brief usual thorough] [--json]

DIR holds repositories as OWNER+NAME/repo; tickets are made by ``benchmarks.mine``. The change is the maintainers' fix
of a ticket, on the tree that has its test already; the suite is all tests of the library, not those of the ticket
alone. Each gate's CPU is that of all programs that it starts, and its own; dear gates run once at each effort. The
figures of the plain suite are the lesser of its two runs, before the change and after it, with the reports that the
line asks for. Without the sandbox, whose cost is measured apart, and without the second opinion, which has a budget
of its own.

Tickets of libraries with about 900 tests: ``develop/pallets+jinja-051df10c7b95.json`` (the default).
"""

import argparse
import json
import resource
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import emit, find_source
from benchmarks.evidence import change_of
from benchmarks.mine_tickets import History, OfflineWorkspace, environment
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Ticket
from karkhana.ports import GateContext
from karkhana.quality.gates import default_gates
from karkhana.quality.gates.selection import rules, select
from karkhana.quality.verify import check
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.testing import run_tests

_TICKET = "develop/pallets+jinja-051df10c7b95.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--tickets", type=Path, required=True)
    parser.add_argument("--ticket", default=_TICKET)
    parser.add_argument("--suite", default="tests", help="what pytest is given")
    parser.add_argument("--environments", type=Path, help="folder with environments/OWNER+NAME; made when missing")
    parser.add_argument("--efforts", nargs="*", choices=("brief", "usual", "thorough"), default=["brief", "usual"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ticket = json.loads((options.tickets / options.ticket).read_text())
    emit("Gate cost", figures_of(ticket, options), as_json=options.json)


def figures_of(ticket: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    library = ticket["library"]
    source = find_source(options.dataset.resolve(), library)
    assert source is not None, f"no repository of {library} in {options.dataset}"
    python = str(environment(library, options.environments or options.dataset))
    history = History(source, library)
    command = ("python", "-m", "pytest", "-q", *options.suite.split())
    before_files, after_files = history.broken(ticket), history.repaired(ticket)
    with OfflineWorkspace(before_files, python=python) as before, OfflineWorkspace(after_files, python=python) as after:
        baseline, plain_s = _timed(before, command)
        result, again_s = _timed(after, command)
        change, contents = change_of(before_files, after_files, ticket["ticket"])
        context = GateContext(
            change=change,
            ticket=Ticket(text=ticket["ticket"]),
            contents=contents,
            before=before,
            after=after,
            test_command=command,
            baseline=baseline,
            result=result,
        )
        costs: dict[str, dict[str, float]] = {}
        told: dict[str, str] = {}
        # Dear gates last, so that what they share with the others is paid for by those.
        for gate in sorted(default_gates(), key=lambda g: g.name in rules().dear):
            for effort in options.efforts if gate.name in rules().dear else ["always"]:
                chosen = gate if effort == "always" else select([gate], risk=None, effort=effort)[0]
                began = _cpu_s()
                found = check(chosen, context)
                spent = costs.setdefault(effort, {})[gate.name] = round(_cpu_s() - began, 2)
                said = told[f"{gate.name} {effort}"] = f"{found.status.value}: {found.summary}"
                print(f"{gate.name:<18} {effort:<9} {spent:>7} s  {said}", file=sys.stderr, flush=True)
    plain = min(plain_s, again_s)
    cheap = costs.pop("always")
    always = sum(cheap.values())
    dear = {effort: sum(rows.values()) for effort, rows in costs.items()}
    return {
        "library": library,
        "tests": len(result.results),
        "plain_suite_cpu_s": round(plain, 2),
        "always_on_cpu_s": round(always, 2),
        "always_on_times": round(always / plain, 2),
        **{f"with_{effort}_times": round((always + spent) / plain, 2) for effort, spent in dear.items()},
        "by_gate": {"always": cheap, **costs},
        "said": told,
    }


def _timed(workspace: TemporaryWorkspace, command: tuple[str, ...]) -> tuple[TestReport, float]:
    began = _cpu_s()
    report = run_tests(workspace, command, timeout_s=3600.0)
    return report, _cpu_s() - began


def _cpu_s() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


if __name__ == "__main__":
    main()
