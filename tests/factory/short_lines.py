"""The line with its dear stations done beforehand: what was built and measured is given, what is decided is real.

The repository, the stores, the trail, the forge and the order of the line are the product's own.
"""

import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from karkhana.domain import events as ev
from karkhana.domain.changes import REGULAR, Change, FileChange, FileEdit, FileState, difference
from karkhana.domain.evidence import Evidence, GateResult, GateStatus
from karkhana.domain.json import canonical
from karkhana.domain.outcomes import SignKind
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Order, Ticket
from karkhana.engineers.scripted import ScriptedEngineer
from karkhana.factory.assembly import job_for
from karkhana.factory.configuration import load_settings
from karkhana.factory.engine_control import RunControl
from karkhana.factory.job import Job
from karkhana.factory.line import ship
from karkhana.factory.outcomes import make_sign, outcome_book
from karkhana.factory.records import Approval, Attempted, Built, Ending, Plan, Review, Verified
from karkhana.factory.rooms import rooms_for
from karkhana.factory.stores import Stores
from karkhana.ports import Engine, Handover
from karkhana.quality.gates import GATES
from karkhana.storage.packing import pack_small

BEFORE, AFTER = b"def total(prices):\n    return max(prices)\n", b"def total(prices):\n    return sum(prices)\n"
MEASURES = {"changed_lines": 1.0, "covered_lines": 1.0, "mutants": 9.0, "killed": 9.0, "inputs": 200.0, "calls": 9.0}


class Parked(Exception):
    """The line waits, and there is no answer."""


