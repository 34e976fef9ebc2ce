"""Carries out searches together that were announced one after the other: one program, one process for each.

Most of a search's time is that of starting its program and going through the folders. Each search keeps its own answer
and its own refusal; one that cannot be answered with the others is asked alone. Knows nothing of who asks.

>>> # foreseen = Foreseen(workspace); foreseen.announce([job, other]); foreseen.ask(job); foreseen.ask(other)
"""

import json
from collections.abc import Sequence

from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.domain.json import canonical
from karkhana.ports import Workspace
from karkhana.workspace.finding import Answer, Job, ask, run

MOST = 8
"""Searches at the same time; the sandbox bounds its processes."""


class Foreseen:
    """Of one workspace. For one thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._announced: dict[bytes, Job] = {}
        self._answers: dict[bytes, Answer] = {}

    def announce(self, jobs: Sequence[Job]) -> None:
        """These will be asked for before anything changes in the workspace."""
        self.forget()
        if len(jobs) > 1:
            self._announced = {canonical(job): job for job in jobs[:MOST]}

    def forget(self) -> None:
        """The workspace may be another now."""
        self._announced, self._answers = {}, {}

    def ask(self, job: Job) -> Answer:
        """As :func:`karkhana.workspace.finding.ask`."""
        if not self._announced and not self._answers:
            return ask(self._workspace, job)
        name = canonical(job)
        if name in self._announced:
            jobs, self._announced = self._announced, {}
            self._answers = self._together(jobs)
        found = self._answers.pop(name, None)
        return ask(self._workspace, job) if found is None else found

    def _together(self, jobs: dict[bytes, Job]) -> dict[bytes, Answer]:
        try:
            answers = json.loads(run(self._workspace, list(jobs.values())))
        except (ToolRefused, InfrastructureFailure, ValueError):
            # whose fault it is shows when each is asked alone, and a sandbox that is gone says so again
            return {}
        if not isinstance(answers, list) or len(answers) != len(jobs):
            return {}
        return {name: answer for name, answer in zip(jobs, answers, strict=True) if isinstance(answer, dict)}
