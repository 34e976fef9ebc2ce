"""Small descriptions with one schema, parameter or operation each."""

import json
from typing import Any

from karkhana.quality.contracts.openapi import Comparison, compare

Json = dict[str, Any]


def described(paths: Json, version: str = "3.1.0", **more: Any) -> Json:
    head = {"swagger": "2.0"} if version == "2.0" else {"openapi": version}
    return {**head, "info": {"title": "Shop", "version": "1"}, "paths": paths, **more}


def operation(**keys: Any) -> Json:
    """A description with one operation, ``POST /orders``."""
    return described({"/orders": {"post": {"responses": {"200": {}}, **keys}}})


def body(schema: Any, direction: str, version: str = "3.1.0", **more: Any) -> Json:
    """A description in which one body flows in ``direction``."""
    content = {"content": {"application/json": {"schema": schema}}}
    if direction == "request":
        return described({"/orders": {"post": {"requestBody": content, "responses": {}}}}, version, **more)
    return described({"/orders": {"get": {"responses": {"200": content}}}}, version, **more)


def parameter(**keys: Any) -> Json:
    return operation(parameters=[{"name": "size", "in": "query", "schema": {"type": "array"}, **keys}])


def compared(old: Json, new: Json) -> Comparison:
    return compare("openapi.json", json.dumps(old).encode(), json.dumps(new).encode())


def codes(old: Json, new: Json) -> set[str]:
    return {change.code for change in compared(old, new).changes}


def breaking(old: Json, new: Json) -> set[str]:
    return {change.code for change in compared(old, new).breaking}
