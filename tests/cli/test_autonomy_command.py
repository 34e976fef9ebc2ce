"""``karkhana autonomy`` without outcomes: what holds, what a person grants, an empty month; and who may approve."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from karkhana.cli.commands import autonomy
from karkhana.domain import events as ev
from karkhana.domain.errors import InvalidInput
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.approvals import answer
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import open_stores


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "karkhana.toml").write_text("[policy]\nfour_eyes = true\nautonomy_limit = 'human_out_of_the_loop'\n")
    for words in (["init", "--initial-branch", "main"], ["add", "--all"], ["commit", "--message", "start"]):
        named = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@localhost"]
        subprocess.run([*named, *words], check=True, capture_output=True)
    return folder


def told(*words: str) -> str:
    result = CliRunner().invoke(autonomy.app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_a_fresh_repository_waits_for_persons_and_says_why(repository: Path) -> None:
    found = json.loads(told("show", "--repo", str(repository), "--json"))
    assert {each["level"] for each in found["levels"]} == {"human_in_the_loop"}
    assert found["levels"][0]["guarantee"]["deploy_above"] is None
    text = told("show", "--repo", str(repository), "--type", "deps")
    assert text.startswith("deps")
    assert "abstains" in text


def test_a_person_grants_a_level_within_the_limit(repository: Path) -> None:
    words = ["--repo", str(repository), "--type", "tests", "--because", "only tests", "--by", "asha"]
    assert json.loads(told("set", "human_on_the_loop", *words, "--json"))["level"] == "human_on_the_loop"
    history = told("show", "--repo", str(repository), "--type", "tests", "--history")
    assert "human_in_the_loop -> human_on_the_loop" in history
    assert "only tests" in history
    # A repository cannot raise the limit of whoever runs the factory.
    with pytest.raises(InvalidInput, match="no more than"):
        told("set", "human_out_of_the_loop", *words)
    with open_stores() as stores:
        (entry,) = stores.audit.entries()
    assert (entry.action, entry.target, entry.via) == ("autonomy.set", str(repository), "terminal")
    assert entry.details == {"because": "only tests", "by": "asha", "level": "human_on_the_loop", "type": "tests"}


def test_the_report_of_a_month(repository: Path) -> None:
    assert "2026-02: 0 outcomes became known" in told("report", "--repo", str(repository), "--month", "2026-02")
    found = json.loads(told("report", "--repo", str(repository), "--month", "2026-02", "--months", "3", "--json"))
    assert [each["month"] for each in found["months"]] == ["2025-12", "2026-01", "2026-02"]
    assert found["months"][0]["whole"]["deploy_above"] is None
    with pytest.raises(InvalidInput, match="no month"):
        told("report", "--repo", str(repository), "--month", "soon")


@pytest.mark.parametrize(("by", "account"), [("asha", "asha"), ("ravi", "asha"), ("symbolic", "ravi")])
def test_nobody_approves_what_is_theirs(repository: Path, by: str, account: str) -> None:
    commit = (repository / ".git/refs/heads/main").read_text().strip()
    with open_stores(load_settings({})) as stores:
        order = Order(ticket=Ticket(text="t"), repository=str(repository), commit=commit, by="asha")
        claim = stores.tasks.add_and_claim(order, "worker", 20.0)[1]
        trail = stores.events.trail(claim.run_id, claim.epoch)
        trail.record(ev.WorkspaceOpened(commit=commit, engineer="symbolic"))
        trail.record(ev.ApprovalRequested(patch_sha256="0" * 64))
        stores.runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    with pytest.raises(InvalidInput, match="cannot approve"):
        answer(claim.run_id, approved=True, comment="", by=by, account=account, observer=lambda _event: None)
