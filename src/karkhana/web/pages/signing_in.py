"""Signing in to a team's server: to the provider, and back with a session. The seed of it stays in the browser."""

import base64
import secrets
from collections.abc import Mapping

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from karkhana.domain.access import Principal
from karkhana.domain.errors import KarkhanaError
from karkhana.web.limits import neighbourhood
from karkhana.web.oidc import Attempt, Provider, SignInFailed
from karkhana.web.pages.entrance import own_path
from karkhana.web.site import Site, site_of
from karkhana.web.threshold import LOGIN_COOKIE
from karkhana.web.visitors import Team

LOGIN_S = 600
"""Seconds that somebody may take at the provider."""
_log = structlog.get_logger(__name__)


async def begin(request: Request) -> Response:
    """``/signin?back=``: to the provider."""
    site = site_of(request)
    if site.threshold.provider is None:
        return _nothing(request)
    if site.threshold.sign_ins.take(neighbourhood(request.state.address)):
        return _outside(site, "Too many tries; wait a minute.", 429)
    seed = secrets.token_urlsafe(32)
    try:
        address = await site.threshold.provider.address(Attempt(seed))
    except SignInFailed as error:
        _log.warning("signin.failed", message=error.message)
        return _outside(site, f"Nobody can sign in now: {error.message}.", 502)
    there = RedirectResponse(address, 303)
    back = base64.urlsafe_b64encode(own_path(request.query_params.get("back", "/")).encode()).decode()
    # lax: the way back from the provider is a visit from another site
    there.set_cookie(
        LOGIN_COOKIE, f"{seed}.{back}", max_age=LOGIN_S, path="/", secure=True, httponly=True, samesite="lax"
    )
    return there


async def done(request: Request) -> Response:
    """``/signin/done?code=&state=``: back from the provider."""
    site = site_of(request)
    provider, team = site.threshold.provider, site.threshold.team
    if provider is None or team is None:
        return _nothing(request)
    answer = await _entered(site, provider, team, request)
    answer.delete_cookie(LOGIN_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


async def _entered(site: Site, provider: Provider, team: Team, request: Request) -> Response:
    seed, _, kept = request.cookies.get(LOGIN_COOKIE, "").partition(".")
    asked, attempt = request.query_params, Attempt(seed)
    if not seed or not attempt.answers(asked.get("state", "")):
        return _outside(site, "This sign-in was begun elsewhere, or too long ago. Begin again.", 400)
    if asked.get("error") or not asked.get("code"):
        return await _refused(site, request, "the provider let nobody in", {"error": asked.get("error", "")[:100]})
    if site.threshold.sign_ins.take(neighbourhood(request.state.address)):
        return _outside(site, "Too many tries; wait a minute.", 429)
    try:
        found = await provider.identity(attempt, code=asked["code"], issuer=asked.get("iss", ""))
    except KarkhanaError as error:
        _log.warning("signin.failed", message=error.message)
        return await _refused(site, request, error.message, {})
    principal = await run_in_threadpool(team.principal, found.subject, found.email, found.groups)
    if principal is None:
        told = {"subject": found.subject, "email": found.email, "groups": list(found.groups)}
        return await _refused(site, request, "no role was given to you here; ask an admin", told, 403)
    session_id = await run_in_threadpool(team.enter, found.subject, found.email, found.groups)
    await run_in_threadpool(site.stores.audit.record, principal, action="session.begin")
    inside = RedirectResponse(_back(kept), 303)
    # lax, not strict: a link in a chat or a mail leads to a page, not to another sign-in; forms are guarded besides
    inside.set_cookie(site.cookie, session_id, path="/", secure=True, httponly=True, samesite="lax")
    return inside


async def _refused(
    site: Site, request: Request, why: str, details: Mapping[str, object], status: int = 400
) -> Response:
    # apart from tokens: a program with an old one must not keep from the audit who tries to sign in
    if not site.threshold.failures.take(f"sign-in of {neighbourhood(request.state.address)}"):
        nobody = Principal(name=str(details.get("email") or details.get("subject") or ""), roles={}, via="session")
        await run_in_threadpool(
            site.stores.audit.record, nobody, action="session.begin", outcome="refused", details={"why": why, **details}
        )
    return _outside(site, f"You are not signed in: {why}.", status)


def _back(kept: str) -> str:
    try:
        return own_path(base64.urlsafe_b64decode(kept.encode("ascii")).decode())
    except ValueError:
        return "/"


def _outside(site: Site, refused: str, status: int) -> Response:
    page = site.pages.render("signin.html", refused=refused, way="", theme="auto")
    return Response(page, status, media_type="text/html")


def _nothing(request: Request) -> Response:
    site = site_of(request)
    return site.missing(request, "page") if request.state.session is not None else _outside(site, "", 404)
