"""What a run does when its provider fails in the middle, its money ends, its worker is killed, or it is cancelled."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.common import small_repository
from killed_workers import command_under_way, eventually, killed_worker, run_of, short_leases, status, worker
from model_provider import MODELS, Provider, asked, provider_at
from test_llm_runs import FILES, SCRIPT

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


class Outages(Provider):
    """A provider whose accounts of all its lives are added up."""

    _charged = 0.0

    def begin(self, script: str = SCRIPT, *, deadline_s: float = 60.0) -> None:
        self.start(script, models=f"[gateway]\ndeadline_s = {deadline_s}\n{MODELS}")

    def end(self) -> None:
        self._charged, self.program = self.charged(), None
        super().end()

    def charged(self) -> float:
        """US dollars so far."""
        return self._charged + (float(str(self.program.account.told()["usd"])) if self.program is not None else 0.0)


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outages]:
    with provider_at(tmp_path, monkeypatch, kind=Outages) as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return small_repository(tmp_path / "repository", FILES)


def work(repository: Path, *, usd: float | None = None) -> RunResult:
    order, settings = make_order("area() is wrong", repository, engineer="llm", usd=usd)
    return work_in_foreground(order, settings, lambda _event: None)


def go_on(run_id: str, usd: float = 0.0) -> RunResult:
    return resume(run_id, turns=0, usd=usd, by="me", observer=lambda _event: None)


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
    answers = asked(done.run_id)
    assert [event.turn for event in answers if event.purpose == "work"] == [1, 2, 3, 4, 5], "nothing is asked twice"
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
    repository: Path,
    fault: str,
    deadline_s: float,
    expected: tuple[str, bool],
) -> None:
    step, unseen = expected
    # What nobody waited for is not charged, so that the account can be compared to the cent.
    provider.begin(f"charge_unfinished = false\n{SCRIPT}{FAULT}{fault}\n", deadline_s=deadline_s)
    paused = work(repository)
    assert (paused.status, exit_code(paused)) == ("waiting_for_review", 3)
    assert "does not answer" in paused.reason
    assert step in paused.next
    assert f"karkhana runs resume {paused.run_id}" in paused.next
    assert [event.turn for event in asked(paused.run_id)] == [1, 2]
    provider.end()
    provider.begin()
    judge_finished(go_on(paused.run_id), provider)
    # Nobody knows what a connection that broke did cost: it counts as much as it could have.
    assert (spent(unknown=True) > 0) is unseen


def test_dollars_that_are_used_up_stop_the_next_call_before_it_is_sent(
    provider: Outages,
    repository: Path,
) -> None:
    provider.begin()
    paused = work(repository, usd=0.02)
    assert (paused.status, exit_code(paused)) == ("waiting_for_review", 3)
    assert "--budget" in paused.next
    answers = asked(paused.run_id)
    assert 1 <= len(answers) < 5
    assert provider.requests() == len(answers) == len(ledger()), "nothing was sent that the budget does not bear"
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
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider.begin(SLOW)
    short_leases(monkeypatch)
    order, _ = make_order("area() is wrong", repository, engineer="llm")
    with open_stores() as stores:
        task_id = stores.tasks.add(order).task_id
    with killed_worker():
        eventually(lambda: run_of(task_id) != "" and command_under_way(run_of(task_id)))
    run_id = run_of(task_id)
    assert len(asked(run_id)) == 2
    with worker():
        eventually(lambda: status(run_id) is Status.WAITING_FOR_REVIEW)
    assert [event.turn for event in asked(run_id) if event.purpose == "work"] == [1, 2, 3, 4]
    with open_stores() as stores:
        found = [entry.event for entry in stores.events.entries(run_id)]
    assert [event for event in found if isinstance(event, ev.RunTakenOver)]
    (change,) = [event.change for event in found if isinstance(event, ev.ChangeHandedOver)]
    assert "+    return width * height" in change.patch
    assert provider.requests() == 5, "four answers of work and a review"
    assert spent(unknown=False) == pytest.approx(provider.charged(), abs=1e-9)


def test_a_run_that_is_cancelled_while_its_model_stalls_ends(provider: Outages, repository: Path) -> None:
    provider.begin(f'charge_unfinished = false\n{SCRIPT}{FAULT}kind = "stall"\nstall_s = 900.0\n', deadline_s=800.0)
    ended = threading.Event()
    canceller = threading.Thread(target=cancel_when_asked, args=(provider, ended))
    canceller.start()
    result = work(repository)
    ended.set()
    canceller.join()
    assert result.status == "cancelled"
    assert [event.turn for event in asked(result.run_id)] == [1, 2]


def cancel_when_asked(provider: Outages, ended: threading.Event) -> None:
    while not ended.is_set():
        with open_stores() as stores:
            runs = stores.runs.list()
            if runs and sum(1 for entry in stores.events.entries(runs[0].run_id) if entry.type == "tool.returned") >= 3:
                stores.tasks.cancel(runs[0].task_id)
                return
        ended.wait(0.2)
