"""What versions 2 and 3 write alike: paths, methods, parameters, answers by their status.

References are followed; one that cannot be is left out, and the library remembers it. Knows nothing of schemas.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from karkhana.quality.contracts.openapi.documents import Library, Node
from karkhana.quality.contracts.openapi.model import METHODS, Description, Operation, requirements, template


def described(
    root: Node,
    library: Library,
    read: Callable[[str, Node], Iterable[Operation]],
    *,
    servers: Mapping[str, Node],
    schemes: Mapping[str, Node],
    webhooks: Mapping[str, Operation] = {},
) -> Description:
    """The interface, of which ``read`` gives the operations of each path."""
    paths = {name: node for name, node in root.child("paths").children() if name.startswith("/")}
    operations: dict[tuple[str, str], Operation] = {}
    for path, node in paths.items():
        for operation in read(path, node):
            operations.setdefault((template(path), operation.method), operation)
    return Description(
        root=root,
        library=library,
        version=root.child("info").text("version"),
        servers=dict(servers),
        paths={template(path): node for path, node in paths.items()},
        operations=operations,
        webhooks=dict(webhooks),
        security=requirements(root.child("security").value) or (),
        security_node=root.child("security"),
        schemes=dict(schemes),
    )


def methods(node: Node, library: Library) -> Iterator[tuple[str, Node, Node]]:
    """Each method of a path, what it says, and the item that it stands in."""
    item = library.resolve(node)
    if item is None:
        return
    for method in METHODS:
        operation = item.child(method)
        if isinstance(operation.value, dict):
            yield method, operation, item


def parameters(node: Node, item: Node, library: Library) -> list[Node]:
    """Those of an operation and of its path, of which the former count more."""
    known: dict[tuple[str, str], Node] = {}
    for each in (*item.child("parameters").elements(), *node.child("parameters").elements()):
        found = library.resolve(each)
        if found is not None and isinstance(found.value, dict):
            known[found.text("in").lower(), found.text("name")] = found
    return list(known.values())


def answers(node: Node, library: Library) -> Iterator[tuple[str, Node]]:
    """Each answer by its status, as it is written."""
    for status, child in node.child("responses").children():
        found = library.resolve(child)
        if found is not None and isinstance(found.value, dict):
            yield status, found
