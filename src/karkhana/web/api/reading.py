"""Reads requests strictly: what is not in the contract is refused, not guessed at.

Knows the shapes that the contract names; knows nothing of what is done with them.
"""

import re
import urllib.parse
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from karkhana.web.api.contract import JSON, Operation
from karkhana.web.api.problems import Refusal

LARGEST = 256 * 1024
"""Bytes of a body."""
EXACT = 2.0**53
LONGEST_QUERY = 8 * 1024
NAMES = {
    "run_id": r"run_[0-9a-z]{26}",
    "task_id": r"[A-Z]+-[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{3,12}",
    "seq": "[0-9]{1,9}",
    "scope": "(key|team|task):[!-~]{1,100}",
    "secret": "[a-zA-Z][a-zA-Z0-9_.-]{0,62}",
}
"""Path parameters whose form is known; the others are short texts."""

S = TypeVar("S", bound=msgspec.Struct)


def path_value(name: str, text: str) -> str | None:
    """The value of a part of the path; ``None`` when nothing can have such a name."""
    try:
        value = urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None
    form = NAMES.get(name)
    if form is not None:
        return value if re.fullmatch(form, value, re.ASCII) else None
    return value if 0 < len(value) <= 200 and value.isprintable() else None


def query_of(request: Request, shape: type[S] | None) -> S | None:
    """The parameters after the question mark. Raises :class:`Refusal`."""
    raw = request.scope.get("query_string", b"")
    if len(raw) > LONGEST_QUERY:
        raise Refusal(414, "query_too_long", f"The query may have {LONGEST_QUERY} bytes.")
    try:
        pairs = urllib.parse.parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise Refusal(400, "malformed_query", "The query is not percent-encoded UTF-8.") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Refusal(400, "repeated_parameter", "A parameter is given more than once.", "Give each once.")
    known = shape.__struct_fields__ if shape is not None else ()
    unknown = sorted(given.keys() - set(known))
    if unknown:
        told = ", ".join(known) or "none"
        raise Refusal(400, "unknown_parameter", f"There is no parameter {unknown[0][:80]!r}.", f"Known: {told}.")
    if shape is None:
        return None
    try:
        return msgspec.convert(given, shape, strict=False, str_keys=True)
    except msgspec.ValidationError as error:
        raise Refusal(422, "invalid_parameter", str(error)[:500], "See /api/v1/openapi.json.") from error


def check_headers(request: Request, operation: Operation) -> None:
    """Raises :class:`Refusal` for a header that means something here, and says nothing."""
    for name, form in operation.headers.items():
        value = request.headers.get(name)
        if value is not None and form and not re.fullmatch(form, value.strip()):
            raise Refusal(400, "malformed_header", f"{name} is written {form}.", "Leave it out, or send it so.")


async def body_of(request: Request, operation: Operation) -> tuple[bytes, Any]:
    """The bytes of the body, and what they say. Raises :class:`Refusal`; ``ClientDisconnect`` is one too."""
    data = await _bytes(request)
    if operation.body is None:
        if data:
            raise Refusal(400, "body_not_expected", "This takes no body.", "Send it without one.")
        return data, None
    if not data and not required(operation.body):
        return data, operation.body()
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != JSON:
        raise Refusal(415, "not_json", f"The body has to be {JSON}.", f"Send Content-Type: {JSON}.", {"accept": JSON})
    try:
        return data, msgspec.convert(_whole(msgspec.json.decode(data)), operation.body)
    except msgspec.ValidationError as error:
        raise Refusal(422, "invalid_body", str(error)[:500], "See /api/v1/openapi.json.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "malformed_json", f"The body is no JSON: {error}"[:500]) from error


def _whole(value: Any) -> Any:
    """With 7.0 as 7: JSON has one kind of numbers, and JSON Schema calls both an integer."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < EXACT else value
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


def required(shape: type[msgspec.Struct]) -> bool:
    """Whether a body has to be sent."""
    return any(field.required for field in msgspec.structs.fields(shape))


async def _bytes(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and (len(declared) > 9 or int(declared) > LARGEST):
        raise _too_large()
    pieces, size = [], 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > LARGEST:
                raise _too_large()
            pieces.append(piece)
    except ClientDisconnect as error:
        raise Refusal(400, "incomplete", "The body did not come as a whole.") from error
    return b"".join(pieces)


def _too_large() -> Refusal:
    return Refusal(413, "body_too_large", f"A body may have {LARGEST} bytes.", "Send less.")
