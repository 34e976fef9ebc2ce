"""Makes the benchmarks importable, whatever folder pytest was started in, and a small history to mine."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.common import git
from tests_benchmarks_data import FIX, LATER, START

Commit = Callable[[str, dict[str, str]], str]


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, Commit]:
    """An empty repository, and a function that commits files to it."""
    folder = tmp_path / "shop+basket" / "repo"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")

    def commit(message: str, files: dict[str, str]) -> str:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", message)
        return git(folder, "rev-parse", "HEAD")

    return folder, commit


@pytest.fixture
def fixed(repository: tuple[Path, Commit]) -> tuple[Path, str]:
    """A history with one fix: its git directory and the fix."""
    folder, commit = repository
    commit("start", START)
    fix = commit("Fix the rebate, which was added\n\nSee https://example.org/12\n\nSigned-off-by: A <a@b.c>", FIX)
    commit("More tests", LATER)
    return folder / ".git", fix
