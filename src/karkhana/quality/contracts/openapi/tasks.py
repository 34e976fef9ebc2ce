"""What a comparison of schemas has to do next. Knows nothing of how it is done."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from karkhana.quality.contracts.openapi.documents import Node
from karkhana.quality.contracts.openapi.findings import Direction
from karkhana.quality.contracts.openapi.views import Nodes, View

Shape = tuple[tuple[Node, bool], ...]
"""A conjunction of schemas; those with ``True`` without their alternatives."""


class Task(NamedTuple):
    """Two schemas to compare. ``name``: what they describe, in words."""

    direction: Direction
    operation: str
    name: str
    old: Shape
    new: Shape


class Views(Protocol):
    """Reads schemas of either description."""

    def old_view(self, parts: Shape) -> View: ...

    def new_view(self, parts: Shape) -> View: ...

    def one_type(self, parts: Shape, name: str) -> Shape: ...


class Walking(Protocol):
    """The comparison that is under way."""

    @property
    def schemas(self) -> Views: ...

    def push(self, task: Task, name: str, old: Nodes, new: Nodes) -> None: ...

    def fits(self, task: Task, inner: Shape, outer: Shape) -> bool: ...

    def say(
        self,
        task: Task,
        code: str,
        old: Node | None = None,
        new: Node | None = None,
        /,
        *,
        name: str = "",
        was: str = "",
        now: str = "",
    ) -> None: ...


def shape(nodes: Iterable[Node]) -> Shape:
    """A conjunction of whole schemas."""
    return tuple((node, False) for node in nodes)


def roles(direction: Direction, old: View, new: View) -> tuple[View, View]:
    """``(inner, outer)``: the side whose values have to fit, and the one that has to admit them."""
    return (old, new) if direction is Direction.REQUEST else (new, old)


def within(place: str, name: str) -> str:
    """The words for a property."""
    return f"{place}.{name}" if place else name
