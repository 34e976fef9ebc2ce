"""What every page is given: the stores, the templates, who is asking, and the frame around what it shows."""

import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from karkhana.domain.tasks import Status
from karkhana.factory.stores import Stores
from karkhana.storage.run_lists import RunLists
from karkhana.web.access import Doors
from karkhana.web.cards import Grounds
from karkhana.web.costs import Costs
from karkhana.web.deciding import Deciding
from karkhana.web.digests import Digests
from karkhana.web.live import Hub
from karkhana.web.rendering import Pages

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "karkhana_theme"


@dataclass(frozen=True)
class Site:
    """One server's parts."""

    stores: Stores
    lists: RunLists
    pages: Pages
    doors: Doors
    digests: Digests
    costs: Costs
    grounds: Grounds
    hub: Hub
    deciding: Deciding
    account: str
    cookie: str
    say: Callable[[str], None]
    """Tells whoever started the server something, on its terminal."""

    def page(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        """Template ``name`` inside the frame."""
        text = self.pages.render(name, **frame(self, request), **values)
        return Response(text, status, media_type="text/html")

    def missing(self, request: Request, what: str) -> Response:
        """A page that says that there is no such thing."""
        return self.page(request, "missing.html", 404, what=what)

    def told(self, where: str, what: str) -> Response:
        """After a form: back to a page of ours, which says what came of it."""
        return RedirectResponse(f"{where}?{urllib.parse.urlencode({'told': what})}", 303)


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def theme_of(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


def frame(site: Site, request: Request) -> dict[str, Any]:
    """What the frame of each page shows."""
    return {
        "theme": theme_of(request),
        "csrf": request.state.session.form_token,
        "account": site.account,
        "path": request.url.path,
        "waiting": site.lists.count(Status.WAITING_FOR_REVIEW),
        "now": datetime.now(UTC),
    }
