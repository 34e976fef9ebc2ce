import shutil
from pathlib import Path

import pytest

from karkhana.workspace.ignored import IgnoreRules


@pytest.fixture
def rules(tmp_path: Path) -> IgnoreRules:
    checkout = tmp_path / "checkout"
    (checkout / "sub" / "deeper").mkdir(parents=True)
    (checkout / ".gitignore").write_text("build/\n*.log\n!keep.log\n/top\n")
    (checkout / "sub" / ".gitignore").write_text("local\n!*.log\n")
    (checkout / "folder-link").symlink_to("sub")
    return IgnoreRules(tmp_path / "home", checkout)


@pytest.mark.parametrize(
    "path", ["build/", "build/x", "a/build/", "a/build/b/c", "x.log", "a/x.log", "top", "sub/local", "sub/deeper/local"]
)
def test_ignored(rules: IgnoreRules, path: str) -> None:
    assert rules.of([path]) == {path}


@pytest.mark.parametrize(
    "path", ["build", "keep.log", "a/top", "local", "sub/x.log", "odd\nname", "caf\udce9", "-x", ":(odd)x"]
)
def test_not_ignored(rules: IgnoreRules, path: str) -> None:
    assert rules.of([path]) == frozenset()


def test_one_path_that_git_cannot_place_does_not_spoil_the_others(rules: IgnoreRules) -> None:
    paths = ["a.log", "folder-link/x", "b.txt", "build/y"]
    assert rules.of(paths) == {"a.log", "build/y"}


def test_many_paths_that_git_refuses_cost_no_process_each(tmp_path: Path, rules: IgnoreRules) -> None:
    links = [f"folder-link/{place}{number}" for place in ("", "deeper/") for number in range(2_000)]
    odd = [f":(odd){number}.log" for number in range(2_000)]
    starts = tmp_path / "starts"
    folder = tmp_path / "bin"
    folder.mkdir()
    git = folder / "git"
    git.write_text(f'#!/bin/sh\necho >> "{starts}"\nexec "{shutil.which("git")}" "$@"\n')
    git.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(folder), prepend=":")
        assert rules.of([*links, *odd]) == set(odd)
    assert starts.read_text() == "\n"


def test_answers_are_remembered(rules: IgnoreRules, tmp_path: Path) -> None:
    assert rules.of(["x.log"]) == {"x.log"}
    (tmp_path / "checkout" / ".gitignore").unlink()
    assert rules.of(["x.log"]) == {"x.log"}


def test_rules_of_the_user_do_not_count(rules: IgnoreRules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "ignore").write_text("*\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rules.of(["cart.py"]) == frozenset()
