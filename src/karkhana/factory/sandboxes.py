"""Where engineers and gates work: workspaces of a kind, under the settings. Importing it brings in no other room."""

from karkhana.domain.settings import Settings
from karkhana.ports import Workspaces
from karkhana.workspace.environment import Environments
from karkhana.workspace.local import LocalWorkspaces


def workspaces_for(settings: Settings, kind: str) -> Workspaces:
    """Workspaces of a sandbox kind under these settings."""
    environments = Environments(settings.home, settings.environment, settings.sandbox, kind=kind)
    return LocalWorkspaces(settings.home, settings.sandbox, environments=environments, kind=kind)
