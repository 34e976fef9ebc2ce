"""Every kind of door that is reached by HTTP, by its name in the settings. Knows nothing of what they read."""

from karkhana.domain.settings import IntakeDoor
from karkhana.intake.door import Door
from karkhana.intake.github import GitHub


def door_for(settings: IntakeDoor) -> Door | None:
    """The door; ``None`` for a kind that is not reached by HTTP."""
    match settings.kind:
        case "github":
            return GitHub()
        case _:
            return None
