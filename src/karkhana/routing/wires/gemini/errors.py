"""Errors of Google's interfaces.

Sources: https://ai.google.dev/gemini-api/docs/troubleshooting; https://google.aip.dev/193 (status and details).
"""

import re

from karkhana.http.messages import Headers
from karkhana.routing.faults import Fault, FaultTable, ProviderFault
from karkhana.routing.wires.error_objects import STATUSES, error_object
from karkhana.routing.wires.retry_after import LONGEST_S, retry_after_s
from karkhana.routing.wires.wire import LONGEST_MESSAGE, Json

TABLE = FaultTable(
    statuses={**STATUSES, 499: Fault.BROKEN},
    codes={
        "API_KEY_INVALID": Fault.UNAUTHORISED,
        "FAILED_PRECONDITION": Fault.UNAUTHORISED,
        "PERMISSION_DENIED": Fault.UNAUTHORISED,
        "UNAUTHENTICATED": Fault.UNAUTHORISED,
        "PerDay": Fault.QUOTA,
        "RESOURCE_EXHAUSTED": Fault.RATE_LIMITED,
        "UNAVAILABLE": Fault.OVERLOADED,
        "DEADLINE_EXCEEDED": Fault.TIMEOUT,
        "NOT_FOUND": Fault.UNKNOWN_MODEL,
        "INTERNAL": Fault.SERVER_ERROR,
    },
    words={
        "exceeds the maximum number of tokens": Fault.TOO_LONG,
        "credits are depleted": Fault.QUOTA,
        "api key not valid": Fault.UNAUTHORISED,
    },
)

_STATUSES = {
    Fault.RATE_LIMITED: (429, "RESOURCE_EXHAUSTED"),
    Fault.OVERLOADED: (503, "UNAVAILABLE"),
    Fault.SERVER_ERROR: (500, "INTERNAL"),
    Fault.TIMEOUT: (504, "DEADLINE_EXCEEDED"),
    Fault.BROKEN: (500, "INTERNAL"),
    Fault.UNAUTHORISED: (401, "UNAUTHENTICATED"),
    Fault.QUOTA: (429, "RESOURCE_EXHAUSTED"),
    Fault.UNKNOWN_MODEL: (404, "NOT_FOUND"),
    Fault.TOO_LONG: (413, "INVALID_ARGUMENT"),
    Fault.INVALID: (400, "INVALID_ARGUMENT"),
    Fault.REFUSED: (400, "INVALID_ARGUMENT"),
}
_TYPE = "type.googleapis.com/google.rpc."
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def fault_of(status: int, headers: Headers, body: bytes) -> ProviderFault:
    """What an error answer means."""
    return fault_in(error_object(status, body), status, headers)


def fault_in(error: Json, status: int = 0, headers: Headers = ()) -> ProviderFault:
    """What an ``error`` object means; it has the status in it when it comes within a stream."""
    known = error.get("code")
    status = status or (known if isinstance(known, int) and not isinstance(known, bool) else 500)
    listed = error.get("details")
    details = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    code = " ".join([str(error.get("status") or ""), *_reasons(details)]).strip()
    message = str(error.get("message") or code or f"status {status}")[:LONGEST_MESSAGE]
    # Reasons come first: the day's quota is told with the same status as the minute's.
    fault = TABLE.fault(status, code, message)
    wait = retry_after_s(headers)
    wait = _delay(details) if wait is None else wait
    return ProviderFault(fault, message, status=status, code=code, retry_after_s=wait)


def _reasons(details: list[Json]) -> list[str]:
    """What the details name: the reason of an error, the quotas that were exceeded."""
    found = [str(each["reason"]) for each in details if each.get("reason")]
    for each in details:
        violations = each.get("violations")
        listed = violations if isinstance(violations, list) else []
        found += [str(quota["quotaId"]) for quota in listed if isinstance(quota, dict) and quota.get("quotaId")]
    return found


def _delay(details: list[Json]) -> float | None:
    for each in details:
        found = _SECONDS.fullmatch(str(each.get("retryDelay") or ""))
        if found:
            return min(float(found[1]), LONGEST_S)
    return None


def refusal_of(fault: ProviderFault) -> tuple[int, Json]:
    """Status and body of an error."""
    status, name = _STATUSES[fault.fault]
    details: list[Json] = []
    if fault.fault is Fault.QUOTA:
        details.append({"@type": f"{_TYPE}QuotaFailure", "violations": [{"quotaId": "BudgetPerDay"}]})
    if fault.retry_after_s is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{fault.retry_after_s:g}s"})
    error: Json = {"code": status, "message": fault.message, "status": name}
    return status, {"error": error | ({"details": details} if details else {})}
