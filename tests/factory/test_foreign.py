"""Users' own tools: a real server of the protocol as a process, talked to over its standard input and output."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from karkhana.domain.errors import InvalidSetting, ToolRefused
from karkhana.domain.settings import McpServer
from karkhana.factory.foreign import ForeignServers, foreign_tools

SERVER = """
import os, time
from mcp.server import MCPServer

server = MCPServer("tracker")

@server.tool()
def read_ticket(number: int) -> str:
    "The text of a ticket."
    return f"ticket {number}; secret: {os.environ.get('TRACKER_TOKEN')}"

@server.tool()
def close_ticket(number: int) -> str:
    return "closed"

@server.tool()
def broken() -> str:
    raise RuntimeError("the tracker is away")

@server.tool()
def slow() -> str:
    time.sleep(60)
    return "late"

server.run("stdio")
"""


def settings(tmp_path: Path, *tools: str, timeout_s: float = 20.0) -> dict[str, McpServer]:
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    return {"tracker": McpServer(command=(sys.executable, str(script)), tools=tools, timeout_s=timeout_s)}


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForeignServers]:
    monkeypatch.setenv("TRACKER_TOKEN", "hunter2")
    with foreign_tools(settings(tmp_path, "read_ticket", "broken")) as made:
        assert made is not None
        yield made


def test_only_allowed_tools_are_offered_and_called(servers: ForeignServers) -> None:
    assert [tool.name for tool in servers.tools] == ["tracker__read_ticket", "tracker__broken"]
    assert servers.tools[0].description == "The text of a ticket."
    assert servers.tools[0].parameters["required"] == ["number"]
    assert servers.call("tracker", "read_ticket", '{"number": 7}').text.startswith("ticket 7")
    with pytest.raises(ToolRefused, match="no tool tracker__close_ticket"):
        servers.call("tracker", "close_ticket", '{"number": 7}')


def test_a_server_sees_nothing_of_the_factory_s_environment(servers: ForeignServers) -> None:
    assert servers.call("tracker", "read_ticket", '{"number": 1}').text == "ticket 1; secret: None"


def test_a_tool_that_fails_says_so(servers: ForeignServers) -> None:
    answer = servers.call("tracker", "broken", "{}")
    assert answer.failed
    wrong = servers.call("tracker", "read_ticket", '{"number": "seven"}')
    assert wrong.failed


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_left(tmp_path: Path) -> None:
    with foreign_tools(settings(tmp_path, "slow", timeout_s=1.0)) as made:
        assert made is not None
        with pytest.raises(ToolRefused, match="did not answer within 1 s"):
            made.call("tracker", "slow", "{}")


def test_mistakes_in_the_settings_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="has no tool 'reed'"), foreign_tools(settings(tmp_path, "reed")):
        pass
    gone = {"gone": McpServer(command=(str(tmp_path / "nothing"),), tools=("x",))}
    with pytest.raises(InvalidSetting, match="does not work"), foreign_tools(gone):
        pass


def test_without_servers_there_are_no_tools() -> None:
    with foreign_tools({}) as made:
        assert made is None
