import os
import stat
from pathlib import Path

from karkhana.domain.changes import EXECUTABLE, REGULAR, SYMLINK
from karkhana.workspace.base import Base, is_litter


def test_what_a_commit_holds(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"1")
    (tmp_path / "run").write_bytes(b"2")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x").write_bytes(b"")
    base = Base(tmp_path)
    assert sorted(base.files("")) == ["a/b/file", "link", "run"]
    assert list(base.files("a")) == ["a/b/file"]
    assert list(base.files("run")) == ["run"]
    assert list(base.files("link/b")) == []
    assert base.content("a/b/file") == (REGULAR, b"1")
    assert base.content("run") == (EXECUTABLE, b"2")
    assert base.content("link") == (SYMLINK, b"a")
    assert base.content("a") is None
    assert base.content("link/b/file") is None
    assert stat.S_ISDIR(base.kind("a") or 0)
    assert base.kind("run/x") is None
    base.close()
    base.close()


def test_links_are_never_followed_out(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root" / "up").symlink_to("..")
    base = Base(tmp_path / "root")
    assert base.content("up/secret") is None
    assert base.content("up") == (SYMLINK, b"..")
    base.close()


def test_litter() -> None:
    assert all(is_litter(name) for name in (".git", ".GIT", "git~1", "__pycache__", ".pytest_cache"))
    assert not any(is_litter(name) for name in (".gitignore", ".github", "pycache", os.curdir))
