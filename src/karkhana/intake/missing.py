"""What a ticket would have to say and does not, and the one question that asks for it (:file:`missing.toml`).

Knows texts and what others found in them; what the repository itself answers is never asked. Nothing is run.

>>> given = given_in(take_apart("The cart is broken"), "The cart is broken")
>>> lacking("bugfix", given)
'observation'
>>> question("observation", given, subject="")[:40]
'What exactly goes wrong? Name the call o'
"""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from karkhana.intake.words import TEXT_MAX, Parts, take_apart

__all__ = ["Given", "given_in", "lacking", "question", "take_apart"]


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket, or the repository for it, gives."""

    trace: bool = False
    """A stack trace or the name of an error."""
    example: bool = False
    """Code, a session, or output."""
    call: bool = False
    """A call or a command with its arguments."""
    steps: bool = False
    expected: bool = False
    """What should happen."""
    actual: bool = False
    """What happens."""
    version: bool = False
    """A number of a version."""
    failing_test: bool = False
    """A test of the repository fails."""
    check: bool = False
    """Something that can be checked by running it."""
    place: bool = False
    """A file, or a name that the repository defines."""
    package: bool = False
    """A package that the repository depends on."""


def given_in(parts: Parts, text: str) -> Given:
    """What the text itself gives."""
    text = text[:TEXT_MAX]
    found = {name: _pattern(name).search(text) is not None for name in _table()["pattern"]}
    return Given(trace=bool(parts.frames or parts.error), example=parts.blocks > 0, **found)


def lacking(type: str, given: Given) -> str:
    """The name of what a ticket of this type lacks; empty when it has enough to begin with."""
    have = msgspec.to_builtins(given)
    for need in _table()["need"]:
        if type in need["types"] and not any(all(have[name] for name in each) for each in need["enough"]):
            return str(need["name"])
    return ""


def question(missing: str, given: Given, *, subject: str) -> str:
    """The question that asks for what is missing; ``subject`` is a call or a name of the ticket, if there is one."""
    need = next(each for each in _table()["need"] if each["name"] == missing)
    have = msgspec.to_builtins(given)
    for variant in need["question"]:
        if all(have[name] for name in variant.get("given", ())) and (subject or "{subject}" not in variant["text"]):
            return str(variant["text"]).format(subject=subject)
    raise AssertionError("the last question of each need asks for nothing else")


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(_table()["pattern"][name], re.IGNORECASE | re.MULTILINE)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((resources.files("karkhana.intake") / "missing.toml").read_text("utf-8"))
