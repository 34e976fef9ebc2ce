"""Compares objects and arrays: properties, what is required of them, items.

A property that is read-only is no part of a request, one that is write-only no part of a response.
Knows nothing of alternatives or of what a single value may be.
"""

from karkhana.quality.contracts.openapi.documents import Node
from karkhana.quality.contracts.openapi.findings import Direction
from karkhana.quality.contracts.openapi.tasks import Task, Walking, roles, shape, within
from karkhana.quality.contracts.openapi.views import Nodes, View


class Objects:
    """The properties of two schemas."""

    def __init__(self, walk: Walking, task: Task) -> None:
        self._walk = walk
        self._task = task
        self._request = task.direction is Direction.REQUEST

    def compare(self, old: View, new: View) -> None:
        """Tell what breaks, and queue what is below."""
        for name in sorted(old.properties.keys() | new.properties.keys()):
            was, now = old.properties.get(name), new.properties.get(name)
            hidden_before = was is not None and self._hidden(was, new=False)
            hidden_after = now is not None and self._hidden(now, new=True)
            if was is None or hidden_before:
                if now is not None and not hidden_after:
                    self._added(name, old, new, now)
            elif now is None:
                # an object that names no properties at all takes any
                if not self._request or new.names_properties or new.closed:
                    self._say("property_removed", name=name, old=was[0])
            elif hidden_after:
                code = "property_became_read_only" if self._request else "property_became_write_only"
                self._say(code, name=name, old=was[0], new=now[0])
            else:
                self._demanded(name, old, new, was[0], now[0])
                self._walk.push(self._task, within(self._task.name, name), was, now)
        undefined = (old.required | new.required) - old.properties.keys() - new.properties.keys()
        for name in sorted(undefined):
            self._demanded(name, old, new, self._task.old[0][0], self._task.new[0][0])
        self._unnamed(old, new)
        self._rules(old, new)

    def _added(self, name: str, old: View, new: View, now: Nodes) -> None:
        demanded = self._request and name in new.required and name not in old.required
        self._say("required_property_added" if demanded else "property_added", name=name, new=now[0])

    def _demanded(self, name: str, old: View, new: View, was: Node, now: Node) -> None:
        if self._request and name in new.required - old.required:
            self._say("property_became_required", name=name, old=was, new=now)
        if not self._request and name in old.required - new.required:
            self._say("property_became_optional", name=name, old=was, new=now)

    def _hidden(self, nodes: Nodes, *, new: bool) -> bool:
        parts = shape(nodes)
        seen = self._walk.schemas.new_view(parts) if new else self._walk.schemas.old_view(parts)
        return seen.read_only if self._request else seen.write_only

    def _unnamed(self, old: View, new: View) -> None:
        inner, outer = roles(self._task.direction, old, new)
        if self._request and new.closed and not old.closed:
            self._say("additional_properties_closed")
        if not self._request and old.additional and new.closed:
            self._say("additional_properties_removed")
        if old.additional and new.additional:
            self._walk.push(self._task, within(self._task.name, "*"), old.additional, new.additional)
        elif outer.additional and not inner.additional and not inner.closed and not inner.properties:
            # an object that names its properties and says nothing of others is not meant to have any
            self._say("additional_properties_narrowed" if self._request else "additional_properties_widened")

    def _rules(self, old: View, new: View) -> None:
        inner, outer = roles(self._task.direction, old, new)
        for pattern in sorted(outer.by_pattern):
            if pattern in inner.by_pattern:
                nodes = old.by_pattern[pattern], new.by_pattern[pattern]
                self._walk.push(self._task, within(self._task.name, "*"), *nodes)
            elif not inner.closed:
                self._say("constraint_changed", name=f"patternProperties of {pattern}")
        for name in sorted(outer.dependent):
            if outer.dependent[name] - inner.dependent.get(name, frozenset()) - inner.required:
                self._say("constraint_changed", name=f"dependentRequired of {name}")

    def _say(self, code: str, *, name: str = "", old: Node | None = None, new: Node | None = None) -> None:
        self._walk.say(self._task, code, old, new, name=name)


class Arrays:
    """The items of two schemas."""

    def __init__(self, walk: Walking, task: Task) -> None:
        self._walk = walk
        self._task = task

    def compare(self, old: View, new: View) -> None:
        """Tell what breaks, and queue what is below."""
        task, walk = self._task, self._walk
        inner, outer = roles(task.direction, old, new)
        for index in range(max(len(old.prefix), len(new.prefix))):
            was, now = (v.prefix[index] if index < len(v.prefix) else v.items for v in (old, new))
            if was and now:
                walk.push(task, f"{task.name}[{index}]", was, now)
            elif outer.prefix[index:] and not inner.no_items:
                walk.say(task, "constraint_changed", name=f"prefixItems {index}")
        if old.items and new.items:
            walk.push(task, f"{task.name}[]", old.items, new.items)
        elif outer.items and not inner.items and not inner.no_items and self._demand(outer is new, outer.items):
            walk.say(task, "items_narrowed" if outer is new else "items_widened")
        if outer.no_items and not inner.no_items:
            walk.say(task, "constraint_changed", name="items")

    def _demand(self, new: bool, nodes: Nodes) -> bool:
        parts = shape(nodes)
        seen = self._walk.schemas.new_view(parts) if new else self._walk.schemas.old_view(parts)
        return not seen.is_vacuous
