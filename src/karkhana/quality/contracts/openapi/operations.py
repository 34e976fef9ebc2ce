"""Compares operations: parameters, bodies, responses, headers and callbacks.

A callback or webhook is an operation of the client that the server calls, so there the directions are swapped.
Knows nothing of what schemas mean, of security or of addresses.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from karkhana.quality.contracts.openapi.documents import Node
from karkhana.quality.contracts.openapi.findings import Direction
from karkhana.quality.contracts.openapi.model import Body, Media, Operation, Parameter, Response
from karkhana.quality.contracts.openapi.report import Report
from karkhana.quality.contracts.openapi.schemas import Schemas
from karkhana.quality.contracts.openapi.tasks import Task, shape

_Key = tuple[str, str]


class Place(NamedTuple):
    """Where in an operation something is; ``name`` in words."""

    direction: Direction
    operation: str
    name: str = ""


class Operations:
    """Compares two operations that stand at one place."""

    def __init__(self, schemas: Schemas, report: Report) -> None:
        self._schemas = schemas
        self._report = report

    def compare(self, old: Operation, new: Operation, *, title: str = "", swapped: bool = False) -> None:
        """Tell everything but security and servers."""
        title = title or old.title
        sent = Place(Direction.RESPONSE if swapped else Direction.REQUEST, title)
        if old.identifier and old.identifier != new.identifier:
            nodes = old.node.child("operationId"), new.node.child("operationId")
            words = {"was": old.identifier, "now": new.identifier or "none"}
            self._report.add("operation_id_changed", operation=title, old=nodes[0].shown, new=nodes[1].shown, **words)
        if new.deprecated and not old.deprecated:
            self._report.add("operation_deprecated", operation=title, old=old.node.shown, new=new.node.shown)
        self._parameters(old, new, sent)
        self._bodies(old, new, sent)
        self._responses(old, new, Place(sent.direction.other, title))
        for name, callback in old.callbacks.items():
            now = new.callbacks.get(name)
            if now is None:
                words = {"old": callback.node.shown, "new": new.node.shown}
                self._report.add("callback_removed", operation=title, name=name, **words)
            else:
                self.compare(callback, now, title=f"{title}, callback {name}", swapped=not swapped)

    # Parameters

    def _parameters(self, old: Operation, new: Operation, sent: Place) -> None:
        before, after = _keyed(old), _keyed(new)
        gone = [p for key, p in before.items() if key not in after]
        fresh = [p for key, p in after.items() if key not in before]
        for key, was in before.items():
            if key in after:
                self._parameter(was, after[key], sent)
        for was in gone:
            moved = next((p for p in fresh if _moved(was, p)), None)
            if moved is None:
                self._tell("parameter_removed", sent, was.node, new.node, name=_said(was))
            else:
                words = {"was": was.location, "now": moved.location}
                self._tell("parameter_moved", sent, was.node, moved.node, name=_said(was), **words)
        for now in fresh:
            if not any(_moved(was, now) for was in gone):
                needed = now.required and sent.direction is Direction.REQUEST
                code = "required_parameter_added" if needed else "optional_parameter_added"
                self._tell(code, sent, old.node, now.node, name=_said(now))

    def _parameter(self, was: Parameter, now: Parameter, sent: Place) -> None:
        request = sent.direction is Direction.REQUEST
        found: list[tuple[str, str, str]] = []
        if request and now.required and not was.required:
            found.append(("parameter_became_required", "optional", "required"))
        if not request and was.required and not now.required:
            found.append(("parameter_became_optional", "required", "optional"))
        if _written(was) != _written(now) and (self._composite(was) or was.style != now.style):
            found.append(("parameter_style_changed", _written(was), _written(now)))
        if was.content != now.content:
            found.append(("parameter_style_changed", was.content or "plain text", now.content or "plain text"))
        if request and was.allow_empty and not now.allow_empty:
            found.append(("parameter_empty_refused", "", ""))
        if now.deprecated and not was.deprecated:
            found.append(("parameter_deprecated", "", ""))
        for code, before, after in found:
            self._tell(code, sent, was.node, now.node, name=_said(was), was=before, now=after)
        self._media(Media(was.schema, was.node), Media(now.schema, now.node), sent._replace(name=_said(was)))

    def _composite(self, parameter: Parameter) -> bool:
        """Whether an old value can have several parts: only then does it matter how they are joined."""
        seen = self._schemas.old_view(shape(parameter.schema))
        return seen.types is None or bool(seen.types & {"array", "object"})

    # Bodies

    def _bodies(self, old: Operation, new: Operation, sent: Place) -> None:
        was, now = old.body, new.body
        request = sent.direction is Direction.REQUEST
        if was is not None and now is not None:
            if request and now.required and not was.required:
                self._tell("body_became_required", sent, was.node, now.node)
            self._content(was, now, sent._replace(name="the body"))
        elif was is not None:
            self._tell("body_removed", sent, was.node, new.node)
        elif now is not None:
            code = "required_body_added" if now.required and request else "optional_body_added"
            self._tell(code, sent, old.node, now.node)

    def _content(self, old: Body | Response, new: Body | Response, place: Place) -> None:
        for name, was in old.content.items():
            now = _media(name, new.content, place.direction)
            if now is None:
                self._tell(f"{place.direction}_media_type_removed", place, was.node, new.node, name=name)
            else:
                self._media(was, now, place)
        for name, now in new.content.items():
            if name not in old.content and old.content:
                self._tell(f"{place.direction}_media_type_added", place, old.node, now.node, name=name)

    def _media(self, was: Media, now: Media, place: Place) -> None:
        if was.schema or now.schema:
            # no schema admits everything, as an empty one does
            old, new = (media.schema or (media.node.child("schema"),) for media in (was, now))
            task = Task(place.direction, place.operation, place.name, shape(old), shape(new))
            self._schemas.compare(task, self._report)

    # Responses

    def _responses(self, old: Operation, new: Operation, got: Place) -> None:
        for status, was in old.responses.items():
            now = new.responses.get(status) or new.responses.get(f"{status[0]}XX")
            if now is None:
                self._tell("response_removed", got, was.node, new.node.child("responses"), name=status)
            else:
                self._content(was, now, got._replace(name=f"the body of {status}"))
                self._headers(was, now, got, status)
        for status, now in new.responses.items():
            if status not in old.responses:
                self._tell("response_added", got, old.node.child("responses"), now.node, name=status)

    def _headers(self, old: Response, new: Response, got: Place, status: str) -> None:
        for name, was in old.headers.items():
            now = new.headers.get(name)
            place = got._replace(name=f"the header {name} of {status}")
            if now is None:
                self._tell("response_header_removed", place, was.node, new.node, name=name)
                continue
            if was.required and not now.required:
                self._tell("response_header_became_optional", place, was.node, now.node, name=name)
            self._media(Media(was.schema, was.node), Media(now.schema, now.node), place)

    def _tell(self, code: str, place: Place, old: Node, new: Node, **words: str) -> None:
        self._report.add(
            code,
            place.direction,
            operation=place.operation,
            place=place.name,
            old=old.shown,
            new=new.shown,
            **words,
        )


def _keyed(operation: Operation) -> dict[_Key, Parameter]:
    """Parameters by what tells them apart: in a path by position, since names there are never sent."""
    names = re.findall(r"\{([^{}/]*)\}", operation.path)
    found = {}
    for parameter in operation.parameters:
        name = parameter.name.lower() if parameter.location == "header" else parameter.name
        if parameter.location == "path" and parameter.name in names:
            name = str(names.index(parameter.name))
        found[parameter.location, name] = parameter
    return found


def _moved(was: Parameter, now: Parameter) -> bool:
    return was.location != now.location and was.name.lower() == now.name.lower()


def _said(parameter: Parameter) -> str:
    return f"{parameter.location} parameter {parameter.name}"


def _written(parameter: Parameter) -> str:
    return f"{parameter.style}, {'exploded' if parameter.explode else 'not exploded'}"


def _media(name: str, new: Mapping[str, Media], direction: Direction) -> Media | None:
    """The media type that takes the place of an old one; ranges such as ``*/*`` include others."""
    if name in new:
        return new[name]
    for other, media in new.items():
        wide, narrow = (other, name) if direction is Direction.REQUEST else (name, other)
        if wide == "*/*" or (wide.endswith("/*") and narrow.startswith(wide[:-1])):
            return media
    return None
