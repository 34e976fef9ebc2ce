"""What a run does when its provider fails in the middle, its money ends, its worker is killed, or it is cancelled."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_llm_runs import SCRIPT, Provider, repository  # noqa: F401

from karkhana.domain import events as ev
from karkhana.domain.tasks import Status
from karkhana.factory.approvals import resume
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order
from karkhana.factory.results import RunResult, exit_code
from karkhana.factory.stores import open_stores
from karkhana.storage.ledger_reading import Entry as LedgerEntry
from karkhana.storage.ledger_reading import LedgerReader

pytestmark = [pytest.mark.xdist_group("engine"), pytest.mark.slow]

FAULT = '[[fault]]\nmodel = "any"\nturn = 3\nevery = 1\n'
PATIENCE_S = 120.0


class Outages(Provider):
    """A provider whose accounts of all its lives are added up."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._models = file
        self._charged = 0.0

    def start(self, script: str = SCRIPT, *, deadline_s: float = 60.0) -> None:
        super().start(script)
        self._models.write_text(f"[gateway]\ndeadline_s = {deadline_s}\n{self._models.read_text()}")

    def end(self) -> None:
        self._charged, self.program = self.charged(), None
        super().end()

    def charged(self) -> float:
        """US dollars so far."""
        return self._charged + (float(str(self.program.account.told()["usd"])) if self.program is not None else 0.0)

    def requests(self) -> int:
        """In this life."""
        return int(str(self.program.account.told()["requests"])) if self.program is not None else 0


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outages]:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KARKHANA_MODELS_FILE", str(tmp_path / "gateway.toml"))
    made = Outages(tmp_path / "gateway.toml")
    yield made
    made.end()


def work(repository: Path, *, usd: float | None = None) -> RunResult:  # noqa: F811
    order, settings = make_order("area() is wrong", repository, engineer="llm", usd=usd)
    return work_in_foreground(order, settings, lambda _event: None)


def go_on(run_id: str, usd: float = 0.0) -> RunResult:
    return resume(run_id, turns=0, usd=usd, by="me", observer=lambda _event: None)


def answers(run_id: str) -> list[ev.ModelAnswered]:
    """Those that were really asked for; the trail is intact."""
    with open_stores() as stores:
        assert stores.events.verify(run_id) == []
        found = [entry.event for entry in stores.events.entries(run_id)]
    return [event for event in found if isinstance(event, ev.ModelAnswered) and not event.recalled]


def ledger() -> list[LedgerEntry]:
    """Each attempt."""
    with open_stores() as stores:
        return list(LedgerReader(stores.database).entries())


def spent(*, unknown: bool) -> float:
    """US dollars of attempts whose end was seen, or of those that were charged with what was reserved for them."""
    return sum(float(entry.cost or 0) for entry in ledger() if (entry.state == "unknown") is unknown)


def judge_finished(done: RunResult, provider: Outages) -> None:
    assert done.decision is not None
    assert "+    return width * height" in done.diff
    asked = answers(done.run_id)
    assert [event.turn for event in asked if event.purpose == "work"] == [1, 2, 3, 4, 5], "nothing is asked twice"
    assert spent(unknown=False) == pytest.approx(provider.charged(), abs=1e-9)


@pytest.mark.parametrize(
    ("fault", "deadline_s", "expected"),
    [
        ('kind = "reset"', 20.0, ("wait until the provider works again", True)),
        ('kind = "server_error"', 20.0, ("wait until the provider works again", False)),
        ('kind = "stall"\nstall_s = 600.0', 1.5, ("wait until the provider works again", True)),
        ('kind = "unauthorised"', 20.0, ("mend the provider's key", False)),
        ('kind = "quota"', 20.0, ("top the provider's account up", False)),
    ],
)
def test_a_provider_that_fails_in_the_middle_pauses_the_run(
    provider: Outages,
    repository: Path,  # noqa: F811
    fault: str,
    deadline_s: float,
    expected: tuple[str, bool],
) -> None:
    step, unseen = expected
    # What nobody waited for is not charged, so that the account can be compared to the cent.
    provider.start(f"charge_unfinished = false\n{SCRIPT}{FAULT}{fault}\n", deadline_s=deadline_s)
    paused = work(repository)
    assert (paused.status, exit_code(paused)) == ("waiting_for_review", 3)
    assert "does not answer" in paused.reason
    assert step in paused.next
    assert f"karkhana runs resume {paused.run_id}" in paused.next
    assert [event.turn for event in answers(paused.run_id)] == [1, 2]
    provider.end()
    provider.start()
    judge_finished(go_on(paused.run_id), provider)
    # Nobody knows what a connection that broke did cost: it counts as much as it could have.
    assert (spent(unknown=True) > 0) is unseen


