"""Errors of OpenAI's interfaces, which Chat Completions and Responses share.

Source: https://platform.openai.com/docs/guides/error-codes.
"""

from karkhana.http.messages import Headers
from karkhana.routing.faults import Fault, FaultTable, ProviderFault
from karkhana.routing.wires.error_objects import STATUSES, error_object
from karkhana.routing.wires.retry_after import retry_after_s
from karkhana.routing.wires.wire import LONGEST_MESSAGE, Json

TABLE = FaultTable(
    statuses=STATUSES,
    codes={
        "insufficient_quota": Fault.QUOTA,
        "billing": Fault.QUOTA,
        "context_length_exceeded": Fault.TOO_LONG,
        "string_above_max_length": Fault.TOO_LONG,
        "model_not_found": Fault.UNKNOWN_MODEL,
        "invalid_api_key": Fault.UNAUTHORISED,
        "content_policy_violation": Fault.REFUSED,
        "content_filter": Fault.REFUSED,
        "policy": Fault.REFUSED,
        "invalid_prompt": Fault.INVALID,
        "invalid_image": Fault.INVALID,
        "rate_limit": Fault.RATE_LIMITED,
        "overloaded": Fault.OVERLOADED,
        "server_error": Fault.SERVER_ERROR,
    },
    words={
        "maximum context length": Fault.TOO_LONG,
        "context window": Fault.TOO_LONG,
        "exceeded your current quota": Fault.QUOTA,
        "does not exist": Fault.UNKNOWN_MODEL,
    },
)

_TYPES = {
    Fault.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    Fault.OVERLOADED: (503, "server_error", "overloaded"),
    Fault.SERVER_ERROR: (500, "server_error", ""),
    Fault.TIMEOUT: (504, "server_error", "timeout"),
    Fault.BROKEN: (502, "server_error", "upstream_failed"),
    Fault.UNAUTHORISED: (401, "authentication_error", "invalid_api_key"),
    Fault.QUOTA: (429, "insufficient_quota", "insufficient_quota"),
    Fault.UNKNOWN_MODEL: (404, "invalid_request_error", "model_not_found"),
    Fault.TOO_LONG: (400, "invalid_request_error", "context_length_exceeded"),
    Fault.INVALID: (400, "invalid_request_error", ""),
    Fault.REFUSED: (400, "invalid_request_error", "content_policy_violation"),
}


def fault_of(status: int, headers: Headers, body: bytes) -> ProviderFault:
    """What an error answer means."""
    return fault_in(error_object(status, body), status, headers)


def fault_in(error: Json, status: int = 0, headers: Headers = ()) -> ProviderFault:
    """What an ``error`` object means; those within a stream come without a status."""
    message = str(error.get("message") or error.get("type") or f"status {status}")[:LONGEST_MESSAGE]
    code = " ".join(str(error[k]) for k in ("code", "type") if error.get(k))
    fault = TABLE.fault(status or (400 if "invalid_request_error" in code else 500), code, message)
    return ProviderFault(fault, message, status=status, code=code, retry_after_s=retry_after_s(headers))


def refusal_of(fault: ProviderFault) -> tuple[int, Json]:
    """Status and body of an error."""
    status, kind, code = _TYPES[fault.fault]
    return status, {"error": {"message": fault.message, "type": kind, "param": None, "code": code or None}}
