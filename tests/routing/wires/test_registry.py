import re
from pathlib import Path

import pytest
from losses import LOST, REFUSED

from karkhana.domain.chat import ChatRequest, Message, Role, Text
from karkhana.routing.framing import JSON_LINES
from karkhana.routing.wires.registry import WIRES

PAGE = (Path(__file__).parents[3] / "docs" / "design" / "wires.md").read_text()


def rows(heading: str) -> dict[str, str]:
    """Wire → what stands beside it in the table after a heading."""
    table = PAGE.partition(heading)[2].partition("\n\n|")[2].partition("\n\n")[0]
    return {found[1]: found[2] for found in re.finditer(r"^\| `(\w+)` \| (.*) \|$", table, re.M)}


@pytest.mark.parametrize("name", WIRES)
def test_a_wire_is_named_as_it_is_registered_and_documented(name: str) -> None:
    wire = WIRES[name]
    assert wire.name == name
    asked = ChatRequest(model="MODEL", messages=(Message(role=Role.USER, parts=(Text(text="x"),)),))
    path = wire.client.call(asked, "").path
    row = rows("## The objects")[name]
    assert f"`{path}`" in row
    assert ("one JSON value a line" in row) is (wire.framing == JSON_LINES)


@pytest.mark.parametrize("name", WIRES)
def test_what_tests_excuse_is_documented(name: str) -> None:
    refused, left_out = rows("**Refused**"), rows("**Left out**")
    assert set(refused.get(name, "").split("; ")) == set(REFUSED[name] or ("",))
    for each in LOST[name]:
        assert each in left_out[name]
