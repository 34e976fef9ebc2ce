"""Every kind of door, by its name in the settings. Knows nothing of what they read."""

from karkhana.domain.settings import IntakeDoor
from karkhana.intake.alertmanager import Alertmanager
from karkhana.intake.door import Door
from karkhana.intake.github import GitHub
from karkhana.intake.helpdesk import Helpdesk, mapping_of
from karkhana.intake.mail import Mail
from karkhana.intake.slack import Slack


def door_for(settings: IntakeDoor) -> Door:
    """The door. Raises ``InvalidSetting`` for a mapping that cannot be read."""
    match settings.kind:
        case "github":
            return GitHub()
        case "slack":
            return Slack()
        case "alertmanager":
            return Alertmanager(settings.repository_label)
        case "helpdesk":
            return Helpdesk(mapping_of(settings.mapping))
    return Mail(settings.verified_by)
