"""Repairs of a real history, by kind, and what is kept of them."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from karkhana.git import Repository
from karkhana.quality.history.reading import read_history
from karkhana.quality.risk.repairs import Repair, past_repairs

REPAIRS = (
    ("Fix race between two threads", "cart.py", "import threading\nlock = threading.Lock()\n"),
    ("Rework the cart", "cart.py", "lock = None\n"),
    ("Fix off-by-one in the pages", "page.py", "last = total - 1\n"),
    ("Fix wrong time zone", "tests/test_page.py", "when = 1\n"),
)


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    folder = tmp_path / "shop"
    (folder / "tests").mkdir(parents=True)
    who = {f"GIT_{role}_{key}": "t@localhost" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}

    def git(*words: str) -> None:
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | who
        subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env=env)

    git("init", "--quiet")
    for message, path, text in REPAIRS:
        (folder / path).write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "--message", message)
    return Repository.open(folder)


def test_repairs_are_divided_by_kind_and_file(source: Repository) -> None:
    past = past_repairs(source, read_history(source, "HEAD"))
    assert dict(past.kinds) == {"concurrency": 1, "boundary": 1, "time": 1}
    assert {path: set(kinds) for path, kinds in past.files.items()} == {
        "cart.py": {"concurrency"},
        "page.py": {"boundary"},
    }


def test_only_the_newest_count(source: Repository) -> None:
    assert set(past_repairs(source, read_history(source, "HEAD"), newest=2).kinds) == {"boundary", "time"}


def test_what_was_kept_is_not_read_again(source: Repository, tmp_path: Path) -> None:
    commits = read_history(source, "HEAD")
    first = past_repairs(source, commits, tmp_path / "kept")
    (journal,) = (tmp_path / "kept").glob("repairs-*.ndjson")
    rows = [msgspec.json.decode(line, type=Repair) for line in journal.read_bytes().split(b"\n") if line]
    changed = [msgspec.structs.replace(row, kinds=("security",)) for row in rows]
    journal.write_bytes(b"\n".join(msgspec.json.encode(row) for row in changed))
    again = past_repairs(source, commits, tmp_path / "kept")
    assert (len(rows), dict(first.kinds), dict(again.kinds)) == (3, first.kinds, {"security": 3})
