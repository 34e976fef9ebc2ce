from collections.abc import Mapping

import pytest

from karkhana.domain.changes import REGULAR, SYMLINK, FileEdit
from karkhana.domain.errors import InfrastructureFailure
from karkhana.factory.writing_changes import write_after
from karkhana.workspace.memory import TemporaryWorkspace

After = Mapping[str, tuple[int | None, bytes | None]]


def state_after(workspace: TemporaryWorkspace, after: After) -> dict[str, tuple[int, bytes | None]]:
    edits = tuple(FileEdit(path=path, mode=mode) for path, (mode, _) in after.items())
    write_after(workspace, edits, {path: (None, content) for path, (_, content) in after.items()})
    return {file.path: (file.after.mode, new) for file, _, new in workspace.changes() if file.after is not None}


def test_links_are_made_replaced_and_deleted() -> None:
    with TemporaryWorkspace({"a.py": "a"}) as workspace:
        for name in ("gone", "file", "other"):
            workspace.run(("ln", "-s", "a.py", name))
        wanted: After = {
            "gone": (None, None),
            "file": (REGULAR, b"no link any more"),
            "other": (SYMLINK, b"newer"),
            "new/folder/link": (SYMLINK, b"../../a.py"),
            "-n": (SYMLINK, b"-s"),
        }
        assert state_after(workspace, wanted) == {path: s for path, s in wanted.items() if s[0] is not None}


def test_a_link_that_cannot_be_made_is_no_success() -> None:
    with TemporaryWorkspace({"a.py": "a"}) as workspace, pytest.raises(InfrastructureFailure, match=r"a\.py"):
        state_after(workspace, {"a.py/link": (SYMLINK, b"x")})
