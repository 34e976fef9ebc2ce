from pathlib import Path

import pytest
from abuse_support import SMALL, ListTrail

from karkhana import ports
from karkhana.domain.errors import NotARepository, UsageError
from karkhana.workspace.local import LocalWorkspace, LocalWorkspaces


def opened(workspaces: ports.Workspaces) -> ports.Workspaces:
    """The type checker and this call agree that it is one."""
    return workspaces


@pytest.mark.parametrize("kind", ["bubblewrap", "none"])
def test_a_workspace_is_the_commit_not_the_tree(home: Path, repository: tuple[Path, str], kind: str) -> None:
    place, commit = repository
    (place / "cart.py").write_text("dirty\n")
    try:
        spaces = opened(LocalWorkspaces(home, SMALL, kind=kind))
        with spaces.open(str(place), commit, record=ListTrail()) as workspace:
            assert (workspace.read("cart.py") or b"").startswith(b"def total")
            workspace.write("cart.py", b"changed\n")
            assert workspace.run(("cat", "cart.py")).stdout == b"changed\n"
            assert workspace.run(("./run.sh",)).stdout == b"hello\n"
            assert workspace.run(("pwd",)).stdout.decode().strip() == workspace.root
        assert (place / "cart.py").read_text() == "dirty\n"
    finally:
        (place / "cart.py").write_text("def total(items):\n    return sum(items)\n")


def test_two_workspaces_do_not_share_changes(home: Path, repository: tuple[Path, str]) -> None:
    spaces = LocalWorkspaces(home, SMALL)
    with (
        spaces.open(str(repository[0]), repository[1], record=ListTrail()) as one,
        spaces.open(str(repository[0]), repository[1], record=ListTrail()) as two,
    ):
        one.write("cart.py", b"one")
        assert (two.read("cart.py") or b"").startswith(b"def total")
        assert two.changes() == ()
        assert two.run(("grep", "-c", "one", "cart.py")).stdout == b"0\n"


def test_our_programs_are_there(shared: LocalWorkspace) -> None:
    listed = shared.run(("ls", "/opt/karkhana/probes", "/opt/karkhana/inside")).stdout.decode()
    assert "run.py" in listed
    assert "find.py" in listed


def test_python_finds_the_sources(shared: LocalWorkspace) -> None:
    paths = shared.run(("sh", "-c", "echo $PYTHONPATH")).stdout.decode().strip().split(":")
    assert paths == ["/workspace/src", "/workspace", "/opt/karkhana/inside"]


def test_bad_requests(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="chroot"):
        LocalWorkspaces(home, kind="chroot")
    with pytest.raises(NotARepository), LocalWorkspaces(home).open(str(tmp_path), "0" * 40, record=ListTrail()):
        pass


def test_closing_leaves_nothing_in_the_home(home: Path, repository: tuple[Path, str]) -> None:
    for kind in ("bubblewrap", "none"):
        with LocalWorkspaces(home, SMALL, kind=kind).open(str(repository[0]), repository[1], record=ListTrail()) as w:
            w.run(("sh", "-c", "echo x > y"))
        assert list((home / "tmp").iterdir()) == []
        assert list((home / "staging").iterdir()) == []
