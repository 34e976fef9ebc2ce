"""How people and programs get in at one server: put together from the settings, for the guard and the entrance.

Knows the two ways (one person by a link, a team by signing in); knows nothing of pages.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from karkhana.domain.access import Principal
from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.errors import InvalidSetting
from karkhana.factory.configuration import load_settings, user_file
from karkhana.factory.stores import Stores
from karkhana.storage.token_store import TokenStore
from karkhana.web.access import Doors
from karkhana.web.limits import Allowances, Network, networks
from karkhana.web.oidc import Provider
from karkhana.web.visitors import OnePerson, Roster, Standing, Team, Visitors

FAILURES = 20
"""Tries with something that opens nothing, of one address in a minute: tokens, and sign-ins that the audit tells of."""
SIGN_INS = 300
"""Times in a minute that one address may have the provider asked, twice for each sign-in. An office has one address, so
this is no bar against guessing: a code is the provider's, of use once, and bound to the browser that began."""
TEAM_COOKIE = "__Host-karkhana"
LOGIN_COOKIE = "__Host-karkhana-login"


@dataclass(frozen=True)
class Threshold:
    """One server's."""

    visitors: Visitors
    standing: Standing
    tokens: TokenStore
    roster: Roster
    cookie: str
    origins: Mapping[str, str]
    """What browsers send as ``Host`` → as ``Origin``."""
    proxies: tuple[Network, ...]
    direct: bool
    """Whether others than the proxies may come."""
    requests: Allowances
    failures: Allowances
    sign_ins: Allowances
    team: Team | None = None
    provider: Provider | None = None

    def program(self, secret: str) -> Principal | None:
        """Who shows a token; ``None``: it opens nothing."""
        token = self.tokens.opened_by(secret)
        if token is None:
            return None
        return msgspec.structs.replace(token.principal(), approves=self.roster.current().token_approvals)


def threshold_of(stores: Stores, doors: Doors, port: int) -> Threshold:
    """For the settings of ``stores``. Raises ``InvalidSetting`` for a team whose settings are not complete."""
    access = stores.settings.access
    roster = Roster(access, user_file(), lambda: load_settings({}).access)
    team = Team(stores.sessions, roster) if access.team else None
    visitors: Visitors = team or OnePerson(doors)
    if access.team:
        access.check_team()
        origin = urlsplit(access.origin)
        origins = {origin.netloc: access.origin}
        if origin.port is None:
            origins[f"{origin.netloc}:443"] = access.origin
    else:
        origins = {f"{name}:{port}": f"http://{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    return Threshold(
        visitors=visitors,
        standing=Standing(visitors, stores.tokens),
        tokens=stores.tokens,
        roster=roster,
        # cookies know no ports, so that two dashboards on one machine need two names
        cookie=TEAM_COOKIE if access.team else f"karkhana_{port}",
        origins=origins,
        proxies=networks(access.proxies) if access.team else (),
        direct=not (access.team and access.proxies and access.certificate is None),
        requests=Allowances(access.requests_per_minute),
        failures=Allowances(FAILURES),
        sign_ins=Allowances(SIGN_INS),
        team=team,
        provider=Provider(access, lambda: client_secret(stores, access)) if access.team else None,
    )


def client_secret(stores: Stores, access: AccessSettings, environ: Mapping[str, str] = os.environ) -> str:
    """What this client shows to the provider; empty: nothing, as public clients do. Raises ``InvalidSetting``."""
    if access.client_secret_sealed:
        return stores.sealed.reveal(access.client_secret_sealed)
    if not access.client_secret_variable:
        return ""
    if not environ.get(access.client_secret_variable):
        raise InvalidSetting(
            f"[access] names {access.client_secret_variable}, which is not set",
            "Set it to the client's secret, or seal the secret: karkhana secrets set NAME",
        )
    return environ[access.client_secret_variable]
