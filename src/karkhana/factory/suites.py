"""Whether a repository's suite can be used to judge a change to it."""

from karkhana.domain.errors import SuiteUnusable
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Order
from karkhana.factory.faults import environment_fault
from karkhana.git import Repository
from karkhana.workspace.testing import require_usable


def require_judge(report: TestReport, order: Order) -> None:
    """Raises ``SuiteUnusable`` when the suite says nothing about the code, with the step that helps."""
    fault = environment_fault(report, own_modules(order))
    if fault is not None:
        raise SuiteUnusable(f"no test can run: {fault.found}", fault.next)
    require_usable(report)


def own_modules(order: Order) -> set[str]:
    """Names of the modules and packages that the base commit holds."""
    paths = Repository.open(order.repository).files(order.commit)
    return {part.removesuffix(".py") for path in paths if path.endswith(".py") for part in path.split("/")}
