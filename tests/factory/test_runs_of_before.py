"""Runs that began under a line without the stations that understand a ticket go on under this one."""

from pathlib import Path

import pytest
from short_lines import ShortRun, repository, settings

from karkhana.domain import events as ev
from karkhana.domain.tasks import Status
from karkhana.factory.stores import open_stores
from karkhana.storage.packing import pack_small


def test_a_run_that_was_parked_before_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    with open_stores(settings()) as stores:
        run = ShortRun(stores, repository(tmp_path / "shop"), asks=True)
        run.job().trail.record(ev.ChangeHandedOver(change=run.built.change))
        # as they were recorded then: nothing said of understanding, and no end of the wait
        run.engine.recorded["start"] = pack_small({"status": "planning", "reason": ""})
        run.engine.recorded["request_approval"] = pack_small({"patch_sha256": run.built.digest})
        run.job().enter(Status.WAITING_FOR_REVIEW)
        assert run.go() is None
        assert "understand" not in run.engine.recorded
        assert run.engine.waited[-1] == ("approval", None)
        run.answer()
        ended = run.go()
        assert ended is not None
        assert ended.status is Status.DELIVERED
        assert run.events(ev.TicketUnderstood) == []
