"""What the rules of the self-review say of a change that is not handed over yet, so that its author can still mend it.

Knows nothing of who the author is.

>>> # checks(job, plan, workspace)() -> (Finding(rule='weakened-test', …),)
"""

from collections.abc import Callable

from karkhana.domain.changes import Change
from karkhana.domain.evidence import Finding, Severity
from karkhana.factory.changes import patch_of
from karkhana.factory.job import Job
from karkhana.factory.records import Plan
from karkhana.ports import Workspace
from karkhana.quality.review import review


def checks(job: Job, plan: Plan, workspace: Workspace) -> Callable[[], tuple[Finding, ...]]:
    """A function of the workspace as it stands: what is found in its difference from the base, notes left out."""

    def look() -> tuple[Finding, ...]:
        rows = workspace.changes()
        change = Change(
            base=job.order.commit,
            files=tuple(file for file, _, _ in rows),
            patch=patch_of(rows),
            summary="",
            engineer="",
        )
        contents = {file.path: (before, after) for file, before, after in rows}
        found = review(change, contents, job.order.ticket, plan.baseline)
        return tuple(each for each in found if each.severity is not Severity.INFO)

    return look
