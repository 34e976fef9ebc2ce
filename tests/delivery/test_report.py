"""The Markdown report."""

import re

import msgspec
from delivery_repositories import make_change

from karkhana.delivery.report import Dossier, report
from karkhana.domain.confidence import Component, Confidence
from karkhana.domain.evidence import Evidence, Finding, GateResult, GateStatus, Severity
from karkhana.domain.policy import Decision, Verdict
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Ticket
from karkhana.ports import Receipt

HOSTILE = "```\n# Owned\n<script>alert(1)</script>\n````\n| a | b |\n@everyone \x1b[2J\u202e"


def suite(*results: tuple[str, Outcome]) -> TestReport:
    return TestReport(
        command=("pytest",), exit_code=0, results=tuple(TestResult(n, o) for n, o in results), duration_s=1.5
    )


DOSSIER = Dossier(
    run_id="run_01",
    task_id="BUILD-1",
    ticket=Ticket(text="total is wrong"),
    change=make_change("1" * 40, {"cart.py": (b"total = 1\n", b"total = 2\n"), "new.py": (None, b"x\n")}),
    baseline=suite(("t.py::test_total", Outcome.FAILED), ("t.py::test_b", Outcome.PASSED)),
    result=suite(("t.py::test_total", Outcome.PASSED), ("t.py::test_b", Outcome.PASSED)),
    evidence=Evidence(
        gates=(
            GateResult(gate="suite", status=GateStatus.PASSED, hard=True, summary="2 tests pass"),
            GateResult(gate="coverage", status=GateStatus.UNKNOWN, summary="no data"),
        ),
        review=(Finding(rule="debug-leftover", message="prints", path="cart.py", line=3, severity=Severity.WARNING),),
    ),
    confidence=Confidence(
        score=0.6912,
        components=(Component(name="behaviour", value=1.0, weight=0.35, because="all good"),),
        weights_version="7",
        caps=("at most 0.69: no test covers it",),
    ),
    decision=Decision(verdict=Verdict.REVIEW, needs_approval=True, reason="score 0.69 is below 0.70"),
)


def plain(page: str) -> str:
    """As a reader sees it: without escapes."""
    return re.sub(r"\\(.)", r"\1", page)


def test_everything_is_told() -> None:
    page = plain(report(DOSSIER))
    for said in (
        "total is wrong",
        "It was wrong.",
        "+total = 2",
        "- changed `cart.py`",
        "- added `new.py`",
        "Failed before and pass now:\n\n- `t.py::test_total`",
        "**0.69**",
        "**review**, waits for an approval (score 0.69 is below 0.70)",
        "| behaviour | 1.00 | 0.35 | 0.350 | all good |",
        "held down: at most 0.69",
        "| suite | ✔ passed (hard) | 2 tests pass |",
        "| coverage | ? not measured | no data |",
        "- warning (debug-leftover) `cart.py:3`: prints",
        "karkhana runs approve run_01",
        "karkhana runs trace run_01",
    ):
        assert said in page


def test_a_delivered_run_says_where_it_is() -> None:
    receipt = Receipt(branch="karkhana/BUILD-1", commit="2" * 40, remote="origin")
    page = report(msgspec.structs.replace(DOSSIER, receipt=receipt))
    assert f"`karkhana/BUILD-1` on origin, commit `{'2' * 40}`" in page
    assert "approve" not in page


def test_untrusted_text_stays_text() -> None:
    change = make_change("1" * 40, {"a`|b.py": (None, HOSTILE.encode())}, title=HOSTILE, summary=HOSTILE)
    finding = Finding(rule="x", message=HOSTILE, path="a`|b.py", line=1)
    page = report(
        msgspec.structs.replace(
            DOSSIER,
            ticket=Ticket(text=HOSTILE),
            change=change,
            evidence=Evidence(gates=(), review=(finding,)),
            baseline=suite((HOSTILE, Outcome.FAILED)),
        )
    )
    assert "\x1b" not in page
    assert "\u202e" not in page
    outside = outside_of_fences(page)
    assert "<script>" not in outside
    assert not re.search(r"^# Owned", outside, re.MULTILINE)
    assert "@everyone" not in outside


def outside_of_fences(page: str) -> str:
    """What a Markdown renderer does not take for code blocks."""
    kept: list[str] = []
    fence = ""
    for line in page.split("\n"):
        found = re.match(r"(`{3,})\s*(\w*)$", line)
        if not fence and found:
            fence = found[1]
        elif fence and found and not found[2] and len(found[1]) >= len(fence):
            fence = ""
        elif not fence:
            kept.append(line)
    assert not fence, "a code block is left open"
    return "\n".join(kept)


def test_huge_texts_are_cut() -> None:
    page = report(msgspec.structs.replace(DOSSIER, ticket=Ticket(text="x" * 1_000_000)))
    assert len(page) < 40_000
    assert "more characters" in page
