"""Shapes that several operations share: pages, filters, and the small answers.

Fields of queries are plain (no ``null``), as the text ``null`` in an address is a text.
"""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, UnsetType

from karkhana.web.api import cursors
from karkhana.web.api.contract import MOST, Page
from karkhana.web.api.problems import Refusal

T = TypeVar("T")
Cursor = Annotated[str, Meta(min_length=1, max_length=cursors.LONGEST, description="From `next` of the page before.")]
Limit = Annotated[int, Meta(ge=1, le=MOST, description="Items on a page.")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
"""Of a product, a person, a model."""
Line = Annotated[str, Meta(max_length=2000, description="Kept in the trail or the audit.")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64)]


class Paging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a list."""

    cursor: Cursor | UnsetType = msgspec.UNSET
    limit: Limit = 50


class Acted(msgspec.Struct, frozen=True, kw_only=True):
    """What something was asked for, and how it stands now."""

    run_id: str = ""
    task_id: str
    status: str


def given(value: T | UnsetType) -> T | None:
    """What was given, or nothing."""
    return None if isinstance(value, UnsetType) else value


def position(of: str, query: Any) -> str:
    """The place that a cursor of the list ``of`` (with its filters) stands for; empty: the beginning.

    Raises :class:`Refusal` for a cursor of another list, or of none.
    """
    if isinstance(query.cursor, UnsetType):
        return ""
    found = cursors.read(listed(of, query), query.cursor)
    if found is None:
        raise Refusal(404, "no_such_page", "The cursor is not of this list.", "Begin again without it.")
    return found


def listed(of: str, query: Any) -> str:
    """The list with its filters, as cursors know it."""
    filters = {name: value for name, value in msgspec.to_builtins(query).items() if name not in ("cursor", "limit")}
    return of + "?" + msgspec.json.encode(filters, order="sorted").decode()


def page(of: str, query: Any, found: list[tuple[T, str]]) -> Page[T]:
    """A page of those found, each with its place; one more than ``limit`` says that there is more."""
    shown = found[: query.limit]
    following = cursors.write(listed(of, query), shown[-1][1]) if len(found) > query.limit else None
    return Page([item for item, _ in shown], following)
