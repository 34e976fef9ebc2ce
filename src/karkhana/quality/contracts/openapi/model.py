"""An interface as its description tells it, whatever the version of the specification.

Schemas stay nodes of the document and are read when they are compared. Knows nothing of files or of comparing.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from karkhana.quality.contracts.openapi.documents import Library, Node
from karkhana.quality.contracts.openapi.views import Nodes

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")

Requirement = Mapping[str, frozenset[str]]
"""Schemes that are all needed, with their scopes."""


class Media(NamedTuple):
    """A body in one media type; no schema admits everything."""

    schema: Nodes
    node: Node


class Parameter(NamedTuple):
    """A value that is sent outside of the body. ``location``: ``path``, ``query``, ``header`` or ``cookie``."""

    name: str
    location: str
    required: bool
    schema: Nodes
    style: str
    explode: bool
    allow_empty: bool
    allow_reserved: bool
    deprecated: bool
    content: str
    """Media type of a parameter that is a whole document, or empty."""
    node: Node


class Body(NamedTuple):
    """What is sent, by media type."""

    required: bool
    content: Mapping[str, Media]
    node: Node


class Header(NamedTuple):
    """A header of a response."""

    required: bool
    schema: Nodes
    node: Node


class Response(NamedTuple):
    """What comes back with one status, by media type."""

    content: Mapping[str, Media]
    headers: Mapping[str, Header]
    node: Node


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. ``callbacks``: operations of the client that the server calls, by name."""

    method: str
    path: str
    identifier: str
    deprecated: bool
    parameters: tuple[Parameter, ...]
    body: Body | None
    responses: Mapping[str, Response]
    security: tuple[Requirement, ...] | None
    """``None``: what holds for the whole interface; empty: nothing is needed."""
    security_node: Node
    servers: tuple[Node, ...]
    """Those of its own, or none."""
    callbacks: Mapping[str, "Operation"]
    node: Node

    @property
    def title(self) -> str:
        return f"{self.method.upper()} {self.path}"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A whole interface."""

    root: Node
    library: Library
    version: str
    """What the interface calls its own version."""
    servers: Mapping[str, Node]
    """By address without variables' values."""
    paths: Mapping[str, Node]
    operations: Mapping[tuple[str, str], Operation]
    """By path, its parameters without names, and method."""
    webhooks: Mapping[str, Operation]
    security: tuple[Requirement, ...]
    security_node: Node
    schemes: Mapping[str, Node]


def template(path: str) -> str:
    """A path without the names of its parameters: ``/pets/{id}`` and ``/pets/{pet}`` are one place."""
    return re.sub(r"\{[^{}/]*\}", "{}", path)


def requirements(value: Any) -> tuple[Requirement, ...] | None:
    """The alternatives of a ``security`` list; ``None`` when there is no list."""
    if not isinstance(value, list):
        return None
    return tuple(
        {str(name): frozenset(map(str, scopes or ())) for name, scopes in alternative.items()}
        for alternative in value
        if isinstance(alternative, dict)
    )


def media_type(name: str) -> str:
    """A media type for comparing: lower case, without a character set."""
    parts = [part.strip().lower() for part in name.split(";")]
    return ";".join([parts[0], *sorted(p for p in parts[1:] if p and not p.startswith("charset="))])
