"""Answers requests to ``/api/v1``: finds the operation, sees who asks, reads, carries out, and writes the answer.

A path that is none is a 404, a method that a path has not a 405 with ``Allow``. What somebody may not see does not
exist for them. Knows the contract; knows nothing of single operations.
"""

import hashlib
import traceback
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import Any

import anyio
import msgspec
import sqlalchemy as sa
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from karkhana.domain.access import EVERYTHING, Principal, Role
from karkhana.domain.errors import KarkhanaError, UnknownTask
from karkhana.web.api.contract import JSON, STREAM, About, Answer, Call, Operation, Page, Writing
from karkhana.web.api.encoding import encoded
from karkhana.web.api.problems import MEDIA, Problem, Refusal, forbidden, made, missing, problem
from karkhana.web.api.reading import body_of, check_headers, path_value, query_of
from karkhana.web.api.repeating import Finish, Keep, Repeats, read_key
from karkhana.web.live import Hub
from karkhana.web.site import Site

PREFIX = "/api/v1"
AT_ONCE = 16
"""Requests that are carried out at the same time; others wait for their turn."""
BUSY = {"retry-after": "5"}
"""Of an answer that the database, or what else the factory needs, is away or overloaded."""
_log = structlog.get_logger(__name__)


class Api:
    """The ASGI program below ``/api``. ``request.state.principal`` says who asks."""

    def __init__(self, site: Site, load: Callable[[], Sequence[Operation]]) -> None:
        """``load`` gives the operations, when the first request comes."""
        self._site = site
        self._load = load
        self._lock = Lock()
        self._operations: Sequence[Operation] = ()
        self._repeats = Repeats(site.stores)
        self.hub = Hub(site.lists, _noticed)
        self._paths: dict[tuple[str, ...], dict[str, Operation]] = {}
        self._limit: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # figures, log and traces name the operation, and no path that is none
        scope.update(root_path=PREFIX, route=None)
        request = Request(scope, receive)
        try:
            answer = await self._answered(request)
        except Refusal as refusal:
            answer = _told(refusal.problem, refusal.headers)
        except KarkhanaError as error:
            told = problem(error)
            answer = _told(told, BUSY if told.status == HTTPStatus.SERVICE_UNAVAILABLE else None)
        except Exception:  # whoever asks a program is answered in its own language, and the log has the rest
            # without the values of variables, among which there may be secrets
            _log.error("api.failed", method=request.method, path=request.url.path, trace=traceback.format_exc())
            answer = _told(made(500, "internal", "The server failed; its log says how."))
        await answer(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        principal: Principal | None = getattr(request.state, "principal", None)
        if not self._operations:
            await anyio.to_thread.run_sync(self._loaded)
        methods, path = self._methods(request)
        if request.method == "OPTIONS":
            return Response(None, 204, {"allow": _allow(methods)})
        method = "GET" if request.method == "HEAD" else request.method
        operation = methods.get(method)
        request.scope["route"] = operation
        if operation is None:
            told = made(405, "method_not_allowed", f"{request.method} is not for this path.")
            return _told(told, {"allow": _allow(methods)})
        if principal is None and operation.about is not About.NOBODY:
            raise Refusal(
                401,
                "unauthorized",
                "It is not known who asks.",
                "Send Authorization: Bearer TOKEN; see docs/api.md.",
                {"www-authenticate": 'Bearer realm="karkhana"'},
            )
        if None in path.values():
            raise missing("such thing")
        values = {name: value for name, value in path.items() if value is not None}
        if self._limit is None:
            self._limit = anyio.CapacityLimiter(AT_ONCE)
        # before anything of the request is read: whoever may not do it is told nothing about how it would be done
        call = await anyio.to_thread.run_sync(self._call, operation, principal or _NOBODY, values, limiter=self._limit)
        query = query_of(request, operation.query)
        check_headers(request, operation)
        data, body = await body_of(request, operation)
        key = read_key(request, operation)
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = replace(call, query=query, body=body, headers=headers)

        def work() -> Response:
            if key:
                return self._repeats.once(operation, call, key, data, lambda: self._carried_out(operation, call))
            return self._carried_out(operation, call)(None)

        answer = await anyio.to_thread.run_sync(work, limiter=self._limit)
        if request.method == "HEAD":
            # the head of what a GET would be answered with
            return Response(None, answer.status_code, dict(answer.headers))
        return answer

    def _loaded(self) -> None:
        with self._lock:
            if not self._operations:
                operations = self._load()
                for operation in operations:
                    self._paths.setdefault(tuple(operation.path.split("/")[1:]), {})[operation.method] = operation
                self._operations = operations

    def _methods(self, request: Request) -> tuple[dict[str, Operation], dict[str, str | None]]:
        raw = request.scope.get("raw_path", request.url.path.encode()).split(b"?")[0].decode("latin-1")
        parts = raw.removeprefix(PREFIX).split("/")[1:] if raw.startswith(PREFIX) else [""]
        for form, methods in self._paths.items():
            if len(form) == len(parts) and all(f.startswith("{") or f == p for f, p in zip(form, parts, strict=True)):
                named = zip(form, parts, strict=True)
                return methods, {f[1:-1]: path_value(f[1:-1], p) for f, p in named if f.startswith("{")}
        raise Refusal(404, "no_such_path", "There is nothing at this address.", f"See {PREFIX}/openapi.json.")

    def _call(self, operation: Operation, principal: Principal, path: Mapping[str, str]) -> Call:
        """The request with what it is about. Raises :class:`Refusal` unless it may be seen, and this be done."""
        run = task = None
        product = EVERYTHING
        if operation.about is About.RUN:
            run = self._site.lists.get(path["run_id"])
            if run is None or not principal.may(Role.VIEWER, run.product):
                raise missing(f"run {path['run_id']}")
            product = run.product
        elif operation.about is About.TASK:
            try:
                task = self._site.stores.tasks.get(path["task_id"])
            except UnknownTask:
                task = None
            if task is None or not principal.may(Role.VIEWER, task.product):
                raise missing(f"task {path['task_id']}")
            product = task.product
        elif operation.about is About.PRODUCT:
            product = path["product"]
            if not principal.may(Role.VIEWER, product):
                raise missing(f"product {product}")
        if operation.about is About.OWN:
            allowed = True
        elif operation.about is About.SOME:
            # somebody who may see nothing sees empty lists; whoever may do this nowhere is told so
            allowed = operation.role is Role.VIEWER or principal.products(operation.role) != (False, frozenset())
        else:
            allowed = operation.about is About.NOBODY or principal.may(operation.role, product)
        if not allowed:
            if operation.action:
                told = "" if product == EVERYTHING else product
                self._record(principal, operation, path, product=told, outcome="refused")
            raise forbidden(operation.role.value)
        return Call(
            site=self._site,
            principal=principal,
            role=operation.role,
            path=path,
            found_run=run,
            found_task=task,
            watch=self.hub.stream,
            operations=self._operations,
        )

    def _carried_out(self, operation: Operation, call: Call) -> Finish:
        """Does the work, and gives what writes it down and makes the answer."""
        try:
            found = operation.handler(call)
        except (KarkhanaError, Refusal) as error:
            self._refused(operation, call, error)
            raise

        def finish(keep: Keep | None) -> Response:
            if not isinstance(found, Writing):
                return self._finished(operation, call, found, None, keep)
            try:
                with found.held(), self._site.stores.database.writing() as connection:
                    answer = found.write(connection)
                    response = self._finished(operation, call, answer, connection, keep)
            except (KarkhanaError, Refusal) as error:
                self._refused(operation, call, error)
                raise
            found.after(answer)
            return response

        return finish

    def _finished(
        self,
        operation: Operation,
        call: Call,
        answer: Answer,
        connection: sa.Connection | None,
        keep: Keep | None,
    ) -> Response:
        self._audited(operation, call, answer, connection)
        response = _response(operation, call, answer)
        if keep is not None:
            keep(response, connection)
        return response

    def _audited(self, operation: Operation, call: Call, answer: Answer, connection: sa.Connection | None) -> None:
        if not operation.action or answer.audited:
            return
        product = answer.product or _product(call)
        target = answer.target or next(iter(call.path.values()), "")
        audit = self._site.stores.audit
        record = audit.record if connection is None else partial(audit.record_within, connection)
        record(call.principal, action=operation.action, target=target, product=product, details=answer.details)

    def _refused(self, operation: Operation, call: Call, error: KarkhanaError | Refusal) -> None:
        if operation.action:
            code = error.code if isinstance(error, KarkhanaError) else error.problem.code
            self._record(
                call.principal,
                operation,
                call.path,
                product=_product(call),
                outcome="failed",
                details={"code": code},
            )

    def _record(self, principal: Principal, operation: Operation, path: Mapping[str, str], **told: Any) -> None:
        target = next(iter(path.values()), "")
        self._site.stores.audit.record(principal, action=operation.action, target=target, **told)


def _noticed(_topic: str, _after: int) -> bytes:
    """Streams read for themselves what they have not told yet."""
    return b"changed"


_NOBODY = Principal(name="", roles={})


def _product(call: Call) -> str:
    if call.found_run is not None:
        return call.found_run.product
    return call.found_task.product if call.found_task is not None else call.path.get("product", "")


def _allow(methods: Mapping[str, Operation]) -> str:
    return ", ".join(sorted({*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())}))


