"""Runs written straight into the stores, as the line would have written them; and a client that is signed in."""

import hashlib
import subprocess
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from karkhana.domain import events as ev
from karkhana.domain.access import Principal, Role
from karkhana.domain.changes import Change, FileChange, FileState
from karkhana.domain.confidence import Component, Confidence
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.outcomes import ScoredChange, Sign, SignKind
from karkhana.domain.policy import Decision, Verdict
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Order, Status, TaskType, Ticket
from karkhana.factory.stores import Stores
from karkhana.quality.weights import load_weights
from karkhana.storage.outcome_store import OutcomeStore
from karkhana.storage.runs import Claim
from karkhana.storage.tables import ledger_entries, ledger_writers, runs

PORT = 8321
DAY_S = 86_400.0
HOST = f"127.0.0.1:{PORT}"
HOSTILE = '<script>alert(1)</script> \x1b[31mred\u202e "quoted" & {{ 7 * 7 }}'
PATCH = (
    "diff --git a/cart.py b/cart.py\nindex 1111111..2222222 100644\n--- a/cart.py\n+++ b/cart.py\n"
    "@@ -1,4 +1,5 @@ def total(lines):\n def total(lines):\n-    return sum(line.price for line in lines)\n"
    "+    prices = [line.price for line in lines]\n+    return sum(prices)\n \n # <b>end</b>\n"
)
DIGEST = hashlib.sha256(b"the change").hexdigest()


def report(passed: int, failed: int) -> TestReport:
    results = [TestResult(f"test_cart.py::test_{n}", Outcome.PASSED, 0.01) for n in range(passed)]
    results += [TestResult(f"test_cart.py::test_bad_{n}", Outcome.FAILED, 0.01, "assert 1 == 2") for n in range(failed)]
    return TestReport(command=("pytest",), exit_code=int(failed > 0), results=tuple(results), duration_s=1.5)


