"""Errors of Anthropic's interface.

Source: https://platform.claude.com/docs/en/api/errors.
"""

import re
from typing import Any

from karkhana.http.messages import Headers
from karkhana.routing.faults import Fault, FaultTable, ProviderFault
from karkhana.routing.wires.error_objects import STATUSES, error_object
from karkhana.routing.wires.retry_after import retry_after_s
from karkhana.routing.wires.wire import LONGEST_MESSAGE, Json

TABLE = FaultTable(
    statuses=STATUSES,
    codes={
        "authentication_error": Fault.UNAUTHORISED,
        "permission_error": Fault.UNAUTHORISED,
        "billing_error": Fault.QUOTA,
        "not_found_error": Fault.UNKNOWN_MODEL,
        "request_too_large": Fault.TOO_LONG,
        "rate_limit_error": Fault.RATE_LIMITED,
        "timeout_error": Fault.TIMEOUT,
        "overloaded_error": Fault.OVERLOADED,
        "api_error": Fault.SERVER_ERROR,
    },
    words={
        "prompt is too long": Fault.TOO_LONG,
        "exceed context limit": Fault.TOO_LONG,
        "credit balance is too low": Fault.QUOTA,
        "api usage limits": Fault.QUOTA,
    },
)

NO_THREADS = "thread_unsupported_request"
"""In the details of an error: upon this, and others that begin alike, a library sends the whole conversation."""
_TYPES = {
    Fault.RATE_LIMITED: (429, "rate_limit_error"),
    Fault.OVERLOADED: (529, "overloaded_error"),
    Fault.SERVER_ERROR: (500, "api_error"),
    Fault.TIMEOUT: (504, "timeout_error"),
    Fault.BROKEN: (502, "api_error"),
    Fault.UNAUTHORISED: (401, "authentication_error"),
    Fault.QUOTA: (402, "billing_error"),
    Fault.UNKNOWN_MODEL: (404, "not_found_error"),
    Fault.TOO_LONG: (413, "request_too_large"),
    Fault.INVALID: (400, "invalid_request_error"),
    Fault.REFUSED: (400, "invalid_request_error"),
}


def fault_of(status: int, headers: Headers, body: bytes) -> ProviderFault:
    """What an error answer means."""
    return fault_in(error_object(status, body), status, headers)


def fault_in(error: Json, status: int = 0, headers: Headers = ()) -> ProviderFault:
    """What an ``error`` object means; those within a stream come without a status."""
    kind = str(error.get("type") or "")
    code = f"{kind} {_thread_code(error.get('details'))}".strip()
    message = str(error.get("message") or code or f"status {status}")[:LONGEST_MESSAGE]
    fault = TABLE.fault(status or (400 if kind == "invalid_request_error" else 500), code, message)
    return ProviderFault(fault, message, status=status, code=code, retry_after_s=retry_after_s(headers))


def refusal_of(fault: ProviderFault) -> tuple[int, Json]:
    """Status and body of an error."""
    status, kind = _TYPES[fault.fault]
    error = {"type": kind, "message": fault.message}
    found = next((word for word in fault.code.split() if word.startswith("thread_")), "")
    return status, {"type": "error", "error": error | ({"details": {"error_code": found}} if found else {})}


def _thread_code(details: Any) -> str:
    found = details.get("error_code") if isinstance(details, dict) else None
    return found if isinstance(found, str) and re.fullmatch("thread_[a-z_]{1,50}", found) else ""