class InstantEngine:
    """Runs each step once in memory; ``answers`` come in the order in which they are waited for.

    A wait with a time ends at once when there is no answer: the time is over, unless it is longer than ``longest_s``.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[str]] = {}
        self.recorded: dict[str, Any] = {}
        self.waited: list[tuple[str, float | None]] = []
        self.longest_s = 86_400.0
        self._read: dict[str, int] = {}

    def start(self, run_id: str) -> None:
        """It is started by calling the line."""

    def step(self, name: str, function: Callable[[], Any]) -> Any:
        if name not in self.recorded:
            self.recorded[name] = function()
        return self.recorded[name]

    def wait(self, topic: str, timeout_s: float | None) -> str | None:
        self.waited.append((topic, timeout_s))
        number = self._read.get(topic, 0)
        letters = self.answers.get(topic, [])
        if number < len(letters):
            self._read[topic] = number + 1
            return letters[number]
        if timeout_s is None or timeout_s > self.longest_s:
            raise Parked(topic)
        return None

    def send(self, run_id: str, topic: str, message: str) -> None:
        self.answers.setdefault(topic, []).append(message)

    def join(self, run_ids: Iterable[str], timeout_s: float | None) -> bool:
        return True

    def again(self) -> None:
        """As another worker finds it: steps are recorded, messages are still there."""
        self._read.clear()


class Prepared:
    """Any engine, for which building and measuring are already done."""

    def __init__(self, engine: Engine, done: dict[str, Any]) -> None:
        self._engine, self._done = engine, done
        self.wait, self.send, self.start, self.join = engine.wait, engine.send, engine.start, engine.join

    def step(self, name: str, function: Callable[[], Any]) -> Any:
        if name in self._done:
            packed = pack_small(msgspec.to_builtins(self._done[name], builtin_types=(bytes,)))
            return self._engine.step(name, lambda: packed)
        return self._engine.step(name, function)


def repository(folder: Path, path: str = "shop/cart.py") -> Path:
    """A repository with the bug."""
    (folder / path).parent.mkdir(parents=True)
    (folder / path).write_bytes(BEFORE)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "start")
    return folder


def git(folder: Path, *words: str) -> str:
    who = {f"GIT_{role}_{key}": "t@localhost" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | who
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env=env)
    return done.stdout.decode().strip()


class ShortRun:
    """One run of the line over the change that mends :data:`BEFORE`."""

    def __init__(
        self,
        stores: Stores,
        folder: Path,
        *,
        path: str = "shop/cart.py",
        auto: bool = False,
        by: str = "asha",
        **more: Any,
    ) -> None:
        commit = git(folder, "rev-parse", "HEAD")
        self.stores, self.folder, self.seen = stores, folder, list[ev.AnyEvent]()
        self.react: Callable[[ev.AnyEvent], None] = lambda _event: None
        ticket = Ticket(text="total() is wrong")
        order = Order(ticket=ticket, repository=str(folder), commit=commit, auto=auto, by=by, **more)
        self.claim = stores.tasks.add_and_claim(order, "worker", 3600.0)[1]
        self.run_id = self.claim.run_id
        self.built = _built(commit, path)
        self.engine = InstantEngine()

    @property
    def done(self) -> dict[str, Any]:
        """The stations that are given."""
        return {
            "plan": Plan(test_command=("pytest",), baseline=_report(Outcome.FAILED)),
            "build": Attempted(built=self.built),
            "self_review": Review(findings=()),
            "verify": Verified(evidence=evidence(), result=_report(Outcome.PASSED)),
        }

    def job(self, epoch: int = 1) -> Job:
        """As a worker has it."""
        rooms = rooms_for(self.stores, engineers={"scripted": ScriptedEngineer([])})
        return job_for(self.stores, rooms, RunControl(self.run_id, epoch), "worker", self._observe)

    def go(self) -> Ending | None:
        """To the end, or (``None``) until it waits for a person."""
        self.engine.again()
        job = self.job()
        if not self.engine.recorded:
            job.trail.record(ev.ChangeHandedOver(change=self.built.change))
        try:
            return ship(job, Prepared(self.engine, self.done))
        except Parked:
            return None

    def answer(self, topic: str = "approval", *, approved: bool = True, by: str = "ravi", sha256: str = "") -> None:
        """Straight into the mailbox, past all checks of the command line."""
        word = Approval(approved=approved, by=by, account=by, patch_sha256=sha256 or self.built.digest)
        self.engine.send(self.run_id, topic, canonical(word).decode())

    def events(self, kind: type[Any]) -> list[Any]:
        return [e.event for e in self.stores.events.entries(self.run_id) if isinstance(e.event, kind)]

    def _observe(self, event: ev.AnyEvent) -> None:
        self.react(event)


def incident(stores: Stores, run_id: str) -> None:
    """A person reports that a delivered change was bad."""
    sign = make_sign(run_id, SignKind.INCIDENT, reference="INC-1", comment="orders are lost", by="eve")
    assert outcome_book(stores).add(sign)


def settings(**policy: Any) -> Any:
    """Of a factory that audits nothing unless told to."""
    return load_settings({"policy": {"audit_share": 0.0, **policy}})


def evidence() -> Evidence:
    """Every gate has measured and found nothing wrong."""
    passed = (
        GateResult(gate=name, status=GateStatus.PASSED, summary=f"{name} is fine", measures=MEASURES) for name in GATES
    )
    return Evidence(gates=tuple(passed))


def _report(outcome: Outcome) -> TestReport:
    result = TestResult("test_cart.py::test_total", outcome, 0.01)
    return TestReport(command=("pytest",), exit_code=0, results=(result,), duration_s=0.01)


def _built(commit: str, path: str) -> Built:
    change = Change(
        base=commit,
        files=(FileChange(path, FileState(REGULAR, "0" * 64), FileState(REGULAR, "1" * 64)),),
        patch="",
        summary="It took the largest price.",
        engineer="scripted",
        title="Add the prices up",
    )
    edits = (FileEdit(path=path, mode=REGULAR, hunks=difference(BEFORE, AFTER)),)
    return Built(change=change, edits=edits, handover=Handover(solved=True, reason="mended"), turns=1)
