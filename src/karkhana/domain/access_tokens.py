"""API tokens: what a program shows to be let in. Pure data, without the secret; and the secret's form.

A secret is ``kk_``, 30 letters and digits (178 bits), and 6 more that are a checksum of them: scanners for leaked
secrets find it without a list of all, and a mistyped one is told apart without a look into the database. The form is
that of GitHub's tokens ("Behind GitHub's new authentication token formats", 2021).

>>> well_formed(new_secret()), well_formed("kk_" + "a" * 36)
(True, False)
"""

import secrets
import string
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from karkhana.domain.access import EVERYTHING, Principal, Role

PREFIX = "kk_"
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM = 30
CHECKSUM = 6
LONGEST_S = 366 * 86_400.0
"""Seconds that a token may be valid: a year."""


OWN_S = 30 * 86_400.0
"""Seconds that a token may be valid whose maker is not admin of all that it opens: it may outlast their role."""


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """What its holder may do. Raises ``ValueError`` for what makes no sense."""

    token_id: str
    name: str
    owner: str
    """Who made it, and answers for what it does."""
    roles: Mapping[str, Role]
    """Product, or ``*`` for all, to role."""
    created_at: float
    """Seconds since the epoch, as the others."""
    expires_at: float
    revoked_at: float | None = None
    used_at: float | None = None
    """When it was last used, to the minute."""

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 100 or not self.name.isprintable():
            raise ValueError("a token's name must be up to 100 printable characters")
        if not self.roles or any(not product or not product.isprintable() for product in self.roles):
            raise ValueError("a token needs a role for a product")
        if not 0 < self.expires_at - self.created_at <= LONGEST_S:
            raise ValueError("a token must expire, within a year")

    def live(self, now: float) -> bool:
        """Whether it opens anything at this time."""
        return self.revoked_at is None and now < self.expires_at

    def principal(self) -> Principal:
        """Who asks when this token is shown."""
        return Principal(
            name=f"token:{self.name}", roles=dict(self.roles), via="token", token_id=self.token_id, owner=self.owner
        )


def keeps(principal: Principal, token: AccessToken) -> bool:
    """Whether a token is there for somebody to see and to end: their own, or of products that are all theirs to keep.

    >>> token = AccessToken(token_id="t", name="ci", owner="asha", roles={"shop": "viewer"}, created_at=0, expires_at=9)
    >>> keeps(Principal(name="asha", roles={}), token), keeps(Principal(name="ravi", roles={"*": Role.OPERATOR}), token)
    (True, False)
    """
    own = not principal.token_id and token.owner == principal.name
    return own or all(principal.may(Role.ADMIN, product) for product in token.roles)


def withheld(maker: Principal, roles: Mapping[str, Role], seconds: float) -> str:
    """Why somebody may not make a token with these roles for so long; empty: they may.

    An admin gives what they like; a person, as much as they have themselves and not for longer than :data:`OWN_S`; a
    program that is no admin, nothing.

    >>> withheld(Principal(name="asha", roles={"shop": Role.VIEWER}), {"shop": Role.OPERATOR}, 60)
    'you have not the role operator for shop yourself'
    """
    # what "*" opens is also what somebody has less of than of the rest
    reached = {*roles, *(maker.roles if EVERYTHING in roles else ())}
    asked = {product: roles.get(product, roles.get(EVERYTHING, Role.ADMIN)) for product in sorted(reached)}
    own = {product: role for product, role in asked.items() if not maker.may(Role.ADMIN, product)}
    if own and maker.token_id:
        return "a token makes others only where it is admin"
    for product, role in own.items():
        if not maker.may(role, product):
            place = "all products" if product == EVERYTHING else product
            return f"you have not the role {role.value} for {place} yourself"
    if own and seconds > OWN_S:
        return f"where you are not admin, a token works for {OWN_S / 86_400:.0f} days at most"
    return ""


def told_of(token: AccessToken) -> dict[str, object]:
    """What the audit is told of a new one."""
    until = datetime.fromtimestamp(token.expires_at, UTC).isoformat(timespec="seconds")
    return {"name": token.name, "roles": {key: role.value for key, role in token.roles.items()}, "until": until}


def new_secret() -> str:
    """A new secret, which nobody can guess."""
    body = "".join(secrets.choice(LETTERS) for _ in range(RANDOM))
    return PREFIX + body + _checksum(body)


def well_formed(secret: str) -> bool:
    """Whether a text has the form and the checksum of a secret; it may still be none that was given out."""
    body, told = secret[len(PREFIX) : -CHECKSUM], secret[-CHECKSUM:]
    right_size = len(secret) == len(PREFIX) + RANDOM + CHECKSUM and secret.startswith(PREFIX) and secret.isascii()
    return right_size and told == _checksum(body)


def _checksum(body: str) -> str:
    number, letters = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM):
        number, place = divmod(number, len(LETTERS))
        letters = LETTERS[place] + letters
    return letters
