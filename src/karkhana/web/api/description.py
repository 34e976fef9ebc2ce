"""The OpenAPI 3.1 description of the API, made from what its operations declare.

Shapes become JSON Schema (2020-12) as msgspec tells them; nothing is written down a second time. Source: OpenAPI 3.1.1,
RFC 9457 (problems), RFC 9110 (``Allow``, ``ETag``), RFC 8288 (``Link``).
"""

import inspect
from functools import lru_cache
from typing import Any

import msgspec

from karkhana import __version__
from karkhana.web.api.contract import JSON, STREAM, About, Operation
from karkhana.web.api.problems import MEDIA, Problem
from karkhana.web.api.reading import LARGEST, NAMES, required

REF = "#/components/schemas/{name}"
API = "1.0.0"
"""Changes by semantic versioning; the major number is the one in the address."""
_ABOUT = (
    "What the dashboard and the command line do, for programs. Errors are problem details (RFC 9457) with a stable"
    " `code` and the `next` step. Lists are read page by page with `cursor`; `next` in the body and in `Link` is the"
    " cursor of the following page. A POST with an `Idempotency-Key` can be sent again without harm for a day. What"
    " somebody may not see does not exist for them (404). See docs/api.md."
)
_FORMS = {
    "seq": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    "period": {"type": "string", "enum": ["day", "month", "total"]},
}
_EVENT = {
    "description": "Each event of the stream; its `data` is one event of the trail as JSON.",
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": JSON},
    },
}
_SHORT = {"type": "string", "minLength": 1, "maxLength": 200}
_HEADERS: dict[str, Any] = {
    "Link": {"description": "The following page (RFC 8288).", "schema": {"type": "string"}},
    "ETag": {"description": "Stands for what is answered.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new thing is.", "schema": {"type": "string"}},
}


@lru_cache(maxsize=4)
def describe(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """The whole description."""
    shapes = [Problem, *(shape for operation in operations for shape in (operation.body, _json(operation)) if shape)]
    schemas, components = _named(*msgspec.json.schema_components(shapes, ref_template=REF))
    known = dict(zip(map(_key, shapes), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, known)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Karkhana",
            "version": API,
            "summary": f"Served by Karkhana {__version__}",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in operations)],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {name: _strict(schema) for name, schema in components.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "An API token."}},
        },
    }


def _named(schemas: tuple[dict[str, Any], ...], components: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """With names that do not tell where in the code a shape is: of namesakes the API's own one keeps the short name."""
    short: dict[str, str] = {}
    for name in sorted(components, key=lambda each: not each.startswith("karkhana.web.api.")):
        *where, last = name.split(".")
        plain = last if last not in short.values() else where[-1].title().replace("_", "") + last
        short[name] = plain if where else name
    assert len(set(short.values())) == len(short), "two shapes have one name"

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: REF.format(name=short[each.rpartition("/")[2]]) if key == "$ref" else renamed(each)
                for key, each in value.items()
            }
        return [renamed(each) for each in value] if isinstance(value, list) else value

    return renamed(list(schemas)), {short[name]: renamed(schema) for name, schema in components.items()}


def _json(operation: Operation) -> Any:
    return operation.answer if operation.media == JSON and operation.answer is not None else None


def _key(shape: Any) -> str:
    return repr(shape)


def _operation(operation: Operation, known: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*map(_path, operation.parameters), *_query(operation), *_headers(operation)],
        "responses": _responses(operation, known),
    }
    if not told["parameters"]:
        del told["parameters"]
    description = inspect.cleandoc((operation.query or operation.body or object).__doc__ or "")
    needs = (
        "" if operation.about is About.NOBODY else f"Needs the role {operation.role.value}{_WHERE[operation.about]}."
    )
    told["description"] = "\n\n".join(part for part in (description if operation.query else "", needs) if part)
    if operation.body is not None:
        content = {JSON: {"schema": known[_key(operation.body)]}}
        told["requestBody"] = {"required": required(operation.body), "content": content}
    if operation.about is About.NOBODY:
        told["security"] = []
    return told


