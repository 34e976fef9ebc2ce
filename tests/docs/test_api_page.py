"""The page of the API names every operation, every type of message, and only what there is."""

import re
from pathlib import Path

import pytest

from karkhana.factory.webhooks import STATUSES, TYPES
from karkhana.web.api.operations import OPERATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
NAMED = set(re.findall(r"/[a-z{][a-z_{}/.-]*", PAGE))


@pytest.mark.parametrize("path", sorted({operation.path for operation in OPERATIONS}))
def test_every_path_is_named(path: str) -> None:
    below = path.removeprefix("/runs/{run_id}") if path.startswith("/runs/{run_id}/") else path
    assert {path, below} & NAMED


@pytest.mark.parametrize("type", sorted({name for name in TYPES if name.removeprefix("task.") not in STATUSES}))
def test_every_type_of_message_is_named(type: str) -> None:
    assert f"`{type}`" in PAGE


@pytest.mark.parametrize("code", sorted(set(re.findall(r"`([a-z]+_[a-z_]+)`\)", PAGE))))
def test_no_code_is_named_that_is_never_told(code: str) -> None:
    room = Path(__file__).parents[2] / "src" / "karkhana" / "web" / "api"
    assert any(f'"{code}"' in module.read_text() for module in room.glob("*.py"))
