"""An engineer that works through a recording of another agent, by our tools.

Edits by line number become content-anchored ones, with as many lines around as make them unique. A step that is
refused or cannot be understood is passed over and remembered.

>>> anchored("a.py", "x\\ny\\n", "x\\nz\\n")
EditFile(path='a.py', old='y\\n', new='z\\n')
"""

from typing import Any

from karkhana.domain.errors import ToolRefused
from karkhana.domain.tools import EditFile, PushChanges, ReadFile, RunCommand, ToolCall, WriteFile
from karkhana.engineers.recorded.recording import Change, Look, Put, Recording, Shell, Step, Submit, Unreadable
from karkhana.ports import Assignment, Handover, Tools, Trail

_WINDOW = 2_000
"""Lines that are read at once."""
_COMMAND_S = 20.0
"""Seconds of one recorded command: servers and endless loops were ended by hand."""


class RecordedEngineer:
    """Implements ``karkhana.ports.Engineer``."""

    name = "recorded"

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.refused: list[str] = []
        """What was passed over, with the reason."""
        self.forced: list[str] = []
        """Edits that our edit tools refuse because they break the file, and that a command made instead."""

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        """Solved when the recording submitted a change and it was taken. Raises ``BudgetExhausted``."""
        pushed: PushChanges | None = None
        for step in self._recording.steps:
            try:
                if isinstance(step, Change):
                    self._change(step, tools)
                    continue
                call = self._call(step, assignment)
                tools.call(call)
            except (ToolRefused, Unreadable) as refusal:
                self.refused.append(f"{type(step).__name__}: {refusal}"[:500])
            else:
                pushed = call if isinstance(call, PushChanges) else pushed
        if pushed is None:
            return Handover(solved=False, reason="the recording ends without a change", tried=tuple(self.refused))
        return Handover(solved=True, reason="the recording was carried out", title=pushed.title, summary=pushed.summary)

    def _change(self, step: Change, tools: Tools) -> None:
        before = "" if isinstance(step, Put) else whole(tools, step.path)
        after = step.applied(before)
        call = WriteFile(path=step.path, content=after) if isinstance(step, Put) else anchored(step.path, before, after)
        if call is None:
            return
        try:
            tools.call(call)
        except ToolRefused as refusal:
            # Recorders had no such check, or a weaker one: their edit stands, as a program's would.
            write = ("sh", "-c", 'cat > "$1"', "replay", step.path)
            tools.call(RunCommand(argv=write, stdin=after.encode(), timeout_s=_COMMAND_S))
            self.forced.append(f"{step.path}: {refusal}"[:500])

    def _call(self, step: Step, assignment: Assignment) -> ToolCall[Any]:
        match step:
            case Look():
                return step.call
            case Shell():
                return _command(step, assignment.root)
            case Submit():
                title = f"Replay {self._recording.name}"[:200]
                return PushChanges(title=title, summary=f"As {self._recording.format} recorded it.")
        raise Unreadable(f"there is no way to carry out {type(step).__name__}")


def whole(tools: Tools, path: str) -> str:
    """The text of a file. Raises ``ToolRefused``, and :class:`Unreadable` for a line that is too long to be read."""
    parts, line, total = [], 1, 1
    while line <= total:
        found = tools.call(ReadFile(path=path, start=line, end=line + _WINDOW - 1))
        if found.truncated:
            raise Unreadable(f"{path} has lines that are too long")
        parts.append(found.text)
        line, total = line + _WINDOW, found.total_lines
    return "".join(parts)


def anchored(path: str, before: str, after: str) -> EditFile | WriteFile | None:
    """An edit that turns one text into the other; ``None`` when they are the same."""
    if before == after:
        return None
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    shortest = min(len(old), len(new))
    head = next((at for at in range(shortest) if old[at] != new[at]), shortest)
    rest = shortest - head
    tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    while True:
        piece = "".join(old[head : len(old) - tail])
        if piece and before.find(piece) == before.rfind(piece):
            return EditFile(path=path, old=piece, new="".join(new[head : len(new) - tail]))
        if not head and not tail:
            return WriteFile(path=path, content=after)
        head, tail = max(head - 1, 0), max(tail - 1, 0)


def _command(step: Shell, root: str) -> RunCommand:
    folder = f"{root}/{step.folder}".rstrip("/")
    script = 'cd "$1" || exit; eval "$2"'
    return RunCommand(argv=("bash", "-c", script, "replay", folder, step.command), timeout_s=_COMMAND_S)
