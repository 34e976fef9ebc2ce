"""Access: the tokens, sessions and secrets that somebody keeps, and who else is let in.

Who may what is said by :mod:`karkhana.domain.access_tokens` and the page's roles, as for the API. No page shows a
secret's value; a token's secret is in the answer to the form that made it and nowhere else: in no address, no audit,
and not in what is remembered of the form.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from karkhana.domain.access import EVERYTHING, Principal, Role
from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.access_tokens import OWN_S, AccessToken, keeps, told_of, withheld
from karkhana.domain.errors import InvalidInput, KarkhanaError
from karkhana.factory.configuration import user_file
from karkhana.storage.visibility import Visible
from karkhana.web.once import Keep, once
from karkhana.web.site import Site, audits, chosen_product, site_of, who

DAY_S = 86_400.0
DAYS = (7, 30, 90, 365)
PAST = 50
"""Tokens that are over, of which the page tells."""
PLACE = "/access"
Roles = Mapping[str, Role]


@dataclass(frozen=True)
class Done:
    """What came of a form."""

    told: str
    target: str
    details: Mapping[str, object] = field(default_factory=dict)
    """For the audit."""
    made: tuple[AccessToken, str] | None = None
    """A token and its secret."""


def access(request: Request) -> Response:
    """``/access``."""
    return _page(request, told=site_of(request).heard(request))


def token_made(request: Request) -> Response:
    """``POST /access/tokens``: ``name``, ``role``, ``product``, ``days``; the only answer that has the secret."""
    form, maker, stores = request.state.form, who(request), site_of(request).stores

    def act(connection: sa.Connection) -> Done:
        roles, seconds = {form.get("product", ""): _role(form)}, _days(form) * DAY_S
        if why := withheld(maker, roles, seconds):
            raise InvalidInput(why, "Take less, or ask an admin.")
        token, secret = stores.tokens.create(
            form.get("name", "").strip(), roles, seconds=seconds, owner=maker.name, connection=connection
        )
        told = f"The token {token.name} was made; its secret was shown then, and is not told again."
        return Done(told, token.token_id, told_of(token), (token, secret))

    told, done = _acted(request, "token.create", act)
    if done is None:
        return site_of(request).told(request, PLACE, told)
    return _page(request, made=done.made)


def token_revoked(request: Request) -> Response:
    """``POST /access/tokens/revoke``: ``token``, its identifier."""
    form, stores = request.state.form, site_of(request).stores

    def act(connection: sa.Connection) -> Done:
        token = stores.tokens.revoke(form.get("token", ""), connection)
        if not keeps(who(request), token):
            # what came before is taken back
            raise InvalidInput(f"there is no token {token.token_id}", "see them: karkhana tokens list")
        return Done(f"The token {token.name} opens nothing any more.", token.token_id, {"name": token.name})

    return _told(request, "token.revoke", act)


def session_ended(request: Request) -> Response:
    """``POST /access/sessions/end``: ``session``, another one of one's own, or ``all`` of them but this one."""
    form, visitors = request.state.form, site_of(request).threshold.visitors

    def act(connection: sa.Connection) -> Done:
        handle = "" if form.get("all") == "1" else form.get("session") or "none"
        count = visitors.end_others(request.state.session_id, handle, connection)
        if not count:
            raise InvalidInput("there is no such session any more", "Only this one can be signed out of.")
        told = "1 session was" if count == 1 else f"{count} sessions were"
        return Done(f"{told} ended; whoever used it has to come in anew.", handle, {"ended": count})

    return _told(request, "session.end", act)


def secret_set(request: Request) -> Response:
    """``POST /access/secrets``: ``name`` and ``value``, in place of the one that was there."""
    form, sealed = request.state.form, site_of(request).stores.sealed
    # browsers send line feeds as two characters; the last one is not part of it, as at the terminal
    value = form.get("value", "").replace("\r\n", "\n").removesuffix("\n")

    def act(connection: sa.Connection) -> Done:
        kept = sealed.put_within(connection, form.get("name", "").strip(), value, by=who(request).name)
        return Done(f"{kept.name} is sealed, version {kept.version}.", kept.name, {"version": kept.version})

    return _told(request, "secret.set", act, sealed.held())


def secret_removed(request: Request) -> Response:
    """``POST /access/secrets/remove``: ``name``."""
    name, sealed = request.state.form.get("name", ""), site_of(request).stores.sealed

    def act(connection: sa.Connection) -> Done:
        sealed.remove(name, connection)
        return Done(f"{name} is forgotten.", name)

    return _told(request, "secret.remove", act)


