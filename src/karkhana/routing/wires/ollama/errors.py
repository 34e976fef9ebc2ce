"""Errors of Ollama: a text.

Source: https://docs.ollama.com/api/errors.
"""

import json

from karkhana.http.messages import Headers
from karkhana.routing.faults import Fault, FaultTable, ProviderFault
from karkhana.routing.wires.retry_after import retry_after_s
from karkhana.routing.wires.wire import LONGEST_MESSAGE, Json

TABLE = FaultTable(
    statuses={
        400: Fault.INVALID,
        401: Fault.UNAUTHORISED,
        402: Fault.QUOTA,
        403: Fault.UNAUTHORISED,
        404: Fault.UNKNOWN_MODEL,
        408: Fault.TIMEOUT,
        413: Fault.TOO_LONG,
        429: Fault.RATE_LIMITED,
        503: Fault.OVERLOADED,
        504: Fault.TIMEOUT,
    },
    words={
        "context length": Fault.TOO_LONG,
        "maximum pending requests": Fault.OVERLOADED,
        "server busy": Fault.OVERLOADED,
    },
)

_STATUSES = {
    Fault.RATE_LIMITED: 429,
    Fault.OVERLOADED: 503,
    Fault.SERVER_ERROR: 500,
    Fault.TIMEOUT: 504,
    Fault.BROKEN: 502,
    Fault.UNAUTHORISED: 401,
    Fault.QUOTA: 402,
    Fault.UNKNOWN_MODEL: 404,
    Fault.TOO_LONG: 413,
    Fault.INVALID: 400,
    Fault.REFUSED: 400,
}


def fault_of(status: int, headers: Headers, body: bytes) -> ProviderFault:
    """What an error answer means."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    message = found.get("error") if isinstance(found, dict) else None
    if not isinstance(message, str) or not message:
        message = body[:500].decode("utf-8", "replace").strip() or f"status {status} without a body"
    return fault_in(message, status, headers)


def fault_in(message: str, status: int = 0, headers: Headers = ()) -> ProviderFault:
    """What an error's text means; those within a stream come without a status."""
    message = message[:LONGEST_MESSAGE]
    fault = TABLE.fault(status or 500, "", message)
    return ProviderFault(fault, message, status=status, retry_after_s=retry_after_s(headers))


def refusal_of(fault: ProviderFault) -> tuple[int, Json]:
    """Status and body of an error."""
    return _STATUSES[fault.fault], {"error": fault.message or "the request failed"}
