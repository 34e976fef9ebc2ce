"""The hands and the trail of an engineer without the line around them: for benchmarks and trying engineers out.

Real workspace, real toolbox, real hash-chained trail, in a home that is thrown away.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Budget, Order, Ticket
from karkhana.factory.configuration import load_settings
from karkhana.factory.sandboxes import workspaces_for
from karkhana.factory.stores import open_stores
from karkhana.git import Repository
from karkhana.ports import Assignment, Tools, Trail
from karkhana.workspace.testing import run_tests
from karkhana.workspace.toolbox import Toolbox


@contextmanager
def rehearse(
    repository: Path,
    ticket: Ticket,
    budget: Budget,
    *,
    test_command: tuple[str, ...] = (),
    home: Path | None = None,
    sandbox: str = "bubblewrap",
) -> Iterator[tuple[Assignment, Tools, Trail]]:
    """A workspace on HEAD of ``repository`` with the suite's baseline when ``test_command`` is given."""
    with tempfile.TemporaryDirectory(prefix="karkhana-rehearsal-") as folder:
        settings = msgspec.structs.replace(load_settings({}), home=home or Path(folder), database_url=None)
        source = Repository.open(repository)
        order = Order(ticket=ticket, repository=str(source.root), commit=source.head(), budget=budget)
        with open_stores(settings) as stores:
            task = stores.tasks.add(order)
            claim = stores.runs.create(task.task_id, "rehearsal", lease_s=3600)
            trail = stores.events.trail(claim.run_id, claim.epoch)
            with workspaces_for(settings, sandbox).open(order.repository, order.commit, record=trail) as workspace:
                baseline = run_tests(workspace, test_command) if test_command else _no_baseline()
                assignment = Assignment(
                    ticket=ticket,
                    baseline=baseline,
                    budget=budget,
                    root=workspace.root,
                    test_command=test_command,
                )
                yield assignment, Toolbox(workspace, trail, budget=budget, test_command=test_command), trail


def _no_baseline() -> TestReport:
    return TestReport(command=(), exit_code=0, results=(), duration_s=0.0)
