"""The settings of ``[access]``: who is let in, how they are recognised, and what they may. The user's file only.

>>> access = AccessSettings(groups={"developers": {"*": Role.VIEWER, "shop": Role.OPERATOR}})
>>> access.roles("", "asha@example.org", ["developers"])["shop"].value
'operator'
"""

import ipaddress
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from karkhana.domain.access import Role
from karkhana.domain.errors import InvalidSetting


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[access.people."asha@example.org"]``."""

    name: str = ""
    """Who they are here; as at the doors and at the terminal, so that nobody is two people. Default: the address."""
    roles: Mapping[str, Role] = {}
    """Product, or ``*`` for all, to role."""


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who uses the dashboard and the API. Raises ``ValueError`` for what does not fit together."""

    mode: Literal["single", "team"] = "single"
    """``single``: one person on this machine, by a link; ``team``: people who sign in."""
    public_url: str = ""
    """Where browsers find it: ``https://karkhana.example.org``."""
    issuer: str = ""
    """The OpenID provider, as in the ``iss`` of its tokens."""
    client_id: str = ""
    client_secret_variable: str = ""
    """Environment variable that holds the client's secret."""
    client_secret_sealed: str = ""
    """Or the name of a sealed secret."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = "groups"
    """The claim of the identity token that lists somebody's groups."""
    people: Mapping[str, Person] = {}
    """By their verified e-mail address, or by the provider's own name for them (``sub``)."""
    groups: Mapping[str, Mapping[str, Role]] = {}
    """Group → product, or ``*`` for all → role."""
    session_hours: float = 12.0
    """After which somebody has to sign in again; groups are asked for then."""
    certificate: Path | None = None
    """TLS: the chain of certificates (PEM)."""
    key: Path | None = None
    """TLS: the private key (PEM)."""
    proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies that speak TLS for it and set ``X-Forwarded-For``."""
    token_approvals: bool = False
    """Whether API tokens with the role may approve and reject changes."""
    requests_per_minute: int = 600
    """Of one person or token, with the API."""

    def __post_init__(self) -> None:
        for network in self.proxies:
            ipaddress.ip_network(network, strict=False)
        if not 0 < self.session_hours <= 24 * 30 or not 0 < self.requests_per_minute <= 1_000_000:
            raise ValueError("access.session_hours must be up to 720, and access.requests_per_minute up to 1000000")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("access.certificate and access.key belong together")
        if self.client_secret_variable and self.client_secret_sealed:
            raise ValueError("one of access.client_secret_variable and access.client_secret_sealed")
        roles = [*(person.roles for person in self.people.values()), *self.groups.values()]
        named = (*self.people, *self.groups, *(product for each in roles for product in each))
        if any(not each or not each.isprintable() for each in named):
            raise ValueError("people, groups and products must have printable names")

    def check_team(self) -> None:
        """Raises ``InvalidSetting`` for what a team's sign-in needs and has not.

        Not when it is made: one part may be in a file, and another in the environment.
        """
        for name in ("public_url", "issuer", "client_id"):
            if not getattr(self, name):
                raise _missing(f"a team needs access.{name}")
        public, issuer = urlsplit(self.public_url), urlsplit(self.issuer)
        if public.scheme != "https" or not public.hostname or public.path.strip("/") or public.query or public.username:
            raise _missing("access.public_url must be https://HOST or https://HOST:PORT, with nothing behind it")
        loopback = issuer.hostname in ("127.0.0.1", "::1", "localhost")
        if issuer.scheme != "https" and not (loopback and issuer.scheme == "http"):
            raise _missing("access.issuer must begin with https://")
        if "openid" not in self.scopes:
            raise _missing("access.scopes must name openid")

    @property
    def team(self) -> bool:
        return self.mode == "team"

    @property
    def origin(self) -> str:
        """What browsers send as ``Origin``: without a default port.

        >>> AccessSettings(public_url="https://Karkhana.example.org:443/").origin
        'https://karkhana.example.org'
        """
        public = urlsplit(self.public_url)
        host = public.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        return f"{public.scheme}://{shown}" + (f":{public.port}" if public.port not in (None, 443) else "")

    def person(self, subject: str, email: str) -> Person | None:
        """Who is named, by a verified address (empty: there is none) or by the provider's own name for them."""
        if email:
            wanted = email.casefold()
            for name, person in self.people.items():
                if "@" in name and name.casefold() == wanted:
                    return person
        # a name with an @ is an address, which nobody can take by choosing a name
        return self.people.get(subject) if subject and "@" not in subject else None

    def roles(self, subject: str, email: str, groups: Collection[str]) -> dict[str, Role]:
        """What somebody may: for each product what they were given themselves, else the most of their groups."""
        given: dict[str, Role] = {}
        for group in groups:
            for product, role in self.groups.get(group, {}).items():
                if product not in given or given[product].rank < role.rank:
                    given[product] = role
        person = self.person(subject, email)
        return given | dict(person.roles) if person is not None else given

    def name(self, subject: str, email: str) -> str:
        """As they stand in the trail and the audit."""
        person = self.person(subject, email)
        return (person.name if person is not None else "") or email or subject


def _missing(message: str) -> InvalidSetting:
    return InvalidSetting(message, "Correct [access] in the user's config.toml; see docs/access.md.")
