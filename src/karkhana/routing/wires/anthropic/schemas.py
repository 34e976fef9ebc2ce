"""Fits a JSON schema to what Anthropic's structured output takes.

Every object must be closed, and limits such as ``minimum`` are not known: they move into the description, where the
model reads them.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (limitations of JSON schema).

>>> fitted({"type": "integer", "minimum": 1})
{'type': 'integer', 'description': 'minimum: 1'}
"""

import json
from collections.abc import Mapping
from typing import Any

_KEPT = frozenset(
    {
        *("type", "description", "title", "enum", "const", "default", "properties", "required", "items", "format"),
        *("additionalProperties", "anyOf", "allOf", "$ref", "$defs", "definitions"),
    }
)
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})


def fitted(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, closed and without what is not known."""
    found: dict[str, Any] = {}
    told: list[str] = []
    for key, value in schema.items():
        if key == "oneOf":
            found["anyOf"] = _each(value)
        elif key in ("anyOf", "allOf"):
            found[key] = _each(value)
        elif key in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
            found[key] = {name: _one(each) for name, each in value.items()}
        elif key == "items":
            found[key] = _one(value)
        elif key in _KEPT and not (key == "format" and value not in _FORMATS):
            found[key] = value
        elif key != "$schema":
            told.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    if found.get("type") == "object" or "properties" in found:
        found["additionalProperties"] = False
    if told:
        found["description"] = "; ".join([*filter(None, [found.get("description")]), *told])
    return found


def _one(schema: Any) -> Any:
    return fitted(schema) if isinstance(schema, Mapping) else schema


def _each(schemas: Any) -> Any:
    return [_one(schema) for schema in schemas] if isinstance(schemas, list | tuple) else schemas
