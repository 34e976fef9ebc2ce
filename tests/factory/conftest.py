"""Runs through the line that are not about dear gates do without them; those that are ask for ``every_gate``."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from short_lines import repository, settings

from homes import ready_home
from karkhana.factory.stores import Stores, open_stores

DEAR = "mutation,differential,performance,second_opinion,traffic,api_fuzz"


@pytest.fixture(autouse=True)
def _few_gates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "every_gate" not in request.fixturenames:
        monkeypatch.setenv("KARKHANA_GATES_SKIP", DEAR)


@pytest.fixture
def every_gate() -> None:
    """All gates measure."""


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """Of a home that stands already."""
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(tmp_path / "home")))
    with open_stores(settings()) as opened:
        yield opened


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small repository with a failing test."""
    return repository(tmp_path / "shop")
