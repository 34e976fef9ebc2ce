"""Trails of made-up runs, as the line writes them: what the worlds of the dashboard's benchmarks are filled with.

A trail is a list of events without times. Titles are put together from words, so that some are common and some rare.

>>> len(delivered(0.93)), len(abandoned())
(15, 4)
"""

import hashlib
import random

from karkhana.domain import events as ev
from karkhana.domain.changes import Change, FileChange, FileState
from karkhana.domain.confidence import Component, Confidence
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.policy import Decision, Verdict
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Status
from karkhana.quality.weights import load_weights

VERBS = (
    "fix",
    "add",
    "remove",
    "speed up",
    "rename",
    "test",
    "document",
    "repair",
    "simplify",
    "guard",
    "log",
    "cache",
)
THINGS = (
    "the rounding of prices", "an export of invoices", "the search for parcels", "a retry of webhooks", "the login",
    "dates before 1970", "the currency of refunds", "a report of stock", "the parser of addresses", "the queue's order",
    "an upload of pictures", "the sum of discounts", "time zones in calendars", "the number of a tracking label",
)  # fmt: skip
PLACES = (
    "in the cart",
    "at checkout",
    "for guests",
    "in the warehouse",
    "on mobile",
    "in the API",
    "at night",
    "in EU",
)
WEIGHTS = load_weights()
DIGEST = hashlib.sha256(b"the change").hexdigest()
PATCH_LINES = 24


def title(chance: random.Random, number: int) -> str:
    """One of 1,344 common titles with a word that no other has."""
    words = f"{chance.choice(VERBS)} {chance.choice(THINGS)} {chance.choice(PLACES)}"
    return f"{words.capitalize()}, case {number:06d}x"


def report(passed: int, failed: int) -> TestReport:
    """A test report."""
    results = [TestResult(f"tests/test_cart.py::test_{n}", Outcome.PASSED, 0.01) for n in range(passed)]
    results += [
        TestResult(f"tests/test_cart.py::test_bad_{n}", Outcome.FAILED, 0.01, "assert 1 == 2") for n in range(failed)
    ]
    return TestReport(command=("pytest",), exit_code=int(failed > 0), results=tuple(results), duration_s=1.5)


def beginning(engineer: str) -> list[ev.AnyEvent]:
    """From the first event after the order up to the first turn."""
    return [
        ev.StatusChanged(status=Status.PLANNING, worker="worker-1"),
        ev.SuiteMeasured(after_change=False, report=report(12, 1)),
        ev.StatusChanged(status=Status.BUILDING, worker="worker-1"),
        ev.WorkspaceOpened(commit="a" * 40, engineer=engineer),
    ]


def turns(count: int, failing: int = 40) -> list[ev.AnyEvent]:
    """So many tool calls with their results and what a model said; every ``failing``-th fails."""
    found: list[ev.AnyEvent] = []
    for turn in range(1, count + 1):
        call = {"tool": "read_file", "path": f"src/shop/module_{turn % 40}.py", "first": turn, "last": turn + 40}
        wrong = turn % failing == 0
        text = "\n".join(f"    value_{turn}_{line} = price(line, {line})" for line in range(12))
        found += [
            ev.ToolCalled(turn=turn, call=call),
            ev.ToolReturned(
                turn=turn, error="no such file" if wrong else None, result=None if wrong else {"text": text}
            ),
        ]
        if turn % 2:
            answer = {"content": "I look at the next file."}
            found.append(
                ev.ModelAnswered(
                    turn=turn,
                    purpose="work",
                    model="m",
                    place="fake/m",
                    answer=answer,
                    cost_usd="0.0125",
                    duration_s=2.0,
                )
            )
    return found


def change() -> Change:
    """A change of two files."""
    lines = "".join(f"-    old_{n}(line)\n+    new_{n}(line, <b>{n}</b>)\n" for n in range(PATCH_LINES))
    patch = "".join(
        f"diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n--- a/{path}\n+++ b/{path}\n"
        f"@@ -1,{PATCH_LINES} +1,{PATCH_LINES} @@ def total(lines):\n{lines}"
        for path in ("src/shop/cart.py", "tests/test_cart.py")
    )
    files = tuple(
        FileChange(path, FileState(0o100644, "a" * 64), FileState(0o100644, "b" * 64))
        for path in ("src/shop/cart.py", "tests/test_cart.py")
    )
    return Change(
        base="a" * 40,
        files=files,
        patch=patch,
        summary="`total` adds once.",
        engineer="symbolic",
        title="Add prices once",
    )


def judged(score: float, verdict: Verdict) -> list[ev.AnyEvent]:
    """From the change to the decision."""
    finding = Finding(rule="scope", message="a new name", severity=Severity.WARNING, path="src/shop/cart.py", line=2)
    gates = (
        GateResult(gate="suite", status=GateStatus.PASSED, hard=True, summary="13 passed", measures={"broken": 0.0}),
        GateResult(gate="coverage", status=GateStatus.UNKNOWN, summary="could not be measured"),
    )
    components = tuple(
        Component(name=name, value=0.8, weight=0.1, because="it is so; and so") for name in list(WEIGHTS.components)[:5]
    )
    confidence = Confidence(score=score, components=components, weights_version=WEIGHTS.version, missing=("coverage",))
    return [
        ev.ChangeHandedOver(change=change()),
        ev.StatusChanged(status=Status.VERIFYING, worker="worker-1"),
        ev.ReviewFinished(findings=(finding,)),
        ev.SuiteMeasured(after_change=True, report=report(13, 0)),
        *(ev.GateFinished(result=gate) for gate in gates),
        ev.ScoreComputed(confidence=confidence),
        ev.DecisionMade(decision=Decision(verdict=verdict, needs_approval=True, reason="human_in_the_loop")),
    ]


def delivered(score: float) -> list[ev.AnyEvent]:
    """A run that went well, without its order and its turns."""
    return [
        *beginning("symbolic"),
        *judged(score, Verdict.DEPLOY),
        ev.Delivered(branch="karkhana/BUILD", commit="c" * 40),
        ev.StatusChanged(status=Status.DELIVERED),
        ev.RunFinished(status=Status.DELIVERED, reason="delivered as karkhana/BUILD", turns=2),
    ]


def waiting(score: float) -> list[ev.AnyEvent]:
    """A run that waits for a person."""
    return [
        *beginning("llm"),
        *turns(4),
        *judged(score, Verdict.REVIEW),
        ev.ApprovalRequested(patch_sha256=DIGEST),
        ev.StatusChanged(status=Status.WAITING_FOR_REVIEW),
    ]


def failed() -> list[ev.AnyEvent]:
    """A run whose engineer found nothing."""
    end = ev.RunFinished(status=Status.FAILED, reason="nothing fits", next="say more", code="run_failure")
    return [*beginning("llm"), *turns(1), ev.EngineerAbstained(reason="nothing fits"), end]


def abandoned(status: Status = Status.CANCELLED) -> list[ev.AnyEvent]:
    """A run that was stopped early."""
    return [*beginning("llm")[:2], ev.Noted(text="asked to stop"), ev.RunFinished(status=status, reason="was stopped")]
