"""A run's report from its trail, also from one that lacks something."""

from pathlib import Path

import pytest
from short_lines import ShortRun, repository, settings

from karkhana.delivery.report import report
from karkhana.domain import events as ev
from karkhana.domain.errors import InvalidInput
from karkhana.factory.reporting import dossier
from karkhana.factory.stores import open_stores


def test_a_run_whose_suite_was_not_measured_before_its_change_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    with open_stores(settings()) as stores:
        run = ShortRun(stores, repository(tmp_path / "shop"))
        with pytest.raises(InvalidInput, match="has no change to report"):
            dossier(stores, run.run_id)
        assert run.go() is None  # it waits for a person; measuring was done beforehand, so its trail has no suite
        assert run.events(ev.SuiteMeasured) == []
        facts = dossier(stores, run.run_id)
        assert facts.baseline is None
        assert facts.change == run.built.change
        assert "(the suite was not measured)" in report(facts)
