"""Where an OpenAPI description can be edited, and which way the data flows there.

A plain walk over operations and references that knows nothing of Karkhana's comparison: it marks each schema with
the directions in which operations use it, so that an edit's label follows from the specification alone. Callbacks and
webhooks are left out.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

Pointer = tuple[str | int, ...]
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_DEEPEST = 60


class Sites(NamedTuple):
    """Places by kind; each pointer leads from the root of the document to a map."""

    paths: list[Pointer]
    operations: list[Pointer]
    parameters: list[Pointer]
    bodies: list[Pointer]
    contents: list[tuple[Pointer, str]]
    """Maps of media types, with their direction."""
    responses: list[Pointer]
    """Maps from status to response."""
    headers: list[Pointer]
    schemas: dict[Pointer, frozenset[str]]
    """Schemas with ``request`` and ``response``."""
    masked: frozenset[Pointer]
    """Schemas that are one part or alternative of another, where a demand may come from elsewhere as well."""


def at(document: Any, pointer: Pointer) -> Any:
    """The value that ``pointer`` leads to."""
    for key in pointer:
        document = document[key]
    return document


def find_sites(document: dict[str, Any]) -> Sites:
    """Walk over every operation."""
    walk = _Walk(document)
    walk.run()
    found = {pointer: frozenset(directions) for pointer, directions in walk.schemas.items()}
    return Sites(
        walk.paths, walk.operations, list(walk.parameters), list(walk.bodies), list(walk.contents),
        list(walk.responses), list(walk.headers), found, frozenset(walk.masked),
    )  # fmt: skip


class _Walk:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.swagger = "swagger" in document
        self.paths: list[Pointer] = []
        self.operations: list[Pointer] = []
        # dicts for their order: the same draw must find the same place
        self.parameters: dict[Pointer, None] = {}
        self.bodies: dict[Pointer, None] = {}
        self.contents: dict[tuple[Pointer, str], None] = {}
        self.responses: dict[Pointer, None] = {}
        self.headers: dict[Pointer, None] = {}
        self.schemas: dict[Pointer, set[str]] = defaultdict(set)
        self.masked: set[Pointer] = set()

    def run(self) -> None:
        for path, item in self.document.get("paths", {}).items():
            if not str(path).startswith("/") or not isinstance(item, dict) or "$ref" in item:
                continue
            self.paths.append(("paths", path))
            for index, _ in enumerate(item.get("parameters", ())):
                self.parameter(("paths", path, "parameters", index))
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    self.operation(("paths", path, method), item[method])

    def operation(self, here: Pointer, value: dict[str, Any]) -> None:
        self.operations.append(here)
        for index, _ in enumerate(value.get("parameters", ())):
            self.parameter((*here, "parameters", index))
        if "requestBody" in value:
            body = self.follow((*here, "requestBody"))
            if body is not None:
                self.bodies[body] = None
                self.content(body, "request")
        if value.get("responses"):
            self.responses[*here, "responses"] = None
        for status in value.get("responses", {}):
            response = self.follow((*here, "responses", status))
            if response is not None:
                self.response(response)

    def parameter(self, here: Pointer) -> None:
        target = self.follow(here)
        if target is None:
            return
        value = at(self.document, target)
        if value.get("in") == "body":
            self.schema((*target, "schema"), "request", 0)
            return
        self.parameters[target] = None
        if self.swagger:
            self.schemas[target].add("request")
        elif "schema" in value:
            self.schema((*target, "schema"), "request", 0)

    def response(self, here: Pointer) -> None:
        value = at(self.document, here)
        self.content(here, "response")
        if self.swagger and "schema" in value:
            self.schema((*here, "schema"), "response", 0)
        for name in value.get("headers", {}):
            header = self.follow((*here, "headers", name))
            if header is not None and (*here, "headers", name) == header:
                self.headers[header] = None

    def content(self, here: Pointer, direction: str) -> None:
        media = at(self.document, here).get("content", {})
        if media:
            self.contents[(*here, "content"), direction] = None
        for name, value in media.items():
            if isinstance(value, dict) and "schema" in value:
                self.schema((*here, "content", name, "schema"), direction, 0)

    def schema(self, here: Pointer, direction: str, depth: int, *, masked: bool = False) -> None:
        target = self.follow(here)
        if target is None or depth > _DEEPEST:
            return
        if masked:
            self.masked.add(target)
        value = at(self.document, target)
        if not isinstance(value, dict) or direction in self.schemas[target]:
            return
        if value.get("readOnly") is True and direction == "request":
            return
        if value.get("writeOnly") is True and direction == "response":
            return
        self.schemas[target].add(direction)
        below = masked or target in self.masked
        for key, inside in _below(value):
            self.schema((*target, *key), direction, depth + 1, masked=below or inside)

    def follow(self, here: Pointer) -> Pointer | None:
        for _ in range(30):
            value = at(self.document, here)
            if not isinstance(value, dict):
                return None
            if "$ref" not in value:
                return here
            if not str(value["$ref"]).startswith("#/"):
                return None
            here = self._target(str(value["$ref"]))
            if here is None:
                return None
        return None

    def _target(self, reference: str) -> Pointer | None:
        here: list[str | int] = []
        node: Any = self.document
        for part in reference[2:].split("/"):
            key: Any = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                key = int(key)
            elif key not in node:
                return None
            here.append(key)
            node = node[key]
        return tuple(here)


def _below(value: dict[str, Any]) -> Iterator[tuple[Pointer, bool]]:
    """Schemas inside of a schema, and whether they are only a part or an alternative of it."""
    mixed = any(key in value for key in ("allOf", "oneOf", "anyOf"))
    for name in value.get("properties", {}) if isinstance(value.get("properties"), dict) else ():
        yield ("properties", name), mixed
    for key in ("items", "additionalProperties"):
        if isinstance(value.get(key), dict):
            yield (key,), mixed
    for key in ("allOf", "oneOf", "anyOf"):
        for index, _ in enumerate(value.get(key, ())):
            yield (key, index), True