_WHERE = {
    About.SOME: " for a product; only such products are told of",
    About.OWN: " for a product; only what is one's own, or of products that one is admin of, is told of",
    About.ALL: " for everything",
    About.RUN: " for the run's product",
    About.TASK: " for the task's product",
    About.PRODUCT: " for the product",
}


def _path(name: str) -> dict[str, Any]:
    schema = _FORMS.get(name) or ({"type": "string", "pattern": f"^{NAMES[name]}$"} if name in NAMES else _SHORT)
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    (schema,), components = msgspec.json.schema_components([operation.query], ref_template=REF)
    shape = components[schema["$ref"].rpartition("/")[2]]
    wanted = set(shape.get("required", ()))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in wanted,
            "schema": components[part["$ref"].rpartition("/")[2]] if "$ref" in part else part,
        }
        for name, part in shape["properties"].items()
    ]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    # not Idempotency-Key and If-Match, which belong to HTTP: what they do is said in the text
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "schema": {"type": "string", **({"pattern": f"^{form}$"} if form else {})},
        }
        for name, form in operation.headers.items()
    ]


def _responses(operation: Operation, known: dict[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done." if operation.method != "GET" else "What was asked for."}
    if operation.media != JSON:
        done["content"] = {operation.media: {"schema": _EVENT if operation.media == STREAM else {"type": "string"}}}
    elif operation.answer is not None:
        done["content"] = {JSON: {"schema": known[_key(operation.answer)]}}
    headers = {
        name: _HEADERS[name]
        for name, wanted in (("Link", operation.paged), ("ETag", operation.tagged), ("Location", operation.located))
        if wanted
    }
    if headers:
        done["headers"] = headers
    found = {str(operation.status): done}
    if 202 in operation.errors:
        found["202"] = {**done, "description": "It is being carried out."}
    if operation.tagged:
        found["304"] = {"description": "It is what If-None-Match names.", "headers": {"ETag": _HEADERS["ETag"]}}
    for status in statuses(operation):
        content = {MEDIA: {"schema": known[_key(Problem)]}}
        found[str(status)] = {"description": _PROBLEMS[status], "content": content}
    return found


def statuses(operation: Operation) -> list[int]:
    """Of the problems that an operation may answer with."""
    found = {400, 414, 500, 503, *(status for status in operation.errors if status >= 400)}
    if operation.about is not About.NOBODY:
        found |= {401, 429}
    if operation.about in (About.ALL, About.RUN, About.TASK, About.PRODUCT):
        found.add(403)
    if operation.parameters or operation.paged:
        found.add(404)
    if operation.body is not None:
        found |= {413, 415, 422}
    if operation.query is not None:
        found.add(422)
    if operation.method == "POST":
        found |= {409, 422}
    if operation.body is None:
        found.add(413)
    return sorted(found)


_PROBLEMS = {
    400: "The request cannot be read.",
    401: "It is not known who asks.",
    403: "Whoever asks may not do this.",
    404: "There is no such thing, or none that whoever asks may see.",
    409: "It cannot be done as things stand; or the first request with this Idempotency-Key is not done yet.",
    412: "If-Match names something else.",
    413: f"The body has more than {LARGEST} bytes, or the ticket more than the settings allow.",
    414: "The address is too long.",
    415: "The body is not JSON.",
    422: "A value does not fit; or the Idempotency-Key was sent with another request.",
    429: "Too many requests; Retry-After says when to come back.",
    500: "The server failed.",
    503: "The server cannot do this now.",
}


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Docstrings of shapes are for readers of the code too: line feeds within a paragraph go."""
    if "description" in schema:
        schema = {**schema, "description": " ".join(schema["description"].replace("``", "`").split())}
    return schema
