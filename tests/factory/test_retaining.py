"""How long things are kept: by command, and each night by one of the workers."""

import json
import time
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from karkhana.cli.main import app
from karkhana.domain.events import Noted
from karkhana.domain.settings import RetentionSettings
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.configuration import load_settings
from karkhana.factory.retaining import DAY_S, prune, pruning_nightly
from karkhana.factory.stores import Stores, open_stores
from karkhana.storage.leases import LeaseStore
from karkhana.storage.tables import blobs, intake_deliveries, runs

LARGE = "large " * 2000


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    """With a run that ended a hundred days ago, and two deliveries."""
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    with open_stores() as opened:
        order = Order(ticket=Ticket(text="x"), repository="/shop", commit="a" * 40)
        claim = opened.tasks.add_and_claim(order, "worker", 20.0)[1]
        opened.events.trail(claim.run_id, 1).record(Noted(text=LARGE))
        opened.runs.finish(claim.run_id, 1, Status.DELIVERED, b"{}")
        old = time.time() - 100 * DAY_S
        with opened.database.writing() as connection:
            connection.execute(runs.update().values(finished_at=old))
            connection.execute(blobs.update().values(kept_at=old))
            for number, at in enumerate((old, time.time())):
                values = {"door": "d", "identity": str(number), "digest": str(number), "at": at, "receipt": "{}"}
                connection.execute(intake_deliveries.insert().values(**values))
        yield opened


def test_nothing_of_a_trail_goes_by_default(stores: Stores) -> None:
    removed = prune(stores.database, RetentionSettings())
    assert (removed.payloads.blobs, removed.deliveries) == (0, 1)
    assert prune(stores.database, RetentionSettings()).deliveries == 0


def test_the_command_says_what_would_go_and_removes_it(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARKHANA_RETENTION_PAYLOAD_DAYS", "30")
    run = CliRunner().invoke
    planned = run(app, ["prune", "--dry-run"])
    assert "would remove 1 large values" in planned.output
    removed = json.loads(run(app, ["prune", "--json"]).output)
    assert (removed["payloads"]["blobs"], removed["deliveries"], removed["dry_run"]) == (1, 1, False)
    assert "removed 0 large values" in run(app, ["prune"]).output


@pytest.mark.parametrize("wrong", [{"payload_days": 3}, {"payload_days": -1}, {"delivery_days": 0}])
def test_what_would_break_the_factory_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="retention"):
        RetentionSettings(**wrong)


def test_one_process_prunes_in_a_night(stores: Stores) -> None:
    settings = msgspec.structs.replace(load_settings({}), retention=RetentionSettings(payload_days=30))
    with pruning_nightly(settings, look_s=0.05), pruning_nightly(settings, look_s=0.05):
        deadline = time.monotonic() + 30
        while prune(stores.database, settings.retention, dry_run=True).payloads.runs:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    leases = LeaseStore(stores.database)
    assert not leases.hold("retention", "another", 1.0), "the night is taken"