def _response(operation: Operation, call: Call, answer: Answer) -> Response:
    headers = dict(answer.headers)
    if isinstance(answer.value, Page) and answer.value.next is not None:
        asked = {**msgspec.to_builtins(call.query), "cursor": answer.value.next}
        path = operation.path.format(**{name: urllib.parse.quote(each, safe="") for name, each in call.path.items()})
        headers["link"] = f'<{PREFIX}{path}?{urllib.parse.urlencode(asked)}>; rel="next"'
    status = answer.status or operation.status
    if answer.stream is not None:
        return StreamingResponse(answer.stream, status, {**headers, "x-accel-buffering": "no"}, STREAM)
    if answer.value is None:
        return Response(None, 204 if operation.answer is None else status, headers)
    content: bytes = answer.value if operation.media != JSON else encoded(answer.value)
    if operation.tagged:
        etag = headers.setdefault("etag", f'"{hashlib.sha256(content).hexdigest()}"')
        known = call.headers.get("if-none-match", "").strip()
        if known in (etag, f"W/{etag}", "*"):
            return Response(None, 304, headers)
    return Response(content, status, headers, operation.media)


def _told(told: Problem, headers: Mapping[str, str] | None = None) -> Response:
    # paths and names that a request made up are in here, and need not be UTF-8
    return Response(encoded(told), told.status, dict(headers or {}), MEDIA)
