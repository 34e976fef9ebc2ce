"""Compares two OpenAPI descriptions of one interface and tells what breaks its clients.

Understands 2.0 (Swagger), 3.0 and 3.1, JSON and YAML, references inside the file and into other files. Every class
of changes has a code, a severity and a sentence in ``changes.toml``. Nothing is fetched and nothing is run.

Knows nothing of repositories or gates.

>>> old = b'{"openapi": "3.1.0", "paths": {"/pets": {"get": {"responses": {"200": {}}}}}}'
>>> [change.code for change in compare("api.json", old, old.replace(b"/pets", b"/cats")).breaking]
['path_removed']
"""

from collections.abc import Callable

import msgspec

from karkhana.quality.contracts.openapi import openapi3, swagger2
from karkhana.quality.contracts.openapi.access import Access
from karkhana.quality.contracts.openapi.documents import Library, Unreadable
from karkhana.quality.contracts.openapi.findings import ContractChange, Direction, Kind, Weight, catalogue
from karkhana.quality.contracts.openapi.model import Description
from karkhana.quality.contracts.openapi.operations import Operations
from karkhana.quality.contracts.openapi.report import Report
from karkhana.quality.contracts.openapi.schemas import Schemas


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What two descriptions differ in."""

    changes: tuple[ContractChange, ...]
    operations: int
    """Operations of the old description."""
    versions: tuple[str, str]
    """What the interface calls its own version, before and after."""
    unread: tuple[str, ...]
    """References that were not followed, as one description or the other has them."""
    complete: bool
    """Whether all was compared; very large descriptions are given up."""

    @property
    def breaking(self) -> tuple[ContractChange, ...]:
        return tuple(c for c in self.changes if c.severity is Weight.BREAKING)


def _nothing(path: str) -> bytes | None:
    return None


def compare(
    path: str,
    old: bytes,
    new: bytes,
    *,
    read_old: Callable[[str], bytes | None] = _nothing,
    read_new: Callable[[str], bytes | None] = _nothing,
) -> Comparison:
    """Compare two versions of the description at ``path``.

    ``read_old`` and ``read_new`` give the bytes of other files that they refer to, by path from the root of the
    repository. Raises ``Unreadable`` when either is no description that can be read.
    """
    before, after = describe(path, old, read_old), describe(path, new, read_new)
    report = Report()
    schemas = Schemas(before.library, after.library)
    access = Access(before, after, report)
    operations = Operations(schemas, report)
    _paths(before, after, report)
    for key, was in before.operations.items():
        now = after.operations.get(key)
        if now is not None:
            operations.compare(was, now)
            access.operation(was, now)
    _webhooks(before, after, operations, report)
    access.whole()
    return Comparison(
        changes=report.findings,
        operations=len(before.operations),
        versions=(before.version, after.version),
        unread=tuple(sorted(before.library.unread | after.library.unread)),
        complete=not schemas.exhausted,
    )


def describe(path: str, content: bytes, read: Callable[[str], bytes | None] = _nothing) -> Description:
    """The interface that a file describes. Raises ``Unreadable`` when it describes none."""
    library = Library(read)
    root = library.add(path, content)
    if root.text("swagger").startswith("2"):
        return swagger2.read(root, library)
    if root.text("openapi").startswith("3"):
        return openapi3.read(root, library)
    raise Unreadable("it is no OpenAPI description of version 2 or 3")


def _paths(old: Description, new: Description, report: Report) -> None:
    for path, node in old.paths.items():
        if path not in new.paths:
            own = [o for (place, _), o in old.operations.items() if place == path]
            title = own[0].title.partition(" ")[2] if own else path
            report.add("path_removed", name=title, old=node.shown, new=new.root.child("paths").shown)
    for path, node in new.paths.items():
        if path not in old.paths:
            report.add("path_added", name=node.pointer[7:].replace("~1", "/"), old="#/paths", new=node.shown)
    for key, was in old.operations.items():
        if key not in new.operations and key[0] in new.paths:
            report.add("operation_removed", operation=was.title, old=was.node.shown, new=new.paths[key[0]].shown)
    for key, now in new.operations.items():
        if key not in old.operations and key[0] in old.paths:
            report.add("operation_added", operation=now.title, old=old.paths[key[0]].shown, new=now.node.shown)


def _webhooks(old: Description, new: Description, operations: Operations, report: Report) -> None:
    for name, was in old.webhooks.items():
        now = new.webhooks.get(name)
        if now is None:
            report.add("webhook_removed", name=name, old=was.node.shown, new=new.root.child("webhooks").shown)
        else:
            operations.compare(was, now, title=f"webhook {name}", swapped=True)


__all__ = [
    "Comparison",
    "ContractChange",
    "Direction",
    "Kind",
    "Unreadable",
    "Weight",
    "catalogue",
    "compare",
    "describe",
]
