"""The file in docs/gateway.md is right, and the page tells every field."""

import re
from inspect import getsource
from pathlib import Path

import pytest

from karkhana.routing.configuration import (
    ModelEntry,
    PriceEntry,
    ProviderEntry,
    Serving,
    read_configuration,
)
from karkhana.routing.gateway import metrics
from karkhana.routing.gateway.doors import DOORS
from karkhana.routing.policy.settings import Capability, PolicySettings
from karkhana.routing.settings import CacheSettings, TelemetrySettings
from karkhana.routing.wires.registry import WIRES

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
EXAMPLE = re.findall(r"```toml\n(.*?)```", PAGE, re.S)[0]
KINDS = (Serving, ProviderEntry, ModelEntry, PriceEntry, Capability, PolicySettings, CacheSettings, TelemetrySettings)


def test_the_example_is_read() -> None:
    found = read_configuration(EXAMPLE, environ={"CLOUD_KEY": "k"})
    assert sorted(found.models) == ["fast", "smart"]
    assert found.models["smart"].entry.output == 8192


def test_the_example_of_a_policy_is_read_with_it() -> None:
    policy = next(block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.S) if "[policy]" in block)
    found = read_configuration(EXAMPLE + policy, environ={"CLOUD_KEY": "k"})
    assert found.models["auto"].entry.policy == "cheap_first"
    assert not found.capabilities["local/qwen2.5-coder"].tools


@pytest.mark.parametrize(
    "field",
    sorted({name for kind in KINDS for name in kind.__struct_fields__}),
)
def test_every_field_is_in_the_manual(field: str) -> None:
    assert f"`{field}`" in PAGE


@pytest.mark.parametrize("name", sorted(set(re.findall(r'_PREFIX \+ "(\w+)"', getsource(metrics)))))
def test_every_metric_is_in_the_manual(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("word", [*WIRES, *(path for path in DOORS if path.startswith("/v1"))])
def test_every_wire_and_door_is_in_the_manual(word: str) -> None:
    assert word in PAGE
