"""The server itself: whether it is well, who asks, what goes on, and the description of this API."""

from datetime import datetime
from typing import Any

import msgspec

from karkhana import __version__
from karkhana.domain.access import Role
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.tasks import Status
from karkhana.web.api.contract import About, Answer, Call, Operation, Page
from karkhana.web.api.description import describe
from karkhana.web.api.problems import Refusal
from karkhana.web.api.runs import RunItem, item

TAG = "service"
SHOWN = 50


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """This process answers and can read its database."""

    status: str
    version: str


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what they may."""

    name: str
    roles: dict[str, Role]
    """Product, or ``*`` for all, to role."""
    via: str
    token_id: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on, in the products that whoever asks may see."""

    queued: int
    waiting_for_review: int
    active: list[RunItem]
    """Runs that a worker holds, the oldest first; at most 50."""
    finished_today: dict[str, int]
    """Status → runs that have ended with it since midnight in the server's zone."""


def health(call: Call) -> Answer:
    try:
        call.site.lists.pulse()
    except KarkhanaError as error:
        raise Refusal(
            503, "not_ready", "The database cannot be read.", "Try again in a moment.", {"retry-after": "5"}
        ) from error
    return Answer(Health(status="ok", version=__version__))


def me(call: Call) -> Answer:
    who = call.principal
    return Answer(Me(name=who.name, roles=who.roles, via=who.via, token_id=who.token_id))


def summary(call: Call) -> Answer:
    lists, seen = call.site.lists, call.seen
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return Answer(
        Summary(
            queued=lists.queued(visible=seen),
            waiting_for_review=lists.count(Status.WAITING_FOR_REVIEW, visible=seen),
            active=[item(call, row) for row in lists.active(SHOWN, visible=seen)],
            finished_today=lists.finished_since(midnight.timestamp(), visible=seen),
        )
    )


def products(call: Call) -> Answer:
    return Answer(Page(call.site.lists.products(visible=call.seen)))


def description(call: Call) -> Answer:
    return Answer(describe(tuple(call.operations)))


OPERATIONS = (
    Operation(
        method="GET",
        path="/health",
        name="health",
        tag=TAG,
        summary="Whether the server is well",
        handler=health,
        about=About.NOBODY,
        answer=Health,
        errors=(503,),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        name="describe",
        tag=TAG,
        summary="This description",
        handler=description,
        about=About.NOBODY,
        answer=dict[str, Any],
        tagged=True,
    ),
    Operation(
        method="GET",
        path="/me",
        name="showMe",
        tag=TAG,
        summary="Who asks, and what they may",
        handler=me,
        about=About.SOME,
        answer=Me,
    ),
    Operation(
        method="GET",
        path="/summary",
        name="showSummary",
        tag=TAG,
        summary="What goes on",
        handler=summary,
        about=About.SOME,
        answer=Summary,
    ),
    Operation(
        method="GET",
        path="/products",
        name="listProducts",
        tag=TAG,
        summary="Products that have runs, at most 200",
        handler=products,
        about=About.SOME,
        answer=Page[str],
    ),
)
