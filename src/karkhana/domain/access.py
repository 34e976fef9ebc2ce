"""Who asks, and what they may: a person or a program with a role per product.

Each role may do all that the ones before it may. Knows nothing of how somebody was recognised.

>>> asha = Principal(name="asha", roles={"shop": Role.APPROVER, "*": Role.VIEWER})
>>> asha.may(Role.OPERATOR, "shop"), asha.may(Role.OPERATOR, "bank"), asha.may(Role.VIEWER, "bank")
(True, False, True)
"""

import enum

import msgspec

EVERYTHING = "*"
"""Stands for every product, also for what belongs to none."""


class Role(enum.StrEnum):
    """What somebody may do with a product."""

    VIEWER = "viewer"
    """See tickets, runs, changes and figures."""
    OPERATOR = "operator"
    """Also order work, cancel it, have it verified or tried again."""
    APPROVER = "approver"
    """Also approve and reject changes."""
    ADMIN = "admin"
    """Also read the audit, and keep tokens, secrets and doors."""

    @property
    def rank(self) -> int:
        """0 for the least."""
        return _RANKS[self]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asks."""

    name: str
    """As it stands in the trail and the audit."""
    roles: dict[str, Role]
    """Product, or ``*`` for all, to role. The product's own entry counts, also where it is less than that of ``*``."""
    via: str = "link"
    """How they were recognised: ``link``, ``session`` (of a team's sign-in), ``token`` or ``terminal``."""
    token_id: str = ""
    """Of the API token; empty for a person."""
    owner: str = ""
    """Of a token: who made it, and answers for what it does; empty for a person."""
    approves: bool = True
    """Whether they may decide on changes where their role says so; a program only where the settings allow it."""

    def role(self, product: str) -> Role | None:
        """For a product; ``None``: nothing of it is shown."""
        return self.roles.get(product, self.roles.get(EVERYTHING))

    def may(self, role: Role, product: str) -> bool:
        """Whether they have at least this role for the product (``*``: for what belongs to no product)."""
        had = self.role(product)
        if role is Role.APPROVER and not self.approves:
            return False
        return had is not None and had.rank >= role.rank

    def products(self, role: Role) -> tuple[bool, frozenset[str]]:
        """Where they have at least this role, for a query: ``(True, exceptions)`` or ``(False, the only ones)``."""
        everywhere = self.may(role, EVERYTHING)
        named = {name for name in self.roles if name != EVERYTHING and self.may(role, name) != everywhere}
        return everywhere, frozenset(named)


def single_user(name: str) -> Principal:
    """Whoever started the server on this machine: may do everything.

    >>> single_user("asha").may(Role.ADMIN, "*")
    True
    """
    return Principal(name=name, roles={EVERYTHING: Role.ADMIN})
