"""Reads OpenAPI 3.0 and 3.1 (and what of 3.2 is written alike) into the model.

References of path items, parameters, bodies, responses, headers and callbacks are followed; one that cannot be is
left out, and the library remembers it. Knows nothing of comparing. Source: OpenAPI 3.0.3, 3.1.1.
"""

from collections.abc import Iterator

from karkhana.quality.contracts.openapi.documents import Library, Node
from karkhana.quality.contracts.openapi.model import (
    METHODS,
    Body,
    Description,
    Header,
    Media,
    Operation,
    Parameter,
    Response,
    media_type,
    requirements,
    template,
)

_STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}
_DEEPEST_CALLBACKS = 3


def read(root: Node, library: Library) -> Description:
    """The interface that ``root`` describes."""
    library.siblings = not root.text("openapi").startswith("3.0")
    paths = {name: node for name, node in root.child("paths").children() if name.startswith("/")}
    operations: dict[tuple[str, str], Operation] = {}
    for path, node in paths.items():
        for operation in _operations(path, node, library, 0):
            operations.setdefault((template(path), operation.method), operation)
    webhooks = {
        f"{name} {operation.method}": operation
        for name, node in root.child("webhooks").children()
        for operation in _operations(name, node, library, 0)
    }
    return Description(
        root=root,
        library=library,
        version=root.child("info").text("version"),
        servers={server.text("url").rstrip("/"): server for server in root.child("servers").elements()} or {"": root},
        paths={template(path): node for path, node in paths.items()},
        operations=operations,
        webhooks=webhooks,
        security=requirements(root.child("security").value) or (),
        security_node=root.child("security"),
        schemes={
            name: library.resolve(node) or node for name, node in root.child("components", "securitySchemes").children()
        },
    )


def _operations(path: str, node: Node, library: Library, depth: int) -> Iterator[Operation]:
    item = library.resolve(node)
    if item is None:
        return
    for method in METHODS:
        operation = item.child(method)
        if isinstance(operation.value, dict):
            yield _operation((method, path), operation, item, library, depth)


def _operation(place: tuple[str, str], node: Node, item: Node, library: Library, depth: int) -> Operation:
    method, path = place
    known: dict[tuple[str, str], Parameter] = {}
    for each in (*item.child("parameters").elements(), *node.child("parameters").elements()):
        parameter = _parameter(each, library)
        if parameter is not None:
            known[parameter.location, parameter.name] = parameter
    own = list(node.child("servers").elements()) or list(item.child("servers").elements())
    return Operation(
        method=method,
        path=path,
        identifier=node.text("operationId"),
        deprecated=node.flag("deprecated"),
        parameters=tuple(known.values()),
        body=_body(node.child("requestBody"), library),
        responses=dict(_responses(node.child("responses"), library)),
        security=requirements(node.child("security").value),
        security_node=node.child("security"),
        servers=tuple(own),
        callbacks=dict(_callbacks(node.child("callbacks"), library, depth)),
        node=node,
    )


def _parameter(node: Node, library: Library) -> Parameter | None:
    found = library.resolve(node)
    if found is None or not isinstance(found.value, dict):
        return None
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
    for status, child in node.children():
        found = library.resolve(child)
        if found is None or not isinstance(found.value, dict):
            continue
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
