"""Reads what Gemini's clients may write in two ways: schemas and names of fields.

>>> json_schema({"type": "STRING", "nullable": True}), camel({"system_instruction": {"parts": [{"inline_data": 1}]}})
({'type': ['string', 'null']}, {'systemInstruction': {'parts': [{'inlineData': 1}]}})
"""

import re
from collections.abc import Mapping
from typing import Any

from karkhana.routing.wires.wire import BadRequest

_NOT_OURS = frozenset(
    {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"}
)
_NAMED = frozenset({"properties", "$defs", "defs"})
_UNDERSCORE = re.compile(r"_([a-z])")


def json_schema(schema: Any) -> Any:
    """A schema of the older kind (OpenAPI's, types in capitals) as JSON schema; one that is so already stays.

    Raises ``BadRequest`` for one that is nested too deeply.
    """
    try:
        return _json_schema(schema)
    except RecursionError as error:
        raise BadRequest("the schema is nested too deeply") from error


def _json_schema(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_json_schema(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, Mapping):
            found[key] = {name: _json_schema(each) for name, each in value.items()}
        elif key == "type" and isinstance(value, str):
            found[key] = value.lower()
        elif key in ("items", "anyOf", "additionalProperties"):
            found[key] = _json_schema(value)
        elif key != "nullable":
            found[key] = value
    if schema.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


def camel(value: Any) -> Any:
    """Fields as the reference writes them: the interface also takes them with underscores. Contents stay."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, each in value.items():
        key = _UNDERSCORE.sub(lambda letter: letter[1].upper(), name) if "_" in name else name
        found[key] = each if key in _NOT_OURS else camel(each)
    return found
