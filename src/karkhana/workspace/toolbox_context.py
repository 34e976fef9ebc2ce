"""What the tools of one run share: the workspace, its limits, and exactly what has changed in it so far.

Knows nothing of budgets, the trail's events or who calls.
"""

import re
from collections.abc import Callable, Mapping

from karkhana.domain.changes import EXECUTABLE, SYMLINK, FileChange, FileState
from karkhana.domain.errors import ToolRefused
from karkhana.ports import ForeignTools, Workspace
from karkhana.workspace.foreseen import Foreseen
from karkhana.workspace.python_gate import PythonGate

PATH_MAX = 1_000
Row = tuple[FileChange, bytes | None, bytes | None]
"""A file that differs from the base commit, with its bytes before and after."""


class ToolContext:
    """Handed to every tool."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        test_command: tuple[str, ...],
        gate: PythonGate,
        remaining_s: Callable[[], float],
        foreign: ForeignTools | None = None,
    ) -> None:
        self.workspace = workspace
        self.test_command = test_command
        self.gate = gate
        self.remaining_s = remaining_s
        self.foreign = foreign
        self.handed_over = False
        self.foreseen = Foreseen(workspace)

    def time_limit(self, wanted: float | None) -> float | None:
        """The shorter of what was asked for and what is left of the budget; seconds."""
        if wanted is not None and not 0 < wanted < 1e6:
            raise ToolRefused(f"a time limit of {wanted} s makes no sense", "use a positive number of seconds")
        left = max(self.remaining_s(), 0.1)
        if wanted is not None:
            return min(wanted, left)
        return left if left < 1e6 else None


class ChangeTracker:
    """Finds what a call changed, by comparing with what the last one left.

    ``keep`` stores the bytes of every version, so that the run can be replayed.
    """

    def __init__(self, workspace: Workspace, keep: Callable[[bytes], str]) -> None:
        self._workspace = workspace
        self._keep = keep
        self._known: Mapping[str, Row] = {}

    def changed(self) -> tuple[FileChange, ...]:
        """Each file that changed since the last question: before and after."""
        rows = self._workspace.changes()
        if not rows and not self._known:
            return ()
        known, current = self._known, {row[0].path: row for row in rows}
        self._known = current
        found = []
        for path in sorted(current.keys() | known.keys()):
            old, new = known.get(path), current.get(path)
            (was, was_bytes), (now, now_bytes) = _before(old, new), _after(old, new)
            if was == now:
                continue
            for content in (was_bytes, now_bytes):
                if content is not None:
                    self._keep(content)
            found.append(FileChange(path, was, now))
        return tuple(found)

    def undo(self) -> int:
        """Put back every file that changed since the last question; how many there were."""
        known, current = self._known, {row[0].path: row for row in self._workspace.changes()}
        undone = 0
        # deletions first: a folder may stand where a file belongs
        for path in sorted(
            current.keys() | known.keys(), key=lambda p: _before(known.get(p), current.get(p))[0] is not None
        ):
            old, new = known.get(path), current.get(path)
            state, content = _before(old, new)
            if state != _after(old, new)[0]:
                self.restore(path, state, content)
                undone += 1
        return undone

    def restore(self, path: str, state: FileState | None, content: bytes | None) -> None:
        """Make one file what it was at another time."""
        if state is not None and state.mode == SYMLINK:
            # only a process inside may make a link; the host never follows one
            target = (content or b"").decode("utf-8", "surrogateescape")
            self._workspace.run(("ln", "-sfn", "--", target, path), timeout_s=30)
            return
        try:
            self._workspace.write(path, content, executable=state is not None and state.mode == EXECUTABLE)
        except ToolRefused:
            # a link or a folder stands in the way: only a process inside can clear it
            self._workspace.run(("rm", "-rf", "--", path), timeout_s=60)
            self._workspace.write(path, content, executable=state is not None and state.mode == EXECUTABLE)


def _before(old: Row | None, new: Row | None) -> tuple[FileState | None, bytes | None]:
    if old is not None:
        return old[0].after, old[2]
    return (new[0].before, new[1]) if new is not None else (None, None)


def _after(old: Row | None, new: Row | None) -> tuple[FileState | None, bytes | None]:
    if new is not None:
        return new[0].after, new[2]
    return (old[0].before, old[1]) if old is not None else (None, None)


def checked_path(path: str) -> str:
    """``path`` when it can name a file of the repository. Raises ``ToolRefused``."""
    parts = path.removeprefix("./").split("/")
    if not path or len(path) > PATH_MAX or path.startswith("/") or re.search(r"[\0\n\r]", path):
        raise ToolRefused(f"{path[:100]!r} is no path in the repository", "use a path relative to its root, with /")
    if any(part in ("", ".", "..") for part in parts):
        raise ToolRefused(f"{path[:100]!r} is no plain path", "leave out empty parts, . and ..")
    if any(part.lower() == ".git" for part in parts):
        raise ToolRefused(f"{path} belongs to git", "git's own folder is not part of the workspace")
    return "/".join(parts)
