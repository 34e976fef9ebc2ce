"""Which role each page needs, as :file:`permissions.toml` says; seen to before the page itself is called.

Pages see to it once more where they look things up, so that what is forgotten in one place does not leak. What somebody
may not see is answered exactly as what does not exist. Knows nothing of what pages show.

>>> needs()["POST /runs/{run_id}/cancel"].role.value
'operator'
"""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from karkhana.domain.access import EVERYTHING, Principal, Role
from karkhana.web.site import Site, site_of, who


class Need(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one method of one route."""

    of: Literal["nobody", "some", "run", "all"]
    role: Role = Role.VIEWER
    action: str = ""
    """How the audit calls it when somebody is refused."""


@cache
def needs() -> Mapping[str, Need]:
    """By method and path: ``GET /runs/{run_id}``."""
    text = resources.files("karkhana.web").joinpath("permissions.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["pages"], dict[str, Need])


def permitted(routes: Iterable[Route]) -> list[BaseRoute]:
    """The same routes, each behind its needs. Raises ``LookupError`` for one that names none."""
    made: list[BaseRoute] = []
    for route in routes:
        methods = sorted((route.methods or set()) - {"HEAD"})
        missing = [method for method in methods if f"{method} {route.path}" not in needs()]
        if missing or not methods:
            raise LookupError(f"{missing} {route.path} has no role in web/permissions.toml")
        route.app = _Permission(route.app, {method: needs()[f"{method} {route.path}"] for method in methods})
        made.append(route)
    return made


class _Permission:
    """Stands before one route."""

    def __init__(self, app: ASGIApp, by_method: Mapping[str, Need]) -> None:
        self._app = app
        self._needs = by_method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        need = self._needs["GET" if request.method == "HEAD" else request.method]
        refused = None
        if need.of != "nobody":
            refused = await _refused(request, need)
        await (refused or self._app)(scope, receive, send)


async def _refused(request: Request, need: Need) -> Response | None:
    site = site_of(request)
    principal: Principal | None = request.state.principal
    if principal is None:
        return Response("You are not signed in.\n", 401, media_type="text/plain")
    if need.of == "run":
        return await run_in_threadpool(_of_run, site, request, need)
    if need.of == "all":
        allowed = principal.may(need.role, EVERYTHING)
    else:
        allowed = principal.products(need.role) != (False, frozenset())
    return None if allowed else await run_in_threadpool(_nowhere, site, request, need)


def _nowhere(site: Site, request: Request, need: Need) -> Response:
    if need.action:
        site.stores.audit.record(who(request), action=need.action, outcome="refused")
    return site.missing(request, "page")


def _of_run(site: Site, request: Request, need: Need) -> Response | None:
    run_id: str = request.path_params["run_id"]
    row = site.row(request, run_id)
    if row is None:
        return site.missing(request, f"run {run_id}")
    return None if need.role is Role.VIEWER else site.lacking(request, need.role, row, need.action)
