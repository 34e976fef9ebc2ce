"""What an operation of the API is: declared once, with its shapes and the role that it needs.

Before a handler is called the thing that the request is about was found, and it was seen that whoever asks may see it
and do this with it: a handler cannot forget to ask. Knows nothing of HTTP's bytes, nor of OpenAPI.
"""

import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
import sqlalchemy as sa

from karkhana.domain.access import Principal, Role
from karkhana.domain.tasks import Task
from karkhana.storage.run_lists import RunRow
from karkhana.web.site import Site

T = TypeVar("T")
JSON = "application/json"
STREAM = "text/event-stream"
MOST = 200
"""Items on a page."""


class About(enum.Enum):
    """What a request is about, which says where the role is needed."""

    NOBODY = "nobody"
    """Needs no role at all."""
    SOME = "some"
    """The products that somebody has the role for; the handler is given only these."""
    OWN = "own"
    """What somebody keeps themselves; the handler says what that is. Other things do not exist for them."""
    ALL = "all"
    """The factory as a whole: the role for ``*``."""
    RUN = "run"
    """The product of the run in the path."""
    TASK = "task"
    """The product of the task in the path."""
    PRODUCT = "product"
    """The product in the path."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list."""

    items: list[T]
    next: str | None = None
    """The cursor of the next part; ``null``: there is none."""


@dataclass(frozen=True)
class Answer:
    """What came of a request."""

    value: Any = None
    """A shape of the contract; bytes for other media than JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    """Another one than the operation's usual."""
    target: str = ""
    """What it was about, for the audit, where the path does not say so."""
    product: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """For the audit."""
    audited: bool = False
    """It stands in the audit, written together with what was done."""
    stream: AsyncIterator[bytes] | None = None


@dataclass(frozen=True)
class Writing:
    """What is left to be written, in one transaction with the audit and the memory of the answer.

    See ``Idempotency-Key``.
    """

    write: Callable[[sa.Connection], Answer]
    after: Callable[[Answer], None] = lambda _answer: None
    """What is left to be done once all is written."""
    held: Callable[[], AbstractContextManager[None]] = nullcontext
    """What is taken before the transaction, and let go of after it."""


@dataclass(frozen=True)
class Call:
    """One request, once it was read and allowed."""

    site: Site
    principal: Principal
    role: Role
    path: Mapping[str, str]
    watch: Callable[[str, int], AsyncIterator[bytes]]
    """Yields when something may have happened in a run."""
    query: Any = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    found_run: RunRow | None = None
    found_task: Task | None = None
    operations: Sequence["Operation"] = ()
    """All of the API."""

    @property
    def run(self) -> RunRow:
        assert self.found_run is not None, "the operation is not about a run"
        return self.found_run

    @property
    def task(self) -> Task:
        assert self.found_task is not None, "the operation is not about a task"
        return self.found_task

    @property
    def by(self) -> str:
        """Who answers for it, as trails name them: of a token whoever made it, so that four eyes are two persons'."""
        return self.principal.owner or self.principal.name

    @property
    def seen(self) -> tuple[bool, frozenset[str]]:
        """The products that the role is had for, as :meth:`karkhana.domain.access.Principal.products`."""
        return self.principal.products(self.role)

    def sees(self, product: str) -> bool:
        """Whether the role is had for a product."""
        return self.principal.may(self.role, product)


Handler: TypeAlias = Callable[[Call], Answer | Writing]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """Below ``/api/v1``, with ``{name}`` for what varies."""
    name: str
    """OpenAPI's ``operationId``."""
    tag: str
    summary: str
    handler: Handler
    about: About
    role: Role = Role.VIEWER
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    """The shape of the answer; ``None`` for none."""
    media: str = JSON
    status: int = 200
    errors: tuple[int, ...] = ()
    """Statuses of problems besides those that follow from the rest of the declaration."""
    action: str = ""
    """The name in the audit of what it changes; empty: it changes nothing."""
    secret: bool = False
    """The answer holds a secret, which is not kept for a repeated request."""
    tagged: bool = False
    """The answer has an ``ETag``, and ``If-None-Match`` is heeded."""
    bound: bool = False
    """``If-Match`` is heeded."""
    located: bool = False
    """The answer says where the new thing is (``Location``)."""

    @property
    def parameters(self) -> list[str]:
        """Names in the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a request that mean something to it, with their form; empty: any."""
        found = {"If-None-Match": ""} if self.tagged else {}
        if self.media == STREAM:
            found["Last-Event-ID"] = "[0-9]{1,9}"
        return found

    @property
    def paged(self) -> bool:
        """Whether the answer is a part of a list."""
        return self.query is not None and "cursor" in self.query.__struct_fields__
