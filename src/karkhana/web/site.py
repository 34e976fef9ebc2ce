"""What every page is given: the stores, the templates, who is asking and what they may see, and the frame around it.

What somebody may not see does not exist for them: :meth:`Site.row` finds no run of another product, and lists are asked
with :func:`sees`.
"""

import hashlib
import hmac
import secrets
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from karkhana.domain.access import EVERYTHING, Principal, Role
from karkhana.domain.tasks import Status
from karkhana.factory.stores import Stores
from karkhana.storage.run_lists import RunLists, RunRow
from karkhana.storage.visibility import Visible
from karkhana.web.access import Doors
from karkhana.web.costs import Costs
from karkhana.web.deciding import Deciding
from karkhana.web.digests import Digests
from karkhana.web.grounds import Grounds
from karkhana.web.kept import Kept
from karkhana.web.live import Hub
from karkhana.web.products import PRODUCT_COOKIE, Products
from karkhana.web.rendering import Pages
from karkhana.web.threshold import Threshold

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "karkhana_theme"
LONGEST_WORD = 300
"""Characters of what a page says of a form."""


@dataclass(frozen=True)
class Site:
    """One server's parts."""

    stores: Stores
    lists: RunLists
    pages: Pages
    doors: Doors
    threshold: Threshold
    digests: Digests
    costs: Costs
    grounds: Grounds
    hub: Hub
    deciding: Deciding
    products: Products
    kept: Kept
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

    def row(self, request: Request, run_id: str) -> RunRow | None:
        """A run that whoever asks may see; ``None``: there is none."""
        row = self.lists.get(run_id)
        return row if row is not None and who(request).may(Role.VIEWER, row.product) else None

    def lacking(self, request: Request, role: Role, run: RunRow, action: str) -> Response | None:
        """Why whoever asks may not do that with a run, written down; ``None``: they may."""
        if who(request).may(role, run.product):
            return None
        self.audit(request, action, run, refused=f"needs the role {role.value}")
        return self.told(
            request, f"/runs/{run.run_id}", f"Nothing was done: it needs the role {role.value} for {run.product}."
        )

    def audit(
        self,
        request: Request,
        action: str,
        run: RunRow,
        *,
        refused: str = "",
        details: Mapping[str, object] | None = None,
        connection: sa.Connection | None = None,
    ) -> None:
        """Write down what somebody did with a run, in the transaction that does it, or why they were ``refused``."""
        with self.stores.database.joining(connection) as joined:
            self.stores.audit.record_within(
                joined,
                who(request),
                action=action,
                target=run.run_id,
                product=run.product,
                outcome="refused" if refused else "done",
                details={**(details or {}), **({"because": refused} if refused else {})},
            )

    def told(self, request: Request, where: str, what: str) -> RedirectResponse:
        """After a form: back to a page of ours, which says what came of it."""
        what = what[:LONGEST_WORD]
        asked = {"told": what, "by": _signature(request, what)}
        return RedirectResponse(f"{where}?{urllib.parse.urlencode(asked)}", 303)

    def heard(self, request: Request) -> str:
        """What :meth:`told` says on this page; nothing that a link from elsewhere only claims to have happened."""
        what = request.query_params.get("told", "")
        signed = request.query_params.get("by", "").encode("utf-8", "replace")
        return what if hmac.compare_digest(_signature(request, what).encode(), signed) else ""


def _signature(request: Request, what: str) -> str:
    """Of this session, so that nobody else can make one."""
    key: str = request.state.session.form_token
    return hmac.new(key.encode(), what.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def who(request: Request) -> Principal:
    """Who asks; the guard lets nobody else come this far."""
    principal: Principal = request.state.principal
    return principal


def chosen_product(request: Request) -> str:
    """The one product that somebody wants to see for now; empty: all of theirs."""
    chosen = urllib.parse.unquote(request.cookies.get(PRODUCT_COOKIE, ""))
    return chosen if chosen and who(request).may(Role.VIEWER, chosen) else ""


def sees(request: Request) -> Visible:
    """The products that a page tells of."""
    chosen = chosen_product(request)
    return (False, frozenset((chosen,))) if chosen else who(request).products(Role.VIEWER)


def audits(request: Request) -> Visible | None:
    """The products whose entries of the audit somebody may read here; ``None``: of none."""
    chosen = chosen_product(request)
    if chosen:
        return (False, frozenset((chosen,))) if who(request).may(Role.ADMIN, chosen) else None
    visible = who(request).products(Role.ADMIN)
    return None if visible == (False, frozenset()) else visible


def keeps_house(request: Request) -> bool:
    """Whether somebody may see what belongs to no product: models, budgets, what all of it costs."""
    return who(request).may(Role.VIEWER, EVERYTHING)


def theme_of(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


def frame(site: Site, request: Request) -> dict[str, Any]:
    """What the frame of each page shows."""
    return {
        "theme": theme_of(request),
        "csrf": request.state.session.form_token,
        "once": secrets.token_urlsafe(18),
        "account": who(request).name,
        "path": request.url.path,
        "waiting": site.lists.count(Status.WAITING_FOR_REVIEW, visible=sees(request)),
        "now": datetime.now(UTC),
        "products_seen": site.products.of(who(request).products(Role.VIEWER)),
        "chosen_product": chosen_product(request),
        "keeps_house": keeps_house(request),
        "audits": audits(request) is not None,
    }
