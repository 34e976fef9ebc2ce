import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.workspace.files import Tree, checked, open_beneath, open_folder, read_link, refusal


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield Tree(descriptor, file_bytes=1 << 16)
    os.close(descriptor)


def test_a_file_is_written_with_its_folders_and_read_back(tree: Tree, tmp_path: Path) -> None:
    tree.write("a/b/c.txt", b"content")
    assert tree.read("a/b/c.txt") == b"content"
    assert stat.S_IMODE((tmp_path / "a/b/c.txt").stat().st_mode) == 0o644
    assert [p.name for p in (tmp_path / "a/b").iterdir()] == ["c.txt"]


def test_what_is_not_there_reads_as_none(tree: Tree) -> None:
    tree.write("file", b"")
    assert tree.read("nothing") is None
    assert tree.read("no/folder") is None
    assert tree.read("file/below") is None


def test_replacing_keeps_the_mode(tree: Tree, tmp_path: Path) -> None:
    tree.write("run.sh", b"1", executable=True)
    assert stat.S_IMODE((tmp_path / "run.sh").stat().st_mode) == 0o755
    tree.write("run.sh", b"2")
    assert stat.S_IMODE((tmp_path / "run.sh").stat().st_mode) == 0o755
    (tmp_path / "plain").write_bytes(b"")
    (tmp_path / "plain").chmod(0o640)
    tree.write("plain", b"2", executable=True)
    assert stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o751


def test_replacing_is_a_new_file_so_no_reader_sees_half(tree: Tree, tmp_path: Path) -> None:
    tree.write("x", b"old")
    with (tmp_path / "x").open("rb") as reader:
        tree.write("x", b"new content")
        assert reader.read() == b"old"


def test_deleting(tree: Tree, tmp_path: Path) -> None:
    tree.write("a/x", b"1")
    tree.write("a/x", None)
    tree.write("a/x", None)
    tree.write("never/was", None)
    assert list((tmp_path / "a").iterdir()) == []
    assert not (tmp_path / "never").exists()


def test_folders_and_links_are_not_written_over(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("target")
    for path in ("folder", "link"):
        for content in (b"x", None):
            with pytest.raises(ToolRefused):
                tree.write(path, content)
    assert (tmp_path / "link").is_symlink()


def test_a_file_in_the_place_of_a_folder_is_refused(tree: Tree) -> None:
    tree.write("a", b"")
    with pytest.raises(ToolRefused, match="a/b"):
        tree.write("a/b", b"x")


def test_sizes_are_bounded(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(ToolRefused, match="larger"):
        tree.write("x", b"x" * ((1 << 16) + 1))
    (tmp_path / "big").write_bytes(b"x" * ((1 << 16) + 1))
    with pytest.raises(ToolRefused, match="larger"):
        tree.read("big")


def test_a_failed_write_leaves_nothing(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(ToolRefused):
        tree.write("x" * 300, b"content")
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_utf8(tree: Tree) -> None:
    tree.write("caf\udce9.txt", b"latin")
    assert tree.read("caf\udce9.txt") == b"latin"


@pytest.mark.parametrize("path", ["", "/", "/x", "x/", "..", "a/../b", ".git", "a/.Git/b", "GIT~1/x", "a\0", "a\ud800"])
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(ToolRefused):
        checked(path)


@pytest.mark.parametrize("path", [".gitignore", ".github/x", "a/.gitattributes", "...", "a b", "git"])
def test_paths_that_are_not(path: str) -> None:
    assert checked(path) == path.encode()


def test_the_kernel_resolves_beneath_only(tmp_path: Path) -> None:
    (tmp_path / "root/in").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root/up").symlink_to("..")
    root = os.open(tmp_path / "root", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for path in (b"../secret", b"in/../../secret", b"up/secret", bytes(tmp_path / "secret")):
            with pytest.raises(OSError, match=r"."):
                open_beneath(root, path, os.O_RDONLY)
        os.close(open_beneath(root, b"in", os.O_PATH))
        os.close(open_folder(root, ""))
        assert read_link(root, "up") == b".."
    finally:
        os.close(root)


def test_errors_say_what_they_mean() -> None:
    assert isinstance(refusal("x", OSError(40, "loop")), ToolRefused)
    assert isinstance(refusal("x", OSError(28, "space")), ToolRefused)
    assert isinstance(refusal("x", OSError(5, "input/output")), InfrastructureFailure)
