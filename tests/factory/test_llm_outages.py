"""What a run does when its provider fails in the middle, its money ends, or it is cancelled."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.common import small_repository
from model_provider import MODELS, Provider, asked, provider_at
from test_llm_runs import FILES, SCRIPT

from karkhana.factory.approvals import resume
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order
from karkhana.factory.results import RunResult, exit_code
from karkhana.factory.stores import open_stores
from karkhana.storage.ledger_reading import Entry as LedgerEntry
from karkhana.storage.ledger_reading import LedgerReader

pytestmark = pytest.mark.slow

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
