"""Opens the doors that the settings name: each with its kind and its secrets. Knows nothing of deliveries."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from karkhana.domain.access import EVERYTHING, Principal, Role
from karkhana.domain.errors import InvalidSetting
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


def open_doors(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, OpenDoor]:
    """The doors that are reached by HTTP, by name. Raises ``InvalidSetting`` for a secret that is missing or short."""
    return {
        name: OpenDoor(door, door_for(door), _secrets(name, door, environ))
        for name, door in settings.intake.items()
        if door.kind != "mail"
    }


def _secrets(name: str, door: IntakeDoor, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    if not door.secret_variables:
        raise InvalidSetting(
            f"[intake.{name}] has no secret", "Name the environment variable that holds it: secret_variables = [...]"
        )
    for variable in door.secret_variables:
        if len(environ.get(variable, "").encode()) < SHORTEST_SECRET:
            raise InvalidSetting(
                f"[intake.{name}]: {variable} is not set, or shorter than {SHORTEST_SECRET} characters",
                "Make one and give it to the sender too: openssl rand -hex 32",
            )
    return tuple(environ[variable].encode() for variable in door.secret_variables)
