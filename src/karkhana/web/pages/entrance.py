"""Coming in and going out, the theme, the help, and whether the server is well."""

import urllib.parse

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from karkhana.domain.access import Principal, Role, single_user
from karkhana.domain.errors import KarkhanaError
from karkhana.web.products import PRODUCT_COOKIE
from karkhana.web.site import THEME_COOKIE, THEMES, Site, site_of, who

YEAR_S = 365 * 86400
LONGEST_BACK = 1000
_NOBODY = Principal(name="", roles={})


def enter(request: Request) -> Response:
    """``/enter?token=``: the link that works once."""
    site = site_of(request)
    if site.threshold.team is not None:
        return site.missing(request, "page")
    # A right link is taken first: any site that this browser shows could use up the tries with wrong ones.
    session_id = site.doors.enter(request.query_params.get("token", ""))
    if session_id is None:
        if not site.doors.may_try():
            return _outside(site, "Too many tries; wait a minute.", 429)
        site.stores.audit.record(_NOBODY, action="session.begin", outcome="refused")
        return _outside(site, "This link was used already, or is older than ten minutes.", 403)
    site.stores.audit.record(single_user(site.account), action="session.begin")
    inside = RedirectResponse("/", 303)
    inside.set_cookie(site.cookie, session_id, path="/", httponly=True, samesite="strict")
    return inside


def link(request: Request) -> Response:
    """A new link, told on the terminal of whoever started the server, and to nobody else."""
    site = site_of(request)
    if site.threshold.team is not None:
        return site.missing(request, "page")
    if not site.doors.may_demand():
        return _outside(site, "Too many tries; wait a minute.", 429)
    site.say(site.doors.link())
    text = site.pages.render("enter.html", refused="", asked=True, theme="auto")
    return Response(text, 200, media_type="text/html")


def _outside(site: Site, refused: str, status: int) -> Response:
    return Response(
        site.pages.render("enter.html", refused=refused, asked=False, theme="auto"), status, media_type="text/html"
    )


def leave(request: Request) -> Response:
    """End the session."""
    site = site_of(request)
    site.threshold.visitors.leave(request.state.session_id)
    site.stores.audit.record(who(request), action="session.end")
    outside = RedirectResponse("/", 303)
    team = site.threshold.team is not None
    outside.delete_cookie(site.cookie, path="/", secure=team, httponly=True, samesite="lax" if team else "strict")
    return outside


def theme(request: Request) -> Response:
    """Light, dark, or as the system has it."""
    form: dict[str, str] = request.state.form
    answer = _back(form)
    if form.get("theme") in THEMES:
        answer.set_cookie(THEME_COOKIE, form["theme"], max_age=YEAR_S, path="/", httponly=True, samesite="strict")
    return answer


def product(request: Request) -> Response:
    """One product for now, or all."""
    form: dict[str, str] = request.state.form
    answer = _back(form)
    chosen = form.get("product", "")
    if chosen and who(request).may(Role.VIEWER, chosen):
        kept = urllib.parse.quote(chosen, safe="")
        answer.set_cookie(PRODUCT_COOKIE, kept, max_age=YEAR_S, path="/", httponly=True, samesite="strict")
    else:
        answer.delete_cookie(PRODUCT_COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def _back(form: dict[str, str]) -> RedirectResponse:
    return RedirectResponse(own_path(form.get("back", "/")), 303)


def own_path(back: str) -> str:
    """``back`` if it is a path of our own: not ``//elsewhere``, and nothing that a browser would make into that."""
    safe = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable() and "\\" not in back
    return back if safe and len(back) <= LONGEST_BACK else "/"


def helped(request: Request) -> Response:
    """The keys."""
    return site_of(request).page(request, "help.html")


def alive(_request: Request) -> Response:
    """``/healthz``: this process answers."""
    return PlainTextResponse("ok\n")


def ready(request: Request) -> Response:
    """``/readyz``: it can also read the database."""
    try:
        site_of(request).lists.pulse()
    except KarkhanaError:
        return PlainTextResponse("the database cannot be read\n", 503)
    return PlainTextResponse("ok\n")
