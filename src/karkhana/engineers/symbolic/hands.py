"""What the engineer's parts share: the tools, the trail, the clock and the files read so far. Decides nothing."""

import time

from karkhana.behaviour.running import Run
from karkhana.domain.errors import ToolRefused
from karkhana.domain.events import AnyEvent, Noted
from karkhana.domain.tools import CommandResult, ReadFile, RunCommand
from karkhana.ports import Assignment, Tools, Trail


class Abstention(Exception):
    """There is nothing that the engineer would put its name to."""

    def __init__(self, reason: str, question: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.question = question


class NothingPasses(Abstention):
    """No change was found that turns the target tests green."""


class Hands:
    """One assignment's tools and trail, within its time."""

    def __init__(self, assignment: Assignment, tools: Tools, trail: Trail) -> None:
        self.assignment = assignment
        self.tools = tools
        self._trail = trail
        self._deadline = time.monotonic() + assignment.budget.seconds
        self._texts: dict[str, str] = {}

    def left(self) -> float:
        """Wall-clock seconds left of the budget."""
        return self._deadline - time.monotonic()

    @property
    def run(self) -> Run:
        """Runs a program in the sandbox; what it changes in the workspace is undone."""

        def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
            limit = max(1.0, self.left())
            return self.tools.call(
                RunCommand(argv=argv, stdin=stdin, timeout_s=min(limit, timeout_s or limit), discard=True)
            )

        return run

    def text(self, path: str) -> str | None:
        """A file's text, read once; ``None`` (and a note) when it cannot be worked on."""
        if path not in self._texts:
            try:
                read = self.tools.call(ReadFile(path=path))
            except ToolRefused as refusal:
                self.note(f"{path} was not read: {refusal.message}")
                return None
            if read.truncated:
                self.note(f"{path} is too large to work on")
                return None
            self._texts[path] = read.text
        return self._texts[path]

    def record(self, event: AnyEvent) -> None:
        self._trail.record(event)

    def note(self, text: str) -> None:
        self._trail.record(Noted(text=text))
