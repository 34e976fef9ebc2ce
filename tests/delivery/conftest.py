"""Fixtures for the tests of delivery: real repositories with and without a remote."""

from pathlib import Path

import pytest
from delivery_repositories import make_repository, run_git


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small repository without a remote."""
    return make_repository(tmp_path / "shop", {"cart.py": b"total = 1\n", "read.me": b"hello\n"})


@pytest.fixture
def origin(tmp_path: Path, shop: Path) -> Path:
    """A bare remote called origin for ``shop``, holding its main branch."""
    bare = tmp_path / "origin.git"
    run_git(tmp_path, "init", "-q", "--bare", str(bare))
    run_git(shop, "remote", "add", "origin", str(bare))
    run_git(shop, "push", "-q", "origin", "main")
    return bare
