from collections.abc import Iterator
from pathlib import Path

import pytest

from karkhana.domain.changes import EXECUTABLE, REGULAR, SYMLINK
from karkhana.domain.errors import ToolRefused
from karkhana.workspace.memory import TemporaryWorkspace


@pytest.fixture
def workspace() -> Iterator[TemporaryWorkspace]:
    with TemporaryWorkspace({"a.txt": "a\n", "sub/b.txt": b"\xff"}, output_bytes=1000) as opened:
        yield opened


def test_files_are_read_and_written(workspace: TemporaryWorkspace) -> None:
    assert workspace.read("sub/b.txt") == b"\xff"
    assert workspace.read("none") is None
    assert workspace.read("a.txt/none") is None
    workspace.write("new/c.txt", b"c", executable=True)
    workspace.write("a.txt", None)
    states = [
        (c.path, c.before and c.before.mode, c.after and c.after.mode, old, new) for c, old, new in workspace.changes()
    ]
    assert states == [("a.txt", REGULAR, None, b"a\n", None), ("new/c.txt", None, EXECUTABLE, None, b"c")]


def test_a_file_that_is_as_before_is_no_change(workspace: TemporaryWorkspace) -> None:
    workspace.write("a.txt", b"b")
    workspace.write("a.txt", b"a\n")
    assert workspace.changes() == ()


def test_links_are_changes_by_their_target(workspace: TemporaryWorkspace) -> None:
    Path(workspace.root, "link").symlink_to("/etc/passwd")
    ((change, _, content),) = workspace.changes()
    assert change.after is not None
    assert (change.after.mode, content) == (SYMLINK, b"/etc/passwd")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "", "a//b", "./a", "a\0"])
def test_paths_outside_are_refused(workspace: TemporaryWorkspace, path: str) -> None:
    with pytest.raises(ToolRefused):
        workspace.read(path)
    with pytest.raises(ToolRefused):
        workspace.write(path, b"")


def test_commands_run_with_bounds(workspace: TemporaryWorkspace) -> None:
    result = workspace.run(("sh", "-c", "cat; echo $X; head -c 5000 /dev/zero; exit 4"), stdin=b"in\n", env={"X": "y"})
    assert (result.exit_code, result.stdout[:5], len(result.stdout), result.truncated) == (4, b"in\ny\n", 1000, True)
    assert workspace.run(("no-such-program",)).exit_code == 127
    assert workspace.run(("sh", "-c", "kill -9 $$")).exit_code == 137
    late = workspace.run(("sleep", "30"), timeout_s=0.2)
    assert late.timed_out


def test_what_a_command_leaves_running_is_killed(workspace: TemporaryWorkspace) -> None:
    workspace.run(("sh", "-c", "(sleep 1; touch late) >/dev/null 2>&1 &"))
    workspace.run(("sleep", "1.3"))
    assert workspace.read("late") is None


def test_the_folder_is_gone_afterwards() -> None:
    with TemporaryWorkspace({"a": "b"}) as workspace:
        root = workspace.root
    assert not Path(root).exists()
