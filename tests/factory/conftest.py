"""Runs through the line that are not about dear gates do without them; those that are ask for ``every_gate``."""

import pytest

DEAR = "mutation,differential,performance,second_opinion,traffic,api_fuzz"


@pytest.fixture(autouse=True)
def _few_gates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "every_gate" not in request.fixturenames:
        monkeypatch.setenv("KARKHANA_GATES_SKIP", DEAR)


@pytest.fixture
def every_gate() -> None:
    """All gates measure."""
