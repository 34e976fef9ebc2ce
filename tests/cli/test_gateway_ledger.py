"""``karkhana gateway ledger``: what is told of calls, and how what is in doubt is settled."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from karkhana.cli.gateway_ledger import app
from karkhana.domain.errors import InvalidInput
from karkhana.domain.money import picos, usd
from karkhana.domain.spending import Account
from karkhana.routing.ledger_keeping import Closing, LedgerKeeper, Reservation
from karkhana.storage.database import open_database
from karkhana.storage.ledger_store import ClosedEntry, LedgerStore


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A house with two calls: one that is settled, one that is in doubt."""
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path))
    with open_database(None, tmp_path) as database:
        keeper = LedgerKeeper(LedgerStore(database), lambda: 1.0)
        keeper.start()
        made = [
            Reservation(
                entry=number,
                account=Account("k", "web"),
                provider="p",
                model="m",
                prices="v",
                amount=picos(usd("0.5")),
                at=1.0,
                day="2026-11-21",
                attempt=f"call-{number}-1",
            )
            for number in (1, 2)
        ]
        keeper.keep(made, [])
        costs = ("settled", usd("0.125")), ("unknown", usd("0.5"))
        keeper.keep(
            [],
            [
                Closing(each, ClosedEntry(each.entry, s, picos(c), 2.0))
                for each, (s, c) in zip(made, costs, strict=True)
            ],
        )
    return tmp_path


def said(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_entries_and_sums_are_told() -> None:
    assert [entry["attempt"] for entry in said("list")["entries"]] == ["call-1-1", "call-2-1"]
    assert [entry["cost"] for entry in said("list", "--state", "unknown")["entries"]] == ["0.500000000000"]
    assert said("list", "--after", "1", "--limit", "1")["entries"][0]["entry"] == 2
    (team,) = said("sums", "--by", "team")["sums"]
    assert (team["name"], team["calls"], team["unknown"], usd(team["cost"])) == ("web", 2, 1, usd("0.625"))


def test_tables_are_for_people() -> None:
    told = CliRunner().invoke(app, ["list"], catch_exceptions=False).stdout
    assert "call-2-1" in told
    assert "$0.125" in told
    assert "web" in CliRunner().invoke(app, ["sums", "--by", "team"], catch_exceptions=False).stdout


def test_what_is_in_doubt_is_settled_by_the_providers_words(home: Path) -> None:
    file = home / "told.ndjson"
    file.write_text('{"attempt": "call-2-1", "cost_usd": "0.1"}\n{"attempt": "call-1-1", "cost_usd": "0.1"}\n')
    words = CliRunner().invoke(app, ["resolve", str(file)], catch_exceptions=False).stdout
    assert words.startswith("1 entries corrected, $0.4 freed; 1 records were")
    assert said("resolve", str(file))["corrected"] == 0
    assert said("list", "--state", "unknown")["entries"] == []
    assert usd(said("sums")["sums"][0]["cost"]) == usd("0.225")


def test_a_file_that_makes_no_sense_changes_nothing(home: Path) -> None:
    file = home / "told.ndjson"
    file.write_text('{"attempt": "call-2-1", "cost_usd": "0.1"}\n{"attempt": "call-2-1", "cost_usd": "-1"}\n')
    with pytest.raises(InvalidInput, match="line 2"):
        CliRunner().invoke(app, ["resolve", str(file)], catch_exceptions=False)
    assert len(said("list", "--state", "unknown")["entries"]) == 1
