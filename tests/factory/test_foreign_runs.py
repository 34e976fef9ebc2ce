"""A run whose model calls a user's own tool: a real server of the protocol, the real line, a fake provider."""

import itertools
import sys
from pathlib import Path

import pytest
from benchmarks.common import small_repository
from model_provider import PRICE, events_of, provider_at, says

from karkhana.domain import events as ev
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order

FILES = {
    "area.py": "def area(width, height):\n    return width + height\n",
    "test_area.py": "from area import area\n\n\ndef test_oblong():\n    assert area(2, 5) == 10\n",
}
SERVER = """
from pathlib import Path
from mcp.server import MCPServer

server = MCPServer("tracker")

@server.tool()
def read_ticket(number: int) -> str:
    "The text of a ticket."
    return f"ticket {number}: the sides must be multiplied"

@server.tool()
def close_ticket(number: int) -> str:
    "Close it."
    Path(__file__).with_name("closed").touch()
    return "closed"

server.run("stdio")
"""
STEPS = (
    ("tracker__read_ticket", {"number": 7}),
    ("tracker__close_ticket", {"number": 7}),
    ("edit_file", {"path": "area.py", "old": "width + height", "new": "width * height"}),
    ("run_tests", {}),
    ("push_changes", {"title": "Multiply the sides", "summary": "area() added them."}),
)
REVIEW = """
[[answer]]
says = "What its author says"
text = '{"findings": []}'
"""


@pytest.mark.slow
def test_an_allowed_tool_is_used_another_refused_and_both_are_in_the_trail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    config = tmp_path / "config" / "karkhana" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[mcp.tracker]\ncommand = ["{sys.executable}", "{script}"]\ntools = ["read_ticket"]\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    repository = small_repository(tmp_path / "repository", FILES)
    steps = "".join(says(turn, each) for turn, each in enumerate(STEPS, 1))
    with provider_at(tmp_path, monkeypatch, PRICE + REVIEW + steps) as provider:
        provider.start()
        order, settings = make_order("area() is wrong, see ticket 7", repository, engineer="llm")
        result = work_in_foreground(order, settings, lambda _event: None)
    assert "+    return width * height" in result.diff, result.reason
    assert result.turns >= len(STEPS), "each call counts as a turn"
    events = events_of(result.run_id)
    calls = [
        (before.call, after)
        for before, after in itertools.pairwise(events)
        if isinstance(before, ev.ToolCalled) and isinstance(after, ev.ToolReturned) and "server" in before.call
    ]
    assert [(call["server"], call["name"], call["arguments"]) for call, _ in calls] == [
        ("tracker", "read_ticket", '{"number":7}'),
        ("tracker", "close_ticket", '{"number":7}'),
    ]
    (_, allowed), (_, refused) = calls
    assert allowed.error is None
    assert allowed.result["text"] == "ticket 7: the sides must be multiplied"
    assert refused.error is not None
    assert "there is no tool tracker__close_ticket" in refused.error
    assert not (tmp_path / "closed").exists()
