"""Opens the channels that the settings name: each door's client with its credentials. Knows nothing of answers."""

import os
from collections.abc import Callable, Mapping

from karkhana.domain.errors import InvalidSetting, KarkhanaError
from karkhana.domain.settings import IntakeAnswers, IntakeDoor
from karkhana.http.pool import Pool
from karkhana.intake.answers.calling import Calls
from karkhana.intake.answers.channel import Channel, LockedOut
from karkhana.intake.answers.github import API as GITHUB
from karkhana.intake.answers.github import HEADERS, GitHubChannel
from karkhana.intake.answers.github_access import Access, App, Secret, Token
from karkhana.intake.answers.helpdesk import HelpdeskChannel
from karkhana.intake.answers.mail import MailChannel
from karkhana.intake.answers.slack import API as SLACK
from karkhana.intake.answers.slack import SlackChannel
from karkhana.intake.helpdesk import mapping_of

Sealed = Callable[[str], str]
"""A sealed secret by its name. Raises ``KarkhanaError``."""


def channel_for(name: str, door: IntakeDoor, pool: Pool, sealed: Sealed | None = None) -> Channel | None:
    """The channel by which a door is answered; ``None``: it is not. Raises ``InvalidSetting``."""
    answers = door.answers
    if answers is None:
        return None
    secret = secret_of(name, answers, sealed)
    match door.kind:
        case "github":
            calls = Calls(pool, answers.address or GITHUB, HEADERS)
            access: Access = App(answers.app, secret, calls) if answers.app else Token(secret)
            return GitHubChannel(calls, access, pull_requests=answers.pull_requests, labels=dict(answers.labels))
        case "slack":
            return SlackChannel(Calls(pool, answers.address or SLACK, {"accept": "application/json"}), secret)
        case "helpdesk":
            replies = mapping_of(door.mapping).answer
            if replies is None:
                raise InvalidSetting(
                    f"[intake.{name}.answers]: the mapping {door.mapping} does not say how it is answered",
                    "Add [answer] to it as in the mappings that are shipped, or remove the answers.",
                )
            calls = Calls(pool, answers.address, {"accept": "application/json"})
            return HelpdeskChannel(calls, replies, secret, user=answers.user, public=answers.public)
        case "mail":
            return MailChannel(answers.address, answers.sender, user=answers.user, secret=secret)
    return None


def secret_of(
    name: str, answers: IntakeAnswers, sealed: Sealed | None = None, environ: Mapping[str, str] = os.environ
) -> Secret:
    """Reads the secret whenever it is needed, so that a new one needs no restart."""

    def read() -> str:
        found: str | None = ""
        if answers.secret_variable:
            found = environ.get(answers.secret_variable)
        elif answers.secret_file is not None:
            try:
                found = answers.secret_file.expanduser().read_text()
            except (OSError, ValueError) as error:
                raise LockedOut(f"[intake.{name}.answers]: {answers.secret_file} cannot be read") from error
        elif answers.secret_sealed:
            found = _unsealed(name, answers.secret_sealed, sealed)
        if found is None:
            raise LockedOut(f"[intake.{name}.answers]: the secret is not there")
        return found.strip()

    return read


def _unsealed(name: str, wanted: str, sealed: Sealed | None) -> str | None:
    try:
        return sealed(wanted) if sealed is not None else None
    except KarkhanaError as error:
        raise LockedOut(f"[intake.{name}.answers]: {error.message}") from error
