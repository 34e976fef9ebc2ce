"""The catalogue of templates: what is known about each besides how it works.

>>> catalogue()["comparison-operator"].title
'wrong comparison'
"""

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import msgspec

from karkhana.engineers.symbolic.scene import TEMPLATES, Template
from karkhana.engineers.symbolic.templates import (
    analogy,
    bounds,
    calls,
    expressions,
    fixers,
    guards,
    members,
    noneness,
    operators,
    passing_on,
    raising,
    statements,
    texts,
    variables,
)

MODULES = (
    analogy,
    bounds,
    calls,
    expressions,
    fixers,
    guards,
    members,
    noneness,
    operators,
    passing_on,
    raising,
    statements,
    texts,
    variables,
)
"""Where the templates are; importing these registers them."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One template."""

    name: str
    prior: float
    """Relative share of real one-place bugs that it repairs."""
    title: str
    before: str
    after: str
    errors: tuple[str, ...] = ()
    """Failures that it answers to; empty: any."""
    failure: Mapping[str, Any] | None = None
    classes: tuple[str, ...] = ()
    module: str = ""
    """The rest of the example's file."""
    expected: tuple[str, ...] = ()
    declarations: bool = False
    """It also makes sense for constants of modules and classes."""

    @property
    def template(self) -> Template:
        return TEMPLATES[self.name]


@functools.cache
def catalogue() -> Mapping[str, Entry]:
    """All templates by name. Raises ``ValueError`` when the data and the code do not name the same ones."""
    text = resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    data.pop("version")
    found = {name: msgspec.convert({"name": name, **fields}, Entry) for name, fields in data.items()}
    if set(found) != set(TEMPLATES):
        raise ValueError(f"catalogue.toml and the templates differ: {sorted(set(found) ^ set(TEMPLATES))}")
    return found
