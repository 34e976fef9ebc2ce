"""Reads Swagger 2.0 into the model, so that it compares with itself and with a later version.

A parameter is its own schema; those of a form become the properties of one object; ``collectionFormat`` becomes
style and explode; ``host``, ``basePath`` and ``schemes`` become addresses. Knows nothing of comparing.
Source: OpenAPI Specification 2.0.
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

_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_STYLES = {"ssv": "spaceDelimited", "pipes": "pipeDelimited", "tsv": "tabDelimited"}
_FLOWS = {"accessCode": "authorizationCode", "application": "clientCredentials"}


def read(root: Node, library: Library) -> Description:
    """The interface that ``root`` describes."""
    library.siblings = False

    def operations(path: str, node: Node) -> Iterator[Operation]:
        for method, operation, item in methods(node, library):
            yield _operation((method, path), operation, item, root, library)

    return described(
        root,
        library,
        operations,
        servers=dict.fromkeys(_addresses(root), root),
        schemes={name: _scheme(node) for name, node in root.child("securityDefinitions").children()},
    )


def _addresses(root: Node) -> Iterator[str]:
    base = root.text("basePath").rstrip("/")
    host = root.text("host")
    if not host:
        yield base
        return
    schemes = [str(node.value) for node in root.child("schemes").elements()]
    for scheme in schemes or [""]:
        yield f"{scheme}://{host}{base}" if scheme else f"//{host}{base}"


def _operation(place: tuple[str, str], node: Node, item: Node, root: Node, library: Library) -> Operation:
    method, path = place
    known = parameters(node, item, library)
    consumes = _media_types(node, root, "consumes")
    return Operation(
        method=method,
        path=path,
        identifier=node.text("operationId"),
        deprecated=node.flag("deprecated"),
        parameters=tuple(_parameter(p) for p in known if p.text("in") not in ("body", "formData")),
        body=_body(known, consumes, node),
        responses=dict(_responses(node, _media_types(node, root, "produces"), library)),
        security=requirements(node.child("security").value),
        security_node=node.child("security"),
        servers=(),
        callbacks={},
        node=node,
    )


def _media_types(node: Node, root: Node, key: str) -> list[str]:
    own = node.child(key) if isinstance(node.child(key).value, list) else root.child(key)
    return [media_type(str(each.value)) for each in own.elements()]


def _parameter(node: Node) -> Parameter:
    location = node.text("in")
    collection = node.text("collectionFormat", "csv")
    plain = "form" if location == "query" else "simple"
    return Parameter(
        name=node.text("name"),
        location=location,
        required=node.flag("required"),
        schema=(node,),
        style=_STYLES.get(collection, plain),
        explode=collection == "multi",
        allow_empty=node.flag("allowEmptyValue"),
        allow_reserved=False,
        deprecated=False,
        content="",
        node=node,
    )


def _body(known: list[Node], consumes: list[str], node: Node) -> Body | None:
    body = next((p for p in known if p.text("in") == "body"), None)
    if body is not None:
        schema = body.child("schema")
        nodes = (schema,) if isinstance(schema.value, dict) else ()
        return Body(body.flag("required"), {t: Media(nodes, body) for t in consumes or ["application/json"]}, body)
    fields = [p for p in known if p.text("in") == "formData"]
    if not fields:
        return None
    whole = {
        "type": "object",
        "properties": {p.text("name"): p.value for p in fields},
        "required": [p.text("name") for p in fields if p.flag("required")],
    }
    place = node.child("parameters")
    form = Node(whole, place.file, place.pointer)
    types = [t for t in consumes if t in _FORMS] or [
        _FORMS[0] if any(p.text("type") == "file" for p in fields) else _FORMS[1]
    ]
    return Body(any(p.flag("required") for p in fields), {t: Media((form,), form) for t in types}, form)


def _responses(node: Node, produces: list[str], library: Library) -> Iterator[tuple[str, Response]]:
    for status, found in answers(node, library):
        schema = found.child("schema")
        content = {}
        if isinstance(schema.value, dict):
            content = {t: Media((schema,), found) for t in produces or ["application/json"]}
        headers = {name.lower(): Header(False, (each,), each) for name, each in found.child("headers").children()}
        yield status, Response(content, headers, found)


def _scheme(node: Node) -> Node:
    """A security scheme as version 3 writes it."""
    value = node.value if isinstance(node.value, dict) else {}
    if value.get("type") == "basic":
        return Node({"type": "http", "scheme": "basic"}, node.file, node.pointer)
    if value.get("type") == "oauth2":
        flow = str(value.get("flow"))
        kept = {key: value[key] for key in ("authorizationUrl", "tokenUrl", "scopes") if key in value}
        return Node({"type": "oauth2", "flows": {_FLOWS.get(flow, flow): kept}}, node.file, node.pointer)
    return node
