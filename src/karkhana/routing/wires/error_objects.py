"""What the wires' error answers have in common: the statuses of HTTP, and an object that says what was wrong.

>>> error_object(429, b'{"error": {"message": "slow down"}}')
{'message': 'slow down'}
>>> error_object(502, b"<h1>Bad Gateway</h1>")
{'message': '<h1>Bad Gateway</h1>'}
"""

import json
from collections.abc import Mapping

from karkhana.routing.faults import Fault
from karkhana.routing.wires.wire import Json

STATUSES: Mapping[int, Fault] = {
    400: Fault.INVALID,
    401: Fault.UNAUTHORISED,
    402: Fault.QUOTA,
    403: Fault.UNAUTHORISED,
    404: Fault.UNKNOWN_MODEL,
    408: Fault.TIMEOUT,
    409: Fault.SERVER_ERROR,
    413: Fault.TOO_LONG,
    429: Fault.RATE_LIMITED,
    503: Fault.OVERLOADED,
    504: Fault.TIMEOUT,
    529: Fault.OVERLOADED,
}
"""What they mean on every wire (RFC 9110, RFC 6585; 529 is used for "overloaded")."""


def error_object(status: int, body: bytes) -> Json:
    """The object under ``error``; for a body that has none, one with the body's beginning as its ``message``."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    # Google's streams that are no events have their errors in a list.
    found = found[0] if isinstance(found, list) and found else found
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, dict):
        return error
    text = error if isinstance(error, str) else body[:500].decode("utf-8", "replace").strip()
    return {"message": text or f"status {status} without a body"}
