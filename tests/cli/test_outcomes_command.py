"""``karkhana outcomes`` and ``karkhana score explain`` on a trail that stands in the store."""

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from karkhana.cli.commands import outcomes, score
from karkhana.domain import events as ev
from karkhana.domain.changes import Change
from karkhana.domain.errors import InvalidInput
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus
from karkhana.domain.tasks import Order, Ticket
from karkhana.factory.configuration import load_settings
from karkhana.factory.outcomes import outcome_book
from karkhana.factory.stores import open_stores
from karkhana.quality.confidence import score as score_of
from karkhana.quality.gates import GATES

UNCOVERED = GateResult(
    gate="coverage",
    status=GateStatus.FAILED,
    summary="0 of 8 changed statements covered by tests",
    measures={"changed_lines": 8.0, "covered_lines": 0.0},
    findings=tuple(Finding(rule="coverage:uncovered", message="", path="cart.py", line=n) for n in range(12, 20)),
)
GATES_SEEN = tuple(
    UNCOVERED if name == "coverage" else GateResult(gate=name, status=GateStatus.PASSED, summary=f"{name} is fine")
    for name in GATES
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    folder = tmp_path / "shop"
    folder.mkdir()
    for words in (["init", "--initial-branch", "main"], ["commit", "--allow-empty", "--message", "start"]):
        named = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@localhost"]
        subprocess.run([*named, *words], check=True, capture_output=True)
    return folder


@pytest.fixture
def run_id(repository: Path) -> str:
    """A delivered change whose lines no test reaches."""
    commit = (repository / ".git/refs/heads/main").read_text().strip()
    evidence = Evidence(gates=GATES_SEEN, disagreement=0.05, alternatives=1)
    with open_stores(load_settings({})) as stores:
        order = Order(ticket=Ticket(text="t"), repository=str(repository), commit=commit)
        claim = stores.tasks.add_and_claim(order, "worker", 20.0)[1]
        trail = stores.events.trail(claim.run_id)
        change = Change(base=commit, files=(), patch="", summary="", engineer="symbolic", title="Mend it")
        events: list[ev.AnyEvent] = [
            ev.RunStarted(task_id=claim.task_id, order=order, version="1"),
            ev.ChangeHandedOver(change=change),
            *(ev.GateFinished(result=gate) for gate in evidence.gates),
            ev.ScoreComputed(confidence=score_of(evidence), alternatives=1, disagreement=0.05),
            ev.Delivered(branch="karkhana/x", commit=commit),
        ]
        for event in events:
            trail.record(event)
        outcome_book(stores).keep(claim.run_id)
    return claim.run_id


def said(app: Any, *words: str, fails: bool = False) -> str:
    result = CliRunner().invoke(app, words)
    assert bool(result.exit_code) is fails, result.output
    return result.output


def test_an_outcome_from_pending_to_bad_and_back(repository: Path, run_id: str) -> None:
    assert "pending" in said(outcomes.app, "list")
    assert "not seen in the main line" in said(outcomes.app, "list", "--repo", str(repository))
    synced = json.loads(said(outcomes.app, "sync", "--json"))
    assert (synced["repositories"][0]["landed"], synced["outcomes"]) == (1, {"good": 0, "bad": 0, "pending": 1})
    words = ("add", run_id, "--sign", "incident", "--reference", "INC-7", "--comment", "orders time out")
    told = json.loads(said(outcomes.app, *words, "--by", "eve", "--json"))
    (bad,) = told["outcomes"]
    assert (told["new"], bad["label"], bad["cause"]) == (True, "bad", "performance")
    assert "known before" in said(outcomes.app, *words)
    assert json.loads(said(outcomes.app, "list", "--label", "good", "--json")) == []
    (row,) = json.loads(said(outcomes.app, "list", "--json"))
    assert row["signs"][0]["reference"] == "INC-7"
    with open_stores() as stores:
        entry = stores.audit.entries()[-1]
    assert (entry.action, entry.target) == ("outcome.add", run_id)
    assert entry.details == {"by": "eve", "reference": "INC-7", "sign": "incident"}
    (cause,) = json.loads(said(outcomes.app, "causes", "--json"))
    assert (cause["cause"], cause["bad"]) == ("performance", 1)
    assert cause["gates"] == {"performance": {"passed": 1}, "duration": {"passed": 1}}
    assert "performance: 1 passed" in said(outcomes.app, "causes", "--repo", str(repository))
    said(outcomes.app, "add", run_id, "--sign", "finding_dismissed", "--reference", "coverage:uncovered")
    (rule,) = json.loads(said(outcomes.app, "findings", "--json"))
    assert rule == {"rule": "coverage:uncovered", "shown": 1, "dismissed": 1, "good": 0, "bad": 1}
    assert "coverage:uncovered" in said(outcomes.app, "findings", "--repo", str(repository))
    cleared = ("add", run_id, "--sign", "cleared", "--reference", row["signs"][0]["sign_id"])
    assert "pending" in said(outcomes.app, *cleared)
    assert "1 pending" in said(outcomes.app, "sync", "--rebuild", "--repo", str(repository), "--branch", "main")
    assert json.loads(said(outcomes.app, "causes", "--json")) == []
    assert "0.50" in said(outcomes.app, "records")
    assert json.loads(said(outcomes.app, "learn", "--json"))["learned"] is None
    nobody = CliRunner().invoke(outcomes.app, ["add", "--sign", "incident", "--fixed-by", "HEAD"]).exception
    assert isinstance(nobody, InvalidInput)
    assert isinstance(CliRunner().invoke(outcomes.app, ["sync", "--branch", "main"]).exception, InvalidInput)


def test_a_score_is_explained_with_what_would_raise_it(run_id: str) -> None:
    page = said(score.app, "explain", run_id)
    assert "with tests for lines 12-19 of cart.py" in page
    assert "To reach 0.70 it needs" in page
    assert "0 of 8 changed statements" in page
    told = json.loads(said(score.app, "explain", run_id, "--json"))
    with open_stores(load_settings({})) as stores:
        events = [entry.event for entry in stores.events.entries(run_id)]
    stored = next(event.confidence for event in events if isinstance(event, ev.ScoreComputed))
    assert told["score"] == stored.score
    assert told["counterfactuals"][0]["gain"] > 0
    assert told["ways"][0]["score"] >= 0.70
    assert told["missing"] == list(stored.missing)
    assert [c["component"] for c in told["components"]] == [c.name for c in stored.components]
    assert msgspec.to_builtins(stored)["track_record"]["good"] == 0
