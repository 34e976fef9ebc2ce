"""``karkhana backup``, ``restore`` and ``prune`` as a person calls them; each is written into the audit."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from karkhana.cli.main import app
from karkhana.domain.tasks import Order, Ticket
from karkhana.factory.stores import open_stores


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    with open_stores() as stores:
        stores.tasks.add(Order(ticket=Ticket(text="x"), repository="/shop", commit="a" * 40))
    return tmp_path / "home"


def called(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def actions() -> list[str]:
    with open_stores() as stores:
        assert stores.audit.verify() is None
        return [entry.action for entry in stores.audit.entries() if entry.via == "terminal"]


def test_a_backup_is_made_and_restored_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = called("backup", str(tmp_path))
    assert Path(made["file"]).parent == tmp_path
    assert made["manifest"]["contents"]["tasks"] == 1
    assert actions() == ["backup.make"]
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "elsewhere"))
    restored = called("restore", made["file"])
    assert (restored["contents"]["tasks"], restored["damaged"]) == (1, {})
    assert actions() == ["backup.restore"]
    told = CliRunner().invoke(app, ["restore", made["file"], "--force"]).stdout
    assert "1 tasks, 0 runs" in told
    assert "what was there before is in" in told


def test_a_backup_before_an_upgrade_leaves_the_old_schema_as_it_is(home: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(home / "karkhana.sqlite3")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0012'")
        connection.commit()
    made = called("backup", str(tmp_path / "kept.tar"))
    assert made["manifest"]["contents"]["schema"] == "0012"
    with closing(sqlite3.connect(home / "karkhana.sqlite3")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0012",)


def test_pruning_is_written_down_unless_it_is_only_asked(home: Path) -> None:
    assert called("prune", "--dry-run")["dry_run"]
    assert actions() == []
    called("prune")
    assert actions() == ["retention.prune"]
