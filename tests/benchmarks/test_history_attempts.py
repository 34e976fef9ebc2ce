import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.history_attempts import directly, stated_probability, through_line
from benchmarks.mine_commits import commit_of
from benchmarks.mine_tickets import History, make


@pytest.fixture
def ticket(fixed: tuple[Path, str]) -> dict[str, Any]:
    git_dir, fix = fixed
    commit, history = commit_of(git_dir, fix), History(git_dir)
    assert commit is not None
    nature = history.nature(commit)
    assert not isinstance(nature, str)
    found = make(history, "shop/basket", commit, nature, Path(sys.executable))
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
def test_the_engineer_alone_repairs_a_ticket(fixed: tuple[Path, str], ticket: dict[str, Any]):
    changes, told = directly(ticket, fixed[0], Path(sys.executable), seconds=90, words="report")
    assert changes is not None, told
    assert list(changes) == ["basket.py"]
    assert told["failing_before"] == ticket["failing"]


@pytest.mark.slow
def test_the_line_repairs_a_ticket_in_the_environment_it_was_mined_with(
    fixed: tuple[Path, str], ticket: dict[str, Any], tmp_path: Path
):
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parent.parent], check=True)
    packages = next((tmp_path / "environment" / "lib").glob("python*/site-packages"))
    (packages / "marked.py").write_text("x = 1\n")
    shared = tmp_path / "shared"
    changes, told = through_line(ticket, fixed[0], python, seconds=90, words="report", shared=shared)
    assert told["failing_before"] == ticket["failing"], told
    assert told["cpu_s"] > 0
    assert changes is not None, told
    assert list(changes) == ["basket.py"]
    assert list(shared.glob("shop+basket/environments/*/venv/lib/python*/site-packages/marked.py"))


def test_the_last_stated_probability_counts():
    assert stated_probability([]) is None
    events = [{"type": "candidates.compared", "probability": p} for p in (0.2, 0.8)]
    assert stated_probability([*events, {"type": "note"}]) == 0.8
