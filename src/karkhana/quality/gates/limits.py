"""Limits that gates judge by, from ``limits.toml``; within a block, others for some of them.

>>> limits("duration")["ratio"]
1.25
>>> with other_limits("duration", {"ratio": 1.5}):
...     limits("duration")["ratio"], limits("duration")["rounds"]
(1.5, 2)
"""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib import resources
from typing import Any

_OTHER: ContextVar[Mapping[str, Mapping[str, Any]]] = ContextVar("other limits", default={})  # noqa: B039 - never changed


@lru_cache(maxsize=1)
def _data() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("karkhana.quality.gates").joinpath("limits.toml").read_text("utf-8"))


def limits(gate: str) -> dict[str, Any]:
    """The table of one gate. Raises ``KeyError`` when it has none."""
    return {**_data()[gate], **_OTHER.get().get(gate, {})}


def all_limits() -> dict[str, dict[str, Any]]:
    """The tables of all gates, as they hold here."""
    return {gate: limits(gate) for gate in _data()}


@contextmanager
def other_limits(gate: str, rows: Mapping[str, Any]) -> Iterator[None]:
    """Within the block, ``rows`` take the place of those of the gate's table. Raises ``KeyError`` for unknown ones."""
    if unknown := rows.keys() - _data()[gate].keys():
        raise KeyError(f"the gate {gate} has no limit {min(unknown)}")
    token = _OTHER.set({**_OTHER.get(), gate: {**_OTHER.get().get(gate, {}), **rows}})
    try:
        yield
    finally:
        _OTHER.reset(token)
