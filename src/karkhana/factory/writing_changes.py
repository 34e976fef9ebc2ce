"""Brings a workspace on the base commit to the state after a change. Knows nothing of how the change came about."""

from karkhana.domain import changes
from karkhana.domain.changes import FileEdit
from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.factory.changes import Contents
from karkhana.ports import Workspace


def write_after(workspace: Workspace, edits: tuple[FileEdit, ...], contents: Contents) -> None:
    """Bring a workspace on the base commit to the state after the change; deletions first.

    Raises ``InfrastructureFailure`` when a link cannot be made or cleared away.
    """
    for edit in sorted(edits, key=lambda edit: edit.mode is not None):
        content = contents[edit.path][1]
        if edit.mode == changes.SYMLINK and content is not None:
            # Only a process inside may make a link; the host never touches one.
            folder, target = edit.path.rpartition("/")[0] or ".", content.decode("utf-8", "surrogateescape")
            _inside(workspace, "mkdir", "-p", "--", folder)
            _inside(workspace, "ln", "-sfn", "--", target, edit.path)
            continue
        try:
            workspace.write(edit.path, content, executable=edit.mode == changes.EXECUTABLE)
        except ToolRefused:
            # The base commit has a link there: only a process inside can clear it.
            _inside(workspace, "rm", "-f", "--", edit.path)
            workspace.write(edit.path, content, executable=edit.mode == changes.EXECUTABLE)


def _inside(workspace: Workspace, *argv: str) -> None:
    done = workspace.run(argv, timeout_s=60.0)
    if done.exit_code != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise InfrastructureFailure(f"{argv[-1]!r} cannot be brought to its state after the change: {said}")
