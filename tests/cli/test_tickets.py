"""``karkhana tickets`` on a repository with nothing but files."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from karkhana.cli.commands.tickets import app
from karkhana.domain.errors import InvalidInput, UnknownTask


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "cart.py").write_text("def total(): ...\n")
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(folder)]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*words, *step], check=True, capture_output=True)
    return str(folder)


def said(*words: str) -> str:
    return CliRunner().invoke(app, words, catch_exceptions=False).stdout


def test_a_ticket_from_its_words_to_its_criteria(shop: str) -> None:
    first = json.loads(said("add", "Discount code ignored in cart total, urgent", "--repo", shop, "--json"))
    assert (first["type"], first["priority"], first["understanding"]["missing"]) == ("bugfix", 7, "observation")
    second = said("add", "Cart total ignores discount code", "--repo", shop, "--type", "feature", "--label", "p1")
    assert f"like         {first['task_id']} Discount code ignored" in second
    assert "feature (1.00: whoever asked said so)" in second
    task = second.split()[0]
    assert f"asks for the same as {first['task_id']}" in said("duplicate", task, first["task_id"])
    assert "confirmed by" in said("show", task)
    assert "1  The code counts  (from " in said("criteria", task, "--add", "The code counts")
    listed = json.loads(said("list", "--json"))
    assert [each["task_id"] for each in listed] == [task, first["task_id"]]
    assert [each["status"] for each in listed] == ["queued", "queued"]
    assert task in said("list")


def test_what_cannot_be_is_refused(shop: str) -> None:
    task = said("add", "The cart is broken", "--repo", shop, "--no-ask").split()[0]
    for words, error in (
        (("answer", task, "It shows 3"), InvalidInput),
        (("duplicate", task, task), InvalidInput),
        (("criteria", task, "--remove", "9"), InvalidInput),
        (("show", "BUILD-2000-01-01-001"), UnknownTask),
    ):
        with pytest.raises(error):
            said(*words)