def _told(
    request: Request,
    action: str,
    act: Callable[[sa.Connection], Done],
    held: contextlib.AbstractContextManager[None] | None = None,
) -> Response:
    told, _ = _acted(request, action, act, held)
    return site_of(request).told(request, PLACE, told)


def _acted(
    request: Request,
    action: str,
    act: Callable[[sa.Connection], Done],
    held: contextlib.AbstractContextManager[None] | None = None,
) -> tuple[str, Done | None]:
    """What is told, and what was done now: with its audit and the memory of the form in one transaction."""
    site, now = site_of(request), []

    def work(keep: Keep) -> str:
        try:
            # what is held comes first, as everywhere, so that nobody waits for somebody who waits for them
            with held or contextlib.nullcontext(), site.stores.database.writing() as connection:
                done = act(connection)
                site.stores.audit.record_within(
                    connection, who(request), action=action, target=done.target, details=done.details
                )
                keep(done.told, connection)
        except KarkhanaError as error:
            because = {"because": error.message}
            site.stores.audit.record(who(request), action=action, outcome="refused", details=because)
            return f"Nothing was done: {error.message}. {error.next}".strip()
        now.append(done)
        return done.told

    told = once(site, request, action, work)
    return told, now[0] if now else None


def _page(request: Request, *, told: str = "", made: tuple[AccessToken, str] | None = None) -> Response:
    site, principal, now = site_of(request), who(request), time.time()
    settings = site.threshold.roster.current()
    tokens = [token for token in site.stores.tokens.all() if keeps(principal, token)]
    if chosen := chosen_product(request):
        tokens = [token for token in tokens if {chosen, EVERYTHING} & set(token.roles)]
    keeper, visible = principal.may(Role.ADMIN, EVERYTHING), audits(request)
    return site.page(
        request,
        "access.html",
        told=told,
        made=made,
        mine=_seen(principal.roles, (True, frozenset())),
        live=[token for token in tokens if token.live(now)],
        over=[token for token in tokens if not token.live(now)][:PAST],
        products=_products(site, principal),
        roles_to_give=[role for role in Role if principal.products(role) != (False, frozenset())],
        days=[days for days in DAYS if visible is not None or days * DAY_S <= OWN_S],
        approving=settings.token_approvals,
        sessions=site.threshold.visitors.sessions(request.state.session_id),
        sealed=site.stores.sealed.all() if keeper else None,
        people=None if visible is None else _people(settings, visible),
        groups=[] if visible is None else _groups(settings, visible),
        file=str(user_file()) if keeper else "config.toml",
        team=settings.team,
    )


def _people(settings: AccessSettings, visible: Visible) -> list[tuple[str, str, Roles]]:
    """(How they are found, name, roles), as far as whoever asks keeps those products."""
    rows = [(found, person.name or found, _seen(person.roles, visible)) for found, person in settings.people.items()]
    return [row for row in rows if row[2] or visible == (True, frozenset())]


def _groups(settings: AccessSettings, visible: Visible) -> list[tuple[str, Roles]]:
    rows = [(group, _seen(roles, visible)) for group, roles in settings.groups.items()]
    return [row for row in rows if row[1]]


def _seen(roles: Roles, visible: Visible) -> Roles:
    """What of somebody's roles is about these products; of a single one what ``*`` comes to for it."""
    everywhere, named = visible
    if everywhere:
        return {product: role for product, role in sorted(roles.items()) if product not in named}
    held = Principal(name="", roles=dict(roles))
    return {product: role for product in sorted(named) if (role := held.role(product)) is not None}


def _products(site: Site, principal: Principal) -> list[str]:
    """That a token can be made for."""
    known = site.products.of(principal.products(Role.VIEWER))
    named = [product for product in principal.roles if principal.may(Role.VIEWER, product)]
    # the first is what the form begins with: not everything
    return sorted({*known, *named}, key=lambda product: (product == EVERYTHING, product))


def _role(form: Mapping[str, str]) -> Role:
    try:
        return Role(form.get("role", ""))
    except ValueError:
        raise InvalidInput("a token needs a role", "one of: " + ", ".join(Role)) from None


def _days(form: Mapping[str, str]) -> int:
    text = form.get("days", "")
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise InvalidInput("a token must expire", "Say after how many days.")
    return int(text)
