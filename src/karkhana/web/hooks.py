"""The doors of ``/hooks/NAME``: bytes in, a receipt out. No session and no form: a signature decides.

Knows HTTP alone: sizes, times, and how many at once. What a delivery says is :mod:`karkhana.intake`'s to tell, and
what comes of it the factory's (:mod:`karkhana.factory.admission`).
"""

import asyncio
import ipaddress
import math
import time
from collections.abc import Callable, Mapping

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from karkhana.domain.errors import KarkhanaError
from karkhana.factory.admission import Admission, Desk
from karkhana.factory.doors import OpenDoor
from karkhana.intake.deliveries import Challenge, Delivery, Refused
from karkhana.intake.door import received
from karkhana.storage.intake_store import Flood
from karkhana.web.limits import Allowances, forwarded

PREFIX = "/hooks/"
REFUSED_PER_MINUTE = 60
"""Deliveries of one address that may be out of order; more are not looked at before some time has passed."""
PATIENCE_S = 10.0
"""Seconds in which a delivery has to be here as a whole."""
WAITING = 256
"""Deliveries that are here at the same time; more are turned away, and senders send them again."""
OUT_OF_ORDER = frozenset({400, 401, 404, 408, 413, 415, 422})
KEPT = ("content-type", "authorization")
"""Headers that are looked at, besides those of the senders' own (``x-…``)."""

_log = structlog.get_logger(__name__)


class Hooks:
    """All doors of one server."""

    def __init__(
        self,
        doors: Mapping[str, OpenDoor],
        desk: Desk,
        clock: Callable[[], float] = time.time,
        *,
        counted: Callable[[str, str], None] = lambda _door, _outcome: None,
        admitted: Callable[[str, str], None] | None = None,
    ) -> None:
        """``counted`` is told the door and what came of each delivery, ``admitted`` the door and each new task."""
        self._counted = counted
        self._admitted = admitted or (lambda _door, _task_id: None)
        self._doors = doors
        self._desk = desk
        self._clock = clock
        self._working = asyncio.Semaphore(desk.at_once)
        self._inside = 0
        self._strangers = Allowances(REFUSED_PER_MINUTE, clock=clock)

    async def __call__(self, request: Request) -> Response:
        """Answers one delivery, unless too many of its address were out of order: then not a byte of it is read."""
        address = stranger(request)
        wait_s = self._strangers.wait(address) if address else 0.0
        if wait_s:
            return _refusal(Refused("too much that was out of order", 429, retry_after_s=wait_s))
        response = await self._answered(request)
        if address and response.status_code in OUT_OF_ORDER:
            self._strangers.take(address)
        return response

    async def _answered(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        opened = self._doors.get(name)
        if opened is None:
            return PlainTextResponse("There is no such door.\n", 404)
        if self._inside >= WAITING:
            return _refusal(Refused("too much at once", 503, retry_after_s=5))
        self._inside += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                body = await _body(request, opened.settings.largest_kb * 1024)
            if body is None:
                return _refusal(Refused(f"a delivery may have {opened.settings.largest_kb} KiB", 413))
            headers = {key: text for key, text in request.headers.items() if key in KEPT or key.startswith("x-")}
            async with self._working:
                return await asyncio.to_thread(self._answer, name, opened, Delivery(headers, body, self._clock()))
        except TimeoutError:
            return _refusal(Refused("the delivery took too long", 408))
        except ClientDisconnect:
            return _refusal(Refused("the sender left", 400))
        finally:
            self._inside -= 1

    def _answer(self, name: str, opened: OpenDoor, delivery: Delivery) -> Response:
        reading = received(opened.door, delivery, opened.secrets)
        if isinstance(reading, Refused):
            _log.info("delivery.refused", door=name, status=reading.status, reason=reading.reason)
            self._counted(name, "refused")
            return _refusal(reading)
        if isinstance(reading.outcome, Challenge):
            return PlainTextResponse(reading.outcome.text)
        try:
            found = self._desk.admit(name, opened.settings, reading)
        except Flood as error:
            self._counted(name, "flood")
            return _refusal(Refused(str(error), 429, retry_after_s=error.wait_s))
        except KarkhanaError as error:
            # nothing was kept: it is for whoever runs the factory to mend, and for the sender to send again
            _log.error("delivery.failed", door=name, code=error.code, message=error.message)
            self._counted(name, "failed")
            return _refusal(Refused("the factory cannot take it now", 503, retry_after_s=60))
        self._counted(name, "repeated" if found.repeated else found.receipt.status)
        if found.receipt.status == "accepted" and found.receipt.task_id and not found.repeated:
            self._admitted(name, found.receipt.task_id)
        _log.info("delivery.read", door=name, status=found.receipt.status, task=found.receipt.task_id)
        return _receipt(found)


def stranger(request: Request) -> str:
    """Whom a delivery is from, for counting; empty when that cannot be told from all others.

    A proxy on this machine that nobody told us of adds its client to the right end of ``X-Forwarded-For``; one that
    adds nothing makes all senders one, and then a stranger could keep the others out.
    """
    peer: str = request.state.address
    try:
        found = ipaddress.ip_address(peer)
        if found.is_loopback:
            found = ipaddress.ip_address(forwarded(request.headers).rpartition(",")[2].strip())
    except ValueError:
        return ""
    # whoever has one address of version 6 has 2 ** 64
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def _receipt(found: Admission) -> Response:
    receipt = found.receipt
    told = {"status": receipt.status, "task_id": receipt.task_id, "reason": receipt.reason, "repeated": found.repeated}
    return JSONResponse(told, 202 if receipt.status in ("accepted", "done") and not found.repeated else 200)


def _refusal(refused: Refused) -> Response:
    headers = {"retry-after": str(math.ceil(refused.retry_after_s))} if refused.retry_after_s else {}
    return JSONResponse({"status": "refused", "reason": refused.reason}, refused.status, headers)


async def _body(request: Request, largest: int) -> bytes | None:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and len(declared) < 12 and int(declared) > largest:
        return None
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > largest:
            return None
        pieces.append(piece)
    return b"".join(pieces)
