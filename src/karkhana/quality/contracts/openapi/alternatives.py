"""Finds which alternative of an old ``oneOf`` or ``anyOf`` is which one of the new.

By the name that it refers to, by equal content, by its title, by the constant of a property. Knows nothing of
whether the partners are compatible.
"""

from collections.abc import Callable
from typing import NamedTuple

from karkhana.quality.contracts.openapi.documents import Node
from karkhana.quality.contracts.openapi.views import Nodes, canonical


class Pairing(NamedTuple):
    """Partners, and alternatives that have none."""

    pairs: tuple[tuple[Node, Node], ...]
    only_old: Nodes
    only_new: Nodes


def pair(old: Nodes, new: Nodes) -> Pairing:
    """Each alternative gets at most one partner, the surest way first."""
    left, right = list(old), list(new)
    pairs: list[tuple[Node, Node]] = []
    for mark in (_reference, _content, _title, _constant):
        pairs += _by(mark, left, right)
    return Pairing(tuple(pairs), tuple(left), tuple(right))


def _by(mark: Callable[[Node], str], left: list[Node], right: list[Node]) -> list[tuple[Node, Node]]:
    found = []
    waiting: dict[str, list[Node]] = {}
    for node in right:
        waiting.setdefault(mark(node), []).append(node)
    for node in list(left):
        name = mark(node)
        if name and waiting.get(name):
            partner = waiting[name].pop(0)
            found.append((node, partner))
            left[:] = [n for n in left if n is not node]
            right[:] = [n for n in right if n is not partner]
    return found


def _reference(node: Node) -> str:
    return node.text("$ref")


def _content(node: Node) -> str:
    return canonical(node.value)


def _title(node: Node) -> str:
    return node.text("title")


def _constant(node: Node) -> str:
    """``kind=cat`` for an object whose property ``kind`` can only be ``cat``."""
    for name, child in node.child("properties").children():
        value = child.value if isinstance(child.value, dict) else {}
        known = [value["const"]] if "const" in value else value.get("enum")
        if isinstance(known, list) and len(known) == 1:
            return f"{name}={canonical(known[0])}"
    return ""