def test_dollars_that_are_used_up_stop_the_next_call_before_it_is_sent(
    provider: Outages,
    repository: Path,  # noqa: F811
) -> None:
    provider.start()
    paused = work(repository, usd=0.02)
    assert (paused.status, exit_code(paused)) == ("waiting_for_review", 3)
    assert "--budget" in paused.next
    asked = answers(paused.run_id)
    assert 1 <= len(asked) < 5
    assert provider.requests() == len(asked) == len(ledger()), "nothing was sent that the budget does not bear"
    assert spent(unknown=False) == pytest.approx(provider.charged(), abs=1e-9)
    assert spent(unknown=False) <= 0.02
    assert spent(unknown=True) == 0.0
    judge_finished(go_on(paused.run_id, usd=1.0), provider)


SLOW = """
[price.any]
input = "1"
output = "2"
[[answer]]
says = "What its author says"
text = '{"findings": []}'
[[answer]]
turn = 1
calls = [{ name = "edit_file", arguments = { path = "area.py", old = "width + height", new = "width * height" } }]
[[answer]]
turn = 2
calls = [{ name = "run_command", arguments = { command = "sleep 3; echo done" } }]
[[answer]]
turn = 3
calls = [{ name = "run_tests", arguments = {} }]
[[answer]]
turn = 4
calls = [{ name = "push_changes", arguments = { title = "Multiply the sides", summary = "area() added them." } }]
"""


def test_a_worker_that_is_killed_within_a_tool_call_is_succeeded(
    provider: Outages,
    repository: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider.start(SLOW)
    for name, value in (("LEASE_S", "2"), ("HEARTBEAT_S", "0.5")):
        monkeypatch.setenv(f"KARKHANA_QUEUE_{name}", value)
    order, _ = make_order("area() is wrong", repository, engineer="llm")
    with open_stores() as stores:
        task_id = stores.tasks.add(order).task_id
    first = worker()
    try:
        eventually(lambda: run_of(task_id) != "" and within_command(run_of(task_id)))
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    run_id = run_of(task_id)
    assert len(answers(run_id)) == 2
    heir = worker()
    try:
        eventually(lambda: status(run_id) is Status.WAITING_FOR_REVIEW)
    finally:
        heir.terminate()
        heir.wait(PATIENCE_S)
    assert [event.turn for event in answers(run_id) if event.purpose == "work"] == [1, 2, 3, 4]
    with open_stores() as stores:
        found = [entry.event for entry in stores.events.entries(run_id)]
    assert [event for event in found if isinstance(event, ev.RunTakenOver)]
    (change,) = [event.change for event in found if isinstance(event, ev.ChangeHandedOver)]
    assert "+    return width * height" in change.patch
    assert provider.requests() == 5, "four answers of work and a review"
    assert spent(unknown=False) == pytest.approx(provider.charged(), abs=1e-9)


def test_a_run_that_is_cancelled_while_its_model_stalls_ends(provider: Outages, repository: Path) -> None:  # noqa: F811
    provider.start(f'charge_unfinished = false\n{SCRIPT}{FAULT}kind = "stall"\nstall_s = 900.0\n', deadline_s=800.0)
    ended = threading.Event()
    canceller = threading.Thread(target=cancel_when_asked, args=(provider, ended))
    canceller.start()
    result = work(repository)
    ended.set()
    canceller.join()
    assert result.status == "cancelled"
    assert [event.turn for event in answers(result.run_id)] == [1, 2]


def cancel_when_asked(provider: Outages, ended: threading.Event) -> None:
    while not ended.is_set():
        with open_stores() as stores:
            runs = stores.runs.list()
            if runs and sum(1 for entry in stores.events.entries(runs[0].run_id) if entry.type == "tool.returned") >= 3:
                stores.tasks.cancel(runs[0].task_id)
                return
        ended.wait(0.2)


def worker() -> "subprocess.Popen[bytes]":
    command: list[str | Path] = [Path(sys.executable).parent / "karkhana", "worker"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))


def run_of(task_id: str) -> str:
    with open_stores() as stores:
        return next((run.run_id for run in stores.runs.list(task_id=task_id)), "")


def status(run_id: str) -> Status:
    with open_stores() as stores:
        return stores.runs.get(run_id).status


def within_command(run_id: str) -> bool:
    """Whether the newest event is a command that was begun."""
    with open_stores() as stores:
        *_, last = [ev.Noted(text=""), *(entry.event for entry in stores.events.entries(run_id))]
    return isinstance(last, ev.ToolCalled) and last.call["tool"] == "run_command"


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)
