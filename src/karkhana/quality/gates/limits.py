"""Limits that gates judge by, from ``limits.toml``.

>>> limits("duration")["ratio"]
1.25
"""

import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any


@lru_cache(maxsize=1)
def _data() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.files("karkhana.quality.gates").joinpath("limits.toml").read_text("utf-8"))


def limits(gate: str) -> dict[str, Any]:
    """The table of one gate. Raises ``KeyError`` when it has none."""
    return _data()[gate]
