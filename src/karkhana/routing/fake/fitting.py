"""Makes a value that fits a JSON schema, always the same one. Knows nothing of requests.

Covers what providers accept for structured output: types, enumerations, constants, properties, items, alternatives and
references within the schema; patterns and formats are not looked at.

>>> fitting({"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]})
{'a': 3}
"""

from collections.abc import Mapping
from typing import Any

DEEPEST = 12
"""Levels; a schema that refers to itself ends there."""


def fitting(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """A value for ``schema``; ``root`` holds what its references name."""
    root = schema if root is None else root
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        return fitting(_named(root, reference), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if isinstance(values := schema.get("enum"), list) and values:
        return values[0]
    for key in ("anyOf", "oneOf"):
        if isinstance(choices := schema.get(key), list) and choices:
            return fitting(choices[0], root, depth + 1)
    if isinstance(parts := schema.get("allOf"), list) and parts:
        made = [fitting(part, root, depth + 1) for part in parts]
        if all(isinstance(part, dict) for part in made):
            return {key: value for part in made for key, value in part.items()}
        return made[0]
    return _of_type(schema, root, depth)


def _of_type(schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    # Gemini writes types in capitals.
    match str(kind or "").lower():
        case "string":
            return "text".ljust(_count(schema, "minLength"), "x")
        case "integer":
            return int(_lowest(schema, 1))
        case "number":
            return _lowest(schema, 0.5)
        case "boolean":
            return True
        case "array":
            return [fitting(schema.get("items"), root, depth + 1)] * max(1, _count(schema, "minItems"))
        case "null":
            return None
        case _:
            return _object(schema, root, depth)


def _object(schema: Mapping[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    required = schema.get("required")
    # All that is named, until it gets deep; then only what must be there.
    names = properties if depth <= DEEPEST // 2 else [n for n in required or () if n in properties]
    return {str(name): fitting(properties[name], root, depth + 1) for name in names}


def _count(schema: Mapping[str, Any], key: str) -> int:
    value = schema.get(key)
    return min(value, 1000) if isinstance(value, int) and value > 0 else 0


def _lowest(schema: Mapping[str, Any], usual: float) -> float:
    for key, step in (("minimum", 0), ("exclusiveMinimum", 1)):
        if isinstance(value := schema.get(key), int | float) and not isinstance(value, bool):
            return value + step
    highest = schema.get("maximum")
    return min(usual, highest) if isinstance(highest, int | float) else usual


def _named(root: Any, reference: str) -> Any:
    value = root
    for key in reference.removeprefix("#").strip("/").split("/"):
        if key:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value
