"""The catalogue of templates: what is known about each besides how it works.

>>> catalogue()["comparison-operator"].title
'wrong comparison'
"""

import functools
import importlib
import pkgutil
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import msgspec

from karkhana.engineers.symbolic.generation import templates
from karkhana.engineers.symbolic.generation.scene import (
    FILE_TEMPLATES,
    TEMPLATES,
    FileScene,
    FileTemplate,
    Idea,
    Scene,
    Template,
)

for _module in pkgutil.iter_modules(templates.__path__):
    # Importing a module of templates registers them.
    importlib.import_module(f"{templates.__name__}.{_module.name}")


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
    likely: Mapping[str, float] = {}
    """Failure → how many times likelier the template is then."""
    failure: Mapping[str, Any] | None = None
    classes: tuple[str, ...] = ()
    module: str = ""
    """The rest of the example's file."""
    expected: tuple[str, ...] = ()
    told: str = ""
    """What the example's ticket says."""
    declarations: bool = False
    """It also makes sense for constants of modules and classes."""

    texts: bool = False
    """It is about strings: of constants that hold some, likelier at fault than anything else."""

    everywhere: bool = False
    """The same change is also tried in all places of the function at once."""

    @property
    def template(self) -> Template | None:
        """``None`` for a template that looks at whole files."""
        return TEMPLATES.get(self.name)

    @property
    def file_template(self) -> FileTemplate | None:
        return FILE_TEMPLATES.get(self.name)

    def ideas(self, scene: Scene) -> Iterator[Idea]:
        """What the template makes of one function."""
        return self.template(scene) if self.template is not None else iter(())

    def file_ideas(self, scene: FileScene) -> Iterator[Idea]:
        """What the template makes of one file."""
        return self.file_template(scene) if self.file_template is not None else iter(())


@functools.cache
def catalogue() -> Mapping[str, Entry]:
    """All templates by name. Raises ``ValueError`` when the data and the code do not name the same ones."""
    text = resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    data.pop("version")
    found = {name: msgspec.convert({"name": name, **fields}, Entry) for name, fields in data.items()}
    written = {*TEMPLATES, *FILE_TEMPLATES}
    if set(found) != written:
        raise ValueError(f"catalogue.toml and the templates differ: {sorted(set(found) ^ written)}")
    return found
