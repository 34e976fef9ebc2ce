"""Fills the texts that models are told; the texts themselves are data (``prompts/``). Knows nothing of models.

>>> nudge("repeat", count=3)[:38]
'You have made the same call 3 times wi'
"""

import functools
import tomllib
from importlib import resources
from typing import Any

import jinja2
import msgspec

from karkhana.domain.chat import Tool

_FOLDER = resources.files(__package__)


@functools.cache
def _templates() -> jinja2.Environment:
    # Prompts are plain text: nothing is to be escaped for HTML.
    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "prompts"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


@functools.cache
def _texts() -> dict[str, dict[str, str]]:
    return tomllib.loads((_FOLDER / "prompts" / "texts.toml").read_text("utf-8"))


def filled(template: str, **values: Any) -> str:
    """A template of ``prompts/`` with all of its values. Raises ``jinja2.UndefinedError`` if one is missing."""
    return _templates().get_template(f"{template}.j2").render(values).strip()


def told(table: str, name: str, /, **values: Any) -> str:
    """A short text; ``table`` is that of ``texts.toml``."""
    return _texts()[table][name].format(**values)


def nudge(name: str, /, **values: Any) -> str:
    """What a model is told that does not get on."""
    return told("nudge", name, **values)


@functools.cache
def tools(*, brief: bool = False) -> tuple[Tool, ...]:
    """What a model may call, as the wires take it; ``brief``: what a weak one is offered of it."""
    file = "tools_brief.json" if brief else "tools.json"
    return msgspec.json.decode((_FOLDER / file).read_bytes(), type=tuple[Tool, ...])
