"""A schema as a whole: what it demands of a value, wherever that is written.

Children are kept as nodes and read when somebody looks at them, so schemas may refer to themselves.
Knows nothing of how it is written, nor of comparing.
"""

import json
from typing import Any, NamedTuple

from karkhana.quality.contracts.openapi.documents import Node

Nodes = tuple[Node, ...]

LOWER = ("minimum", "minLength", "minItems", "minProperties", "minContains")
UPPER = ("maximum", "maxLength", "maxItems", "maxProperties", "maxContains")


class Bound(NamedTuple):
    """A limit. ``exclusive``: the limit itself is not admitted."""

    value: float
    exclusive: bool = False


class View:
    """One schema as a whole. ``None``, or empty, is always the absence of a demand."""

    def __init__(self) -> None:
        self.types: frozenset[str] | None = None
        """Without ``null``."""
        self.nullable = False
        self.impossible = False
        """The schema ``false``."""
        self.enum: dict[str, Any] | None = None
        """By canonical JSON; null is left to ``nullable``."""
        self.format = ""
        self.lower: dict[str, Bound] = {}
        self.upper: dict[str, Bound] = {}
        self.multiple: float | None = None
        self.patterns: tuple[str, ...] = ()
        self.unique = False
        self.properties: dict[str, Nodes] = {}
        self.names_properties = False
        self.required: frozenset[str] = frozenset()
        self.dependent: dict[str, frozenset[str]] = {}
        self.by_pattern: dict[str, Nodes] = {}
        self.closed = False
        self.additional: Nodes = ()
        self.items: Nodes = ()
        self.no_items = False
        self.prefix: tuple[Nodes, ...] = ()
        self.groups: tuple[Nodes, ...] = ()
        """The alternatives of each ``oneOf`` and ``anyOf``."""
        self.negated: Nodes = ()
        self.discriminator: Node | None = None
        self.default: Any = None
        self.read_only = False
        self.write_only = False
        self.opaque: dict[str, str] = {}
        self.unresolved: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        """Whether it demands nothing of a value's type."""
        return self.types is None and not self.groups and self.enum is None and not self.impossible

    @property
    def is_vacuous(self) -> bool:
        """Whether everything fits."""
        return self.is_open and not (
            self.properties or self.required or self.items or self.lower or self.upper or self.patterns or self.format
        )


def tighter(name: str, bound: Bound, other: Bound) -> bool:
    """Whether ``bound`` admits less than ``other`` does."""
    if bound.value == other.value:
        return bound.exclusive and not other.exclusive
    return bound.value > other.value if name in LOWER else bound.value < other.value


def canonical(value: Any) -> str:
    """JSON text that is equal for equal values; ``1`` and ``1.0`` are equal."""
    return json.dumps(_plain(value), sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(child) for key, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, list) else value
