import threading

import pytest

from karkhana.domain.errors import LeaseLost, RunCancelled
from karkhana.factory.engine_control import RunControl


def test_a_fresh_run_goes_on() -> None:
    control = RunControl("run_1", epoch=1)
    control.check()
    assert not control.stopped


def test_cancelling_kills_what_runs_and_raises_until_it_is_acknowledged() -> None:
    control = RunControl("run_1", epoch=1)
    killed: list[str] = []
    with control.on_stop(lambda: killed.append("sandbox")):
        control.cancel()
        control.cancel()
    assert killed == ["sandbox"]
    with pytest.raises(RunCancelled):
        control.check()
    control.acknowledge()
    control.check()
    control.cancel()
    control.check()


def test_a_callback_registered_too_late_is_called_at_once() -> None:
    control = RunControl("run_1", epoch=1)
    control.lose("its lease expired")
    killed: list[str] = []
    with control.on_stop(lambda: killed.append("sandbox")):
        assert killed == ["sandbox"]


def test_a_callback_is_forgotten_after_its_block() -> None:
    control = RunControl("run_1", epoch=1)
    killed: list[str] = []
    with control.on_stop(lambda: killed.append("sandbox")):
        pass
    control.cancel()
    assert killed == []


def test_a_lost_lease_outranks_a_cancellation_and_cannot_be_acknowledged() -> None:
    control = RunControl("run_1", epoch=1)
    control.cancel()
    control.lose("its lease expired")
    control.cancel()
    control.acknowledge()
    with pytest.raises(LeaseLost, match="its lease expired"):
        control.check()


def test_sleep_ends_when_the_run_is_stopped() -> None:
    control = RunControl("run_1", epoch=1)
    raised: list[type[BaseException]] = []

    def sleep() -> None:
        try:
            control.sleep(600)
        except RunCancelled as signal:
            raised.append(type(signal))

    thread = threading.Thread(target=sleep)
    thread.start()
    control.cancel()
    thread.join(timeout=30)
    assert raised == [RunCancelled]
