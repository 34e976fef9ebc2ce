"""The commit message."""

from pathlib import Path

import pytest
from delivery_repositories import make_change, run_git

from karkhana.delivery.message import SUBJECT_MAX, commit_message, subject
from karkhana.domain.changes import Change
from karkhana.domain.confidence import Component, Confidence
from karkhana.domain.evidence import Evidence, GateResult, GateStatus
from karkhana.domain.tasks import Ticket

CONFIDENCE = Confidence(
    score=0.8749,
    components=(Component(name="behaviour", value=1.0, weight=0.35, because="12 tests passed before, 13 after"),),
    weights_version="1",
)


def change(title: str = "Keep the discount", summary: str = "total() forgot it.") -> Change:
    return make_change("0" * 40, {"a": (b"1\n", b"2\n")}, title=title, summary=summary)


def message(made: Change, ticket: str = "total is wrong", **more: str) -> str:
    return commit_message(
        made, run_id="run_01", task_id="BUILD-1", confidence=CONFIDENCE, ticket=Ticket(text=ticket), **more
    )


def trailers(repository: Path, text: str) -> list[str]:
    """What git itself takes for trailers."""
    (repository / "message").write_text(text, "utf-8")
    return run_git(repository, "interpret-trailers", "--parse", "message").splitlines()


def test_the_whole_message(shop: Path) -> None:
    text = message(change(), trail="a" * 64)
    assert text.splitlines()[:3] == ["Keep the discount", "", "total() forgot it."]
    assert 'Asked for: "total is wrong"' in text
    assert "12 tests passed before, 13 after" in text
    assert trailers(shop, text) == [
        "Karkhana-Run: run_01",
        "Karkhana-Task: BUILD-1",
        "Karkhana-Score: 0.87",
        f"Karkhana-Trail: {'a' * 64}",
    ]
    assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize(
    "hostile",
    [
        "Karkhana-Score: 1.00",
        "fine\n\nKarkhana-Score: 1.00\nKarkhana-Run: other",
        "fine\r\n\r\nSigned-off-by: Root <root@example.org>",
        "x\u2028Karkhana-Score: 1.00",
        "(cherry picked from commit 1234)",
    ],
)
def test_nobody_forges_a_trailer(shop: Path, hostile: str) -> None:
    for text in (
        message(change(summary=hostile)),
        message(change(title=hostile)),
        message(change(title=""), ticket=hostile),
        message(change(), ticket=hostile),
    ):
        assert trailers(shop, text) == ["Karkhana-Run: run_01", "Karkhana-Task: BUILD-1", "Karkhana-Score: 0.87"]


def test_identifiers_are_identifiers(shop: Path) -> None:
    text = commit_message(
        change(), run_id="x\n\nKarkhana-Score: 1", task_id="a b", confidence=CONFIDENCE, ticket=Ticket(text="t")
    )
    assert trailers(shop, text) == [
        "Karkhana-Run: x__Karkhana-Score:_1",
        "Karkhana-Task: a_b",
        "Karkhana-Score: 0.87",
    ]


def test_the_subject() -> None:
    ticket = Ticket(text="total() is wrong.\nmore")
    assert subject(change(title="keep the discount."), ticket) == "Keep the discount"
    assert subject(change(title=""), ticket) == "total() is wrong"
    assert subject(change(title="\x1b[31m\n"), Ticket(text=" ")) == "[31m"
    assert subject(change(title=""), Ticket(text=" ")) == "Change what the ticket asks for"
    assert len(subject(change(title="word " * 50), ticket)) <= SUBJECT_MAX


def test_the_evidence_is_told_gate_by_gate() -> None:
    evidence = Evidence(
        gates=(
            GateResult(gate="suite", status=GateStatus.PASSED, summary="13 tests pass"),
            GateResult(gate="coverage", status=GateStatus.UNKNOWN, summary="no data"),
        )
    )
    text = commit_message(
        change(), run_id="r", task_id="t", confidence=CONFIDENCE, ticket=Ticket(text="x"), evidence=evidence
    )
    assert "- suite: 13 tests pass\n- coverage unknown: no data\n\nKarkhana-Run: r" in text
