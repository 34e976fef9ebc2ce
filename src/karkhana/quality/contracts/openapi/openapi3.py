"""Reads OpenAPI 3.0 and 3.1 (and what of 3.2 is written alike) into the model.

References of path items, parameters, bodies, responses, headers and callbacks are followed; one that cannot be is
left out, and the library remembers it. Knows nothing of comparing. Source: OpenAPI 3.0.3, 3.1.1.
"""

from collections.abc import Iterator

from karkhana.quality.contracts.openapi.common import answers, described, methods, parameters
from karkhana.quality.contracts.openapi.documents import Library, Node
from karkhana.quality.contracts.openapi.model import (
    Body,
    Description,
    Header,
    Media,
    Operation,
    Parameter,
    Response,
    media_type,
    requirements,
)

_STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}
_DEEPEST_CALLBACKS = 3


def read(root: Node, library: Library) -> Description:
    """The interface that ``root`` describes."""
    library.siblings = not root.text("openapi").startswith("3.0")
    webhooks = {
        f"{name} {operation.method}": operation
        for name, node in root.child("webhooks").children()
        for operation in _operations(name, node, library, 0)
    }
    return described(
        root,
        library,
        lambda path, node: _operations(path, node, library, 0),
        servers={server.text("url").rstrip("/"): server for server in root.child("servers").elements()} or {"": root},
        schemes={
            name: library.resolve(node) or node for name, node in root.child("components", "securitySchemes").children()
        },
        webhooks=webhooks,
    )


def _operations(path: str, node: Node, library: Library, depth: int) -> Iterator[Operation]:
    for method, operation, item in methods(node, library):
        yield _operation((method, path), operation, item, library, depth)


def _operation(place: tuple[str, str], node: Node, item: Node, library: Library, depth: int) -> Operation:
    method, path = place
    own = list(node.child("servers").elements()) or list(item.child("servers").elements())
    return Operation(
        method=method,
        path=path,
        identifier=node.text("operationId"),
        deprecated=node.flag("deprecated"),
        parameters=tuple(_parameter(each) for each in parameters(node, item, library)),
        body=_body(node.child("requestBody"), library),
        responses=dict(_responses(node, library)),
        security=requirements(node.child("security").value),
        security_node=node.child("security"),
        servers=tuple(own),
        callbacks=dict(_callbacks(node.child("callbacks"), library, depth)),
        node=node,
    )


def _parameter(found: Node) -> Parameter:
    location = found.text("in").lower()
    style = found.text("style", _STYLES.get(location, "form"))
    content = next(iter(found.child("content").children()), None)
    schema = found.child("schema") if content is None else content[1].child("schema")
    return Parameter(
        name=found.text("name"),
        location=location,
        required=found.flag("required"),
        schema=_schema(schema),
        style=style,
        explode=found.flag("explode", otherwise=style == "form"),
        allow_empty=found.flag("allowEmptyValue"),
        allow_reserved=found.flag("allowReserved"),
        deprecated=found.flag("deprecated"),
        content="" if content is None else media_type(content[0]),
        node=found,
    )


def _schema(node: Node) -> tuple[Node, ...]:
    return (node,) if isinstance(node.value, dict | bool) else ()


def _body(node: Node, library: Library) -> Body | None:
    found = library.resolve(node)
    if found is None or not isinstance(found.value, dict):
        return None
    return Body(found.flag("required"), _content(found, library), found)


def _content(node: Node, library: Library) -> dict[str, Media]:
    found = {}
    for name, child in node.child("content").children():
        media = library.resolve(child) or child
        found[media_type(name)] = Media(_schema(media.child("schema")), media)
    return found


def _responses(node: Node, library: Library) -> Iterator[tuple[str, Response]]:
    for status, found in answers(node, library):
        headers = {}
        for name, each in found.child("headers").children():
            header = library.resolve(each)
            if header is not None:
                headers[name.lower()] = Header(header.flag("required"), _header_schema(header), header)
        yield status.upper() if status != "default" else status, Response(_content(found, library), headers, found)


def _header_schema(node: Node) -> tuple[Node, ...]:
    content = next(iter(node.child("content").children()), None)
    return _schema(node.child("schema") if content is None else content[1].child("schema"))


def _callbacks(node: Node, library: Library, depth: int) -> Iterator[tuple[str, Operation]]:
    if depth >= _DEEPEST_CALLBACKS:
        return
    for name, child in node.children():
        found = library.resolve(child)
        for expression, item in found.children() if found is not None else ():
            for operation in _operations(expression, item, library, depth + 1):
                yield f"{name} {expression} {operation.method}", operation
