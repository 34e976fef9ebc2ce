"""Opens the doors that the settings name: each with its kind and its secrets. Knows nothing of deliveries."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from karkhana.domain.access import EVERYTHING, Principal, Role
from karkhana.domain.errors import InvalidInput, InvalidSetting
from karkhana.domain.settings import IntakeDoor, Settings
from karkhana.intake.door import Door
from karkhana.intake.kinds import door_for

VIA = "door"
"""How whoever comes by a door was recognised."""
SHORTEST_SECRET = 16
"""Bytes; a shorter one could be found by trying."""


@dataclass(frozen=True)
class OpenDoor:
    """A door with what it needs."""

    settings: IntakeDoor
    door: Door
    secrets: tuple[bytes, ...] = field(repr=False)


def principal_of(door: IntakeDoor, sender: str) -> Principal:
    """Who a sender is here, and what they may: decide, if they are named for that, else ask."""
    approves = sender.casefold() in {name.casefold() for name in door.approvers}
    role = Role.APPROVER if approves else Role.OPERATOR
    return Principal(name=door.person(sender), roles={EVERYTHING: role}, via=VIA)


def open_doors(
    settings: Settings, reveal: Callable[[str], str], environ: Mapping[str, str] = os.environ
) -> dict[str, OpenDoor]:
    """The doors that are reached by HTTP, by name. ``reveal`` opens a sealed secret.

    Raises ``InvalidSetting`` for a secret that is missing or short, and what ``reveal`` raises without its key.
    """
    return {
        name: OpenDoor(door, door_for(door), _secrets(name, door, reveal, environ))
        for name, door in settings.intake.items()
        if door.kind != "mail"
    }


def _secrets(
    name: str, door: IntakeDoor, reveal: Callable[[str], str], environ: Mapping[str, str]
) -> tuple[bytes, ...]:
    if not door.secret_variables and not door.secrets:
        raise InvalidSetting(
            f"[intake.{name}] has no secret",
            "Name the environment variables that hold it: secret_variables = [...], or sealed secrets: secrets = [...]",
        )
    found = {variable: environ.get(variable, "") for variable in door.secret_variables}
    try:
        found |= {f"the sealed secret {sealed}": reveal(sealed) for sealed in door.secrets}
    except InvalidInput as error:
        raise InvalidSetting(f"[intake.{name}]: {error.message}", error.next) from error
    for place, secret in found.items():
        if len(secret.encode("utf-8", "surrogateescape")) < SHORTEST_SECRET:
            raise InvalidSetting(
                f"[intake.{name}]: {place} is not set, or shorter than {SHORTEST_SECRET} characters",
                "Make one and give it to the sender too: openssl rand -hex 32",
            )
    return tuple(secret.encode("utf-8", "surrogateescape") for secret in found.values())
