"""What is answered when something cannot be done: problem details (RFC 9457) with our codes and the next step.

>>> problem(UnknownRun("there is no run run_1", "see: karkhana runs list")).status
404
"""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from karkhana.domain.errors import (
    DatabaseUnavailable,
    InfrastructureFailure,
    InvalidInput,
    KarkhanaError,
    TicketTooLarge,
    UnknownRun,
    UnknownTask,
)

MEDIA = "application/problem+json"
STATUSES: Mapping[type[KarkhanaError], int] = {
    UnknownRun: 404,
    UnknownTask: 404,
    TicketTooLarge: 413,
    InvalidInput: 409,
    DatabaseUnavailable: 503,
    InfrastructureFailure: 503,
    KarkhanaError: 409,
}
"""By the nearest class. What can be read but not be done as things stand is a conflict."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was not carried out (RFC 9457)."""

    type: str
    """``urn:karkhana:problem:`` and the code."""
    title: str
    status: int
    detail: str
    """What and where."""
    code: str
    """The stable name for programs."""
    next: str = ""
    """The step that helps."""


class Refusal(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self, status: int, code: str, detail: str, next: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.problem = made(status, code, detail, next)
        self.headers = dict(headers or {})


def made(status: int, code: str, detail: str, next: str = "") -> Problem:
    """A problem with the title that belongs to its status."""
    title = HTTPStatus(status).phrase
    return Problem(type=f"urn:karkhana:problem:{code}", title=title, status=status, detail=detail, code=code, next=next)


def problem(error: KarkhanaError) -> Problem:
    """For an error that the factory raised on purpose."""
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    return made(status, error.code, error.message, error.next)


def missing(what: str) -> Refusal:
    """There is no such thing, or none that whoever asks may see."""
    return Refusal(404, "not_found", f"There is no {what} here.", "Look it up in its list.")


def forbidden(role: str) -> Refusal:
    """It may be seen, but this is more than that."""
    return Refusal(403, "forbidden", f"This needs the role {role}.", "Ask an admin for the role, or for another token.")