def repository(folder: Path) -> tuple[Path, str]:
    """A git repository with one commit, and that commit."""
    folder.mkdir(parents=True)
    (folder / "cart.py").write_text("def total(lines):\n    return sum(line.price for line in lines)\n\n# <b>end</b>\n")
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(folder)]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*words, *step], check=True, capture_output=True)
    found = subprocess.run([*words, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return folder, found.stdout.strip()


class Line:
    """Plays the line: one run after the other, station by station."""

    def __init__(self, stores: Stores, folder: Path) -> None:
        self.stores = stores
        self.root, self.commit = repository(folder / "shop")

    def begin(self, title: str, type: TaskType = TaskType.BUGFIX, product: str = "shop", **more: Any) -> Claim:
        ticket = Ticket(text=title)
        order = Order(ticket=ticket, repository=str(self.root), commit=self.commit, type=type, by="asha", **more)
        task, claim = self.stores.tasks.add_and_claim(order, "worker-1", 600.0, product=product)
        self.record(claim, ev.RunStarted(task_id=task.task_id, order=order, version="1"))
        self.enter(claim, Status.PLANNING)
        self.record(claim, ev.SuiteMeasured(after_change=False, report=report(3, 1)))
        return claim

    def record(self, claim: Claim, *events: ev.AnyEvent) -> None:
        trail = self.stores.events.trail(claim.run_id, claim.epoch)
        for event in events:
            trail.record(event)

    def enter(self, claim: Claim, status: Status) -> None:
        self.stores.runs.set_status(claim.run_id, claim.epoch, status)
        self.record(claim, ev.StatusChanged(status=status, worker="worker-1"))

    def build(self, claim: Claim, *, engineer: str = "symbolic", refused: str = "") -> None:
        self.enter(claim, Status.BUILDING)
        call = {"tool": "read_file", "path": "cart.py"}
        self.record(
            claim,
            ev.WorkspaceOpened(commit=self.commit, engineer=engineer),
            ev.ToolCalled(turn=1, call=call),
            ev.ToolReturned(turn=1, result={"text": "a\nb\n"}, duration_s=0.2),
            ev.ToolCalled(turn=2, call={"tool": "run_command", "argv": ["make"]}),
            ev.ToolReturned(turn=2, error=refused or None, result=None if refused else {"exit_code": 0}),
            *(ev.HypothesisTried(place=f"cart.py:{n}", kind="clamp", tried=2, passing=0) for n in range(8)),
        )

    def hand_over(self, claim: Claim, score: float = 0.78) -> None:
        file = FileChange("cart.py", FileState(0o100644, "a" * 64), FileState(0o100644, "b" * 64))
        change = Change(
            base=self.commit,
            files=(file,),
            patch=PATCH,
            summary="`total` adds prices <i>once</i>.",
            engineer="symbolic",
            title="Add prices once",
        )
        finding = Finding(rule="scope", message="a <b>new</b> name", severity=Severity.WARNING, path="cart.py", line=2)
        self.record(claim, ev.ChangeHandedOver(change=change))
        self.enter(claim, Status.REVIEWING)
        self.record(claim, ev.ReviewFinished(findings=(finding,)))
        self.enter(claim, Status.VERIFYING)
        gates = (
            GateResult(gate="suite", status=GateStatus.PASSED, hard=True, summary="4 passed", measures={"broken": 0.0}),
            GateResult(gate="coverage", status=GateStatus.UNKNOWN, summary="could not be measured"),
            GateResult(
                gate="performance",
                status=GateStatus.PASSED,
                summary="as fast",
                measures={"before_s": 0.5, "after_s": 0.25, "functions": 3.0},
            ),
        )
        weights = load_weights()
        components = tuple(
            Component(name=name, value=0.8, weight=0.1, because="it is so; and so")
            for name in list(weights.components)[:3]
        )
        confidence = Confidence(
            score=score, components=components, weights_version=weights.version, missing=("coverage",)
        )
        self.record(
            claim,
            ev.SuiteMeasured(after_change=True, report=report(4, 0)),
            *(ev.GateFinished(result=gate) for gate in gates),
            ev.ScoreComputed(confidence=confidence),
            ev.DecisionMade(decision=Decision(verdict=Verdict.CANARY, needs_approval=True, reason="human_in_the_loop")),
        )
        self.stores.runs.set_score(claim.run_id, claim.epoch, score)

    def ask(self, claim: Claim, until: float | None = None) -> None:
        self.record(claim, ev.ApprovalRequested(patch_sha256=DIGEST, until=until))
        self.enter(claim, Status.WAITING_FOR_REVIEW)
        self.stores.runs.park(claim.run_id, claim.epoch)

    def waiting(self, title: str) -> str:
        claim = self.begin(title)
        self.build(claim)
        self.hand_over(claim)
        self.ask(claim)
        return claim.run_id

    def paused(self, title: str) -> str:
        claim = self.begin(title)
        self.build(claim, engineer="llm")
        for turn in (1, 2):
            self.record(claim, ev.ModelAnswered(turn=turn, purpose="work", model="any", place="fake/any", answer={}))
        self.record(claim, ev.WorkPaused(reason="the budget is used up", next="Give it more."))
        self.enter(claim, Status.WAITING_FOR_REVIEW)
        self.stores.runs.park(claim.run_id, claim.epoch)
        return claim.run_id

    def delivered(self, title: str) -> str:
        claim = self.begin(title)
        self.build(claim)
        self.hand_over(claim, 0.93)
        self.record(
            claim,
            ev.Delivered(branch="karkhana/BUILD", commit="c" * 40),
            ev.RunFinished(status=Status.DELIVERED, reason="delivered as karkhana/BUILD", turns=2),
        )
        self.stores.runs.finish(
            claim.run_id, claim.epoch, Status.DELIVERED, b"{}", engineer="symbolic", quality_score=0.93
        )
        return claim.run_id

    def failed(self, title: str) -> str:
        claim = self.begin(title)
        self.build(claim, engineer="llm", refused="no such file")
        answer = ev.ModelAnswered(
            turn=1, purpose="work", model="any", place="fake/any", answer={}, cost_usd="0.0125", duration_s=2.0
        )
        self.record(
            claim,
            answer,
            ev.EngineerAbstained(reason="nothing fits"),
            ev.RunFinished(status=Status.FAILED, reason="nothing fits", next="say more", code="run_failure"),
        )
        self.stores.runs.finish(claim.run_id, claim.epoch, Status.FAILED, b"{}", engineer="llm")
        return claim.run_id

    def running(self, title: str) -> Claim:
        claim = self.begin(title)
        self.build(claim)
        return claim


class Played:
    """Middleware within the guard: whoever signed in is somebody else, with other roles."""

    def __init__(self, app: ASGIApp, principal: Principal) -> None:
        self._app, self._principal = app, principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["state"].get("principal") is not None:
            scope["state"]["principal"] = self._principal
        await self._app(scope, receive, send)


def as_if(app: Starlette, name: str, **roles: str) -> Starlette:
    """The dashboard as somebody sees it who has these roles: product → role, ``everything`` for all."""
    given = {("*" if product == "everything" else product): Role(role) for product, role in roles.items()}
    app.user_middleware.append(Middleware(Played, principal=Principal(name=name, roles=given)))
    return app


def signed_in(app: Starlette) -> TestClient:
    """A client with a session; redirects are not followed. To be used with ``with``."""
    doors = app.state.site.doors
    client = TestClient(app, base_url=f"http://{HOST}", follow_redirects=False, headers={"accept": "text/html"})
    session_id = doors.enter(doors.link())
    client.cookies.set(app.state.site.cookie, session_id)
    client.headers["origin"] = f"http://{HOST}"
    client.form_token = doors.session(session_id).form_token
    return client


def made_past(stores: Stores, count: int) -> None:
    """Ended runs, one a day, three of four of the shop, the others of the bank; some with a low score were bad."""
    store, now = OutcomeStore(stores.database), time.time()
    for number in range(count):
        product, at = "shop" if 4 * number < 3 * count else "bank", now - (count - number) * DAY_S
        order = Order(ticket=Ticket(text="t"), repository=f"/srv/{product}", commit="a" * 40, type=TaskType.BUGFIX)
        _, claim = stores.tasks.add_and_claim(order, "w", 60.0, product=product)
        failed, score = number % 5 == 0, 0.72 if number % 3 else 0.95
        status = Status.FAILED if failed else Status.DELIVERED
        stores.runs.finish(
            claim.run_id,
            1,
            status,
            b"{}",
            engineer="symbolic",
            human_review=score < 0.9,
            quality_score=None if failed else score,
        )
        with stores.database.writing() as connection:
            connection.execute(sa.update(runs).where(runs.c.run_id == claim.run_id).values(finished_at=at))
        if failed:
            continue
        change = ScoredChange(
            run_id=claim.run_id,
            repository=f"/srv/{product}",
            type="bugfix",
            engineer="symbolic",
            commit="c" * 40,
            score=score,
            at=at,
        )
        store.keep(change)
        store.land(claim.run_id, "d" * 40, at)
        if score < 0.9 and number % 2:
            store.add(Sign.make(claim.run_id, SignKind.REVERTED, "e" * 40, at=at + 60, cause="regression"))
    for product in ("shop", "bank"):
        store.watched(f"/srv/{product}", now)


def asked_models(stores: Stores) -> None:
    """Twenty calls of two models, of which one came to nothing."""
    at, day = time.time() - 60, time.strftime("%Y-%m-%d", time.gmtime(time.time() - 60))
    with stores.database.writing() as connection:
        writer = connection.execute(sa.insert(ledger_writers).values(seen_at=at)).inserted_primary_key[0]
        for number in range(20):
            values = {
                "entry": 1000 + number,
                "writer": writer,
                "at": at,
                "day": day,
                "key_id": "",
                "team": "",
                "task_id": f"BUILD-{number % 4}",
                "provider": "cloud",
                "model": "small" if number % 2 else "large",
                "prices": "1",
                "reserved": 10**12,
                "state": "released" if number == 0 else "settled",
                "cost": None if number == 0 else 5 * 10**9,
                "settled_at": at + number,
                "input": 10,
                "output": 5,
            }
            connection.execute(sa.insert(ledger_entries).values(values))
