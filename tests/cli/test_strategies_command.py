import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from karkhana.cli.commands.strategies import app
from karkhana.domain.errors import InvalidInput
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import TaskType
from karkhana.engineers.llm.strategies import shipped
from karkhana.factory.stores import open_stores
from karkhana.learning.shelf import Figures, Kept, Shelf, Standing


def test_a_strategy_is_retired_and_the_audit_says_by_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path))
    strategy = Strategy(name="tests-first", version=1, text="Run the tests.", types=(TaskType.BUGFIX,))
    won = Figures(against="plain@1", tickets=8, wins=6, losses=0, p_value=0.016, level=0.025)
    Shelf(tmp_path, shipped()).keep(Kept(strategy=strategy, standing=Standing.ADMITTED, figures=won))
    CliRunner().invoke(app, ["retire", "plain"], catch_exceptions=False)
    found = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert {each["strategy"]: each["standing"] for each in found} == {"plain@1": "retired", "tests-first@1": "admitted"}
    with pytest.raises(InvalidInput, match="last strategy"):
        CliRunner().invoke(app, ["retire", "tests-first"], catch_exceptions=False)
    with open_stores() as stores:
        (entry,) = stores.audit.entries()
    assert (entry.action, entry.target, entry.via) == ("strategy.retire", "plain@1", "terminal")
