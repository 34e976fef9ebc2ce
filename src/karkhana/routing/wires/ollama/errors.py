"""Errors of Ollama: a text.

Source: https://docs.ollama.com/api/errors.
"""

from karkhana.http.messages import Headers
from karkhana.routing.faults import Fault, FaultTable, ProviderFault
from karkhana.routing.wires.error_objects import STATUSES, error_object
from karkhana.routing.wires.retry_after import retry_after_s
from karkhana.routing.wires.wire import LONGEST_MESSAGE, Json

TABLE = FaultTable(
    statuses=STATUSES,
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
    message = error_object(status, body).get("message")
    return fault_in(str(message or f"status {status}"), status, headers)


def fault_in(message: str, status: int = 0, headers: Headers = ()) -> ProviderFault:
    """What an error's text means; those within a stream come without a status."""
    message = message[:LONGEST_MESSAGE]
    fault = TABLE.fault(status or 500, "", message)
    return ProviderFault(fault, message, status=status, retry_after_s=retry_after_s(headers))


def refusal_of(fault: ProviderFault) -> tuple[int, Json]:
    """Status and body of an error."""
    return _STATUSES[fault.fault], {"error": fault.message or "the request failed"}
