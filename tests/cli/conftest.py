"""The command line as a user has it: a process of its own, a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from homes import ready_home

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")

SHOP = {
    "shop/__init__.py": "",
    "shop/prices.py": (
        "def total(prices, discount=0):\n"
        '    """Sum of all prices, less ``discount`` percent."""\n'
        "    whole = 0\n"
        "    for price in prices:\n"
        "        whole += price\n"
        "    return whole + whole * discount // 100\n"
    ),
    "tests/test_prices.py": (
        "from shop.prices import total\n\n\n"
        "def test_sum():\n    assert total([1, 2, 3]) == 6\n\n\n"
        "def test_empty():\n    assert total([]) == 0\n\n\n"
        "def test_discount():\n    assert total([100, 100], 10) == 180\n\n\n"
        "def test_large_discount():\n    assert total([400], 25) == 300\n"
    ),
    "conftest.py": "",
}

TICKET = "total() adds the discount instead of taking it off"


class Karkhana:
    """Calls ``karkhana`` with a home of its own."""

    def __init__(self, home: Path, tmp: Path) -> None:
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp),
            "KARKHANA_HOME": str(home),
            "TMPDIR": str(tmp),
            "LANG": "C.UTF-8",
            # Runs that are about the dear gates ask for all of them.
            "KARKHANA_GATES_SKIP": "mutation,differential,performance,second_opinion,traffic,api_fuzz",
        }

    def __call__(
        self, *words: str | Path, stdin: str = "", env: Mapping[str, str] | None = None, timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).parent / "karkhana", *words]
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env={**self.environment, **(env or {})},
            timeout=timeout,
            check=False,
        )

    def json(self, *words: str | Path, **options: Any) -> tuple[int, Any]:
        """Exit code and the one object on stdout."""
        done = self(*words, "--json", **options)
        assert done.stdout.strip(), done.stderr
        return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def karkhana(tmp_path: Path) -> Karkhana:
    (tmp_path / "tmp").mkdir()
    return Karkhana(ready_home(tmp_path / "home"), tmp_path / "tmp")


Repository = Callable[..., Path]


def git(folder: Path, *words: str) -> str:
    return subprocess.run([*GIT, "-C", folder, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    def make(files: Mapping[str, str | bytes] = SHOP, name: str = "repository") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "start")
        return folder

    return make
