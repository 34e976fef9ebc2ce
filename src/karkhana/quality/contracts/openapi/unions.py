"""Compares alternatives (``oneOf``, ``anyOf``) and the discriminators that tell them apart.

Where an alternative has no partner by name or content, one that includes it is searched by trial. An object that is
simply gone counts as gone even when another alternative admits its values: it was named for its own sake.

Knows nothing of properties or of single values.
"""

from collections.abc import Iterator

from karkhana.quality.contracts.openapi.alternatives import Pairing, pair
from karkhana.quality.contracts.openapi.documents import Node
from karkhana.quality.contracts.openapi.findings import Direction
from karkhana.quality.contracts.openapi.tasks import Shape, Task, Walking, shape
from karkhana.quality.contracts.openapi.views import Nodes, View


class Unions:
    """The alternatives of two schemas."""

    def __init__(self, walk: Walking, task: Task) -> None:
        self._walk = walk
        self._task = task
        self._request = task.direction is Direction.REQUEST

    def typed(self, seen: View, *, new: bool) -> View:
        """The schema with the types of all its alternatives, when it names none itself."""
        if seen.types is not None or not seen.groups:
            return seen
        each = [self._view(shape((alt,)), new=new).types for alt in seen.groups[0]]
        known = [types for types in each if types is not None]
        typed = View()
        typed.types = frozenset[str]().union(*known) if len(known) == len(each) else None
        return typed

    def compare(self, inner: View, outer: View) -> None:
        """Tell what breaks, and queue alternatives that are partners."""
        for index, group in enumerate(outer.groups):
            if index < len(inner.groups):
                mine = inner.groups[index]
                self._pairs(pair(mine, group) if self._request else pair(group, mine), group)
            elif not self._admitted(inner, group):
                self._walk.say(self._task, "alternatives_narrowed" if self._request else "alternatives_widened")

    def _pairs(self, found: Pairing, outer: Nodes) -> None:
        for was, now in found.pairs:
            self._walk.push(self._task, self._task.name, (was,), (now,))
        waiting, free = (
            (found.only_old, list(found.only_new)) if self._request else (found.only_new, list(found.only_old))
        )
        for alt in waiting:
            if self._included(alt, free if self._is_object(alt) else list(outer)):
                continue
            partner = next((other for other in free if self._alike(alt, other)), None)
            if partner is not None:
                free.remove(partner)
                was, now = (alt, partner) if self._request else (partner, alt)
                self._walk.push(self._task, self._task.name, (was,), (now,))
            elif self._request:
                self._walk.say(self._task, "alternative_removed", alt, name=_called(alt))
            else:
                self._walk.say(self._task, "alternative_added", None, alt, name=_called(alt))

    def _included(self, alt: Node, others: list[Node]) -> bool:
        return any(self._walk.fits(self._task, shape((alt,)), shape((other,))) for other in others)

    def _is_object(self, alt: Node) -> bool:
        types = self._view(shape((alt,)), new=not self._request).types
        return types is None or "object" in types

    def _admitted(self, inner: View, group: Nodes) -> bool:
        """Whether everything that ``inner`` admits is in some alternative, for each of its types."""
        parts = self._task.old if self._request else self._task.new
        names = sorted(inner.types) if inner.types else []
        wholes = [self._walk.schemas.one_type(parts, name) for name in names] if len(names) > 1 else [parts]
        return all(any(self._walk.fits(self._task, whole, shape((alt,))) for alt in group) for whole in wholes)

    def _alike(self, alt: Node, other: Node) -> bool:
        """Whether two alternatives without a partner are probably one that was changed."""
        was = self._view(shape((alt,)), new=not self._request)
        now = self._view(shape((other,)), new=self._request)
        if was.types != now.types:
            return False
        if not was.properties and not now.properties:
            return True
        common = was.properties.keys() & now.properties.keys()
        return 2 * len(common) >= max(len(was.properties), len(now.properties))

    def _view(self, parts: Shape, *, new: bool) -> View:
        return self._walk.schemas.new_view(parts) if new else self._walk.schemas.old_view(parts)


def spread(task: Task, inner: View) -> Iterator[Task]:
    """Alternatives against one plain schema: each of them has to fit."""
    request = task.direction is Direction.REQUEST
    mine = tuple((node, True) for node, _ in (task.old if request else task.new))
    for alt in inner.groups[0]:
        whole = (*mine, (alt, False))
        old, new = (whole, task.new) if request else (task.old, whole)
        yield Task(task.direction, task.operation, task.name, old, new)


def discriminators(direction: Direction, old: View, new: View) -> Iterator[tuple[str, dict[str, str]]]:
    """Codes, and the words of their sentences, for what tells alternatives apart."""
    request = direction is Direction.REQUEST
    was, now = old.discriminator, new.discriminator
    if was is None or now is None:
        if request and now is not None and old.groups:
            yield "discriminator_added", {"now": _property(now)}
        if not request and was is not None and new.groups:
            yield "discriminator_removed", {"was": _property(was)}
        return
    if _property(was) != _property(now):
        yield "discriminator_changed", {"was": _property(was), "now": _property(now)}
    before, after = was.map("mapping"), now.map("mapping")
    inner, outer = (before, after) if request else (after, before)
    if inner and outer:
        for value in sorted(map(str, inner.keys() - outer.keys())):
            yield ("discriminator_value_removed" if request else "discriminator_value_added"), {"name": value}


def _property(node: Node) -> str:
    return node.value if isinstance(node.value, str) else node.text("propertyName")


def _called(node: Node) -> str:
    value = node.value if isinstance(node.value, dict) else {}
    reference = value.get("$ref") or value.get("title") or value.get("type")
    return str(reference).rpartition("/")[2] if reference else "an unnamed one"
