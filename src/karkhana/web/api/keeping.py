"""What admins keep: the audit, API tokens, and sealed secrets."""

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, UnsetType

from karkhana.domain.access import Role
from karkhana.domain.access_tokens import AccessToken, keeps, told_of, withheld
from karkhana.domain.errors import InvalidInput
from karkhana.storage.audit import AuditEntry, AuditFilter
from karkhana.storage.sealed import SealedSecret
from karkhana.storage.verification import Problem as ChainProblem
from karkhana.web.api.contract import About, Answer, Call, Operation, Page, Writing
from karkhana.web.api.problems import Refusal, missing
from karkhana.web.api.shapes import Name, Paging, given, page, position

TAG = "keeping"
DAY_S = 86_400.0
Time = Annotated[
    str, Meta(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z)?$", max_length=20)
]
Plain = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[!-~]([ -~]*[!-~])?$")]


class AuditQuery(Paging, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries, the newest first."""

    actor: Name | UnsetType = UNSET
    action: Name | UnsetType = UNSET
    """Exactly, or all of a noun with ``run.*``."""
    target: Name | UnsetType = UNSET
    product: Name | UnsetType = UNSET
    outcome: Name | UnsetType = UNSET
    words: Name | UnsetType = UNSET
    since: Time | UnsetType = UNSET
    """UTC; this time counts."""
    until: Time | UnsetType = UNSET
    """UTC; this time does not count."""


class AuditVerified(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the audit is as it was written."""

    intact: bool
    entries: int
    head: str
    """Hash of the newest entry: noted elsewhere, it shows a chain that was made anew."""
    problem: ChainProblem | None


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API token."""

    name: Plain
    roles: Annotated[dict[Plain, Role], Meta(min_length=1, max_length=50)]
    """Product, or ``*`` for all, to role."""
    days: Annotated[int, Meta(ge=1, le=365)] = 90
    """For which it holds."""


class TokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """A token with its secret, which is told here and never again."""

    token: AccessToken
    secret: str


class NewSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that is sealed; it is told to nobody again."""

    value: Annotated[str, Meta(min_length=1, max_length=16_000)]


def audit(call: Call) -> Answer:
    query: AuditQuery = call.query
    names = ("actor", "action", "target", "product", "outcome", "words", "since", "until")
    chosen = AuditFilter(**{name: given(getattr(query, name)) or "" for name in names}, visible=call.seen)
    before = int(position("audit", query) or 0)
    found = call.site.stores.audit.entries(chosen, before=before, limit=query.limit + 1)
    return Answer(page("audit", query, [(entry, str(entry.seq)) for entry in found]))


def audit_verified(call: Call) -> Answer:
    kept = call.site.stores.audit
    problem = kept.verify()
    seq, head = kept.head()
    return Answer(AuditVerified(intact=problem is None, entries=seq, head=head, problem=problem))


def tokens(call: Call) -> Answer:
    return Answer(Page([token for token in call.site.stores.tokens.all() if keeps(call.principal, token)]))


def token(call: Call) -> Answer:
    return Answer(_token(call))


def token_made(call: Call) -> Writing:
    new: NewToken = call.body
    seconds = new.days * DAY_S
    if why := withheld(call.principal, new.roles, seconds):
        raise Refusal(403, "forbidden", f"{why[:1].upper()}{why[1:]}.", "Take less, or ask an admin.")

    def write(connection: sa.Connection) -> Answer:
        made, secret = call.site.stores.tokens.create(
            new.name, new.roles, seconds=seconds, owner=call.by, connection=connection
        )
        where = {"location": f"/api/v1/tokens/{made.token_id}"}
        return Answer(TokenMade(token=made, secret=secret), where, target=made.token_id, details=told_of(made))

    return Writing(write)


def token_revoked(call: Call) -> Writing:
    token = _token(call)
    return Writing(lambda connection: Answer(call.site.stores.tokens.revoke(token.token_id, connection)))


def _token(call: Call) -> AccessToken:
    try:
        token = call.site.stores.tokens.get(call.path["token_id"])
    except InvalidInput:
        token = None
    if token is None or not keeps(call.principal, token):
        raise missing(f"token {call.path['token_id']}")
    return token


def secrets(call: Call) -> Answer:
    return Answer(Page(call.site.stores.sealed.all()))


def secret_set(call: Call) -> Writing:
    new: NewSecret = call.body
    sealed, name = call.site.stores.sealed, call.path["secret"]
    return Writing(
        lambda connection: Answer(sealed.put_within(connection, name, new.value, by=call.by)), held=sealed.held
    )


def secret_removed(call: Call) -> Writing:
    def write(connection: sa.Connection) -> Answer:
        try:
            call.site.stores.sealed.remove(call.path["secret"], connection)
        except InvalidInput as error:
            raise missing(f"secret {call.path['secret']}") from error
        return Answer()

    return Writing(write)


def _kept(place: str, name: str, summary: str, handler: Any, answer: Any, **more: Any) -> Operation:
    method, path = place.split(" ")
    return Operation(
        **{"about": About.ALL, "role": Role.ADMIN, **more},
        method=method,
        path=path,
        name=name,
        tag=TAG,
        summary=summary,
        handler=handler,
        answer=answer,
    )


_OWN = {"about": About.OWN, "role": Role.VIEWER}
"""Of tokens; which ones that are is said by :mod:`karkhana.domain.access_tokens`."""


OPERATIONS = (
    _kept(
        "GET /audit",
        "listAudit",
        "Who did what",
        audit,
        Page[AuditEntry],
        query=AuditQuery,
        about=About.SOME,
        errors=(403,),
    ),
    _kept("GET /audit/verification", "verifyAudit", "Whether it is as it was written", audit_verified, AuditVerified),
    _kept(
        "GET /tokens",
        "listTokens",
        "API tokens: one's own, and those of what one is admin of",
        tokens,
        Page[AccessToken],
        **_OWN,
    ),
    _kept(
        "POST /tokens",
        "addToken",
        "Make an API token",
        token_made,
        TokenMade,
        body=NewToken,
        status=201,
        errors=(403,),
        action="token.create",
        secret=True,
        located=True,
        **_OWN,
    ),
    _kept("GET /tokens/{token_id}", "showToken", "One API token", token, AccessToken, **_OWN),
    _kept(
        "POST /tokens/{token_id}/revoke",
        "revokeToken",
        "End a token at once",
        token_revoked,
        AccessToken,
        action="token.revoke",
        **_OWN,
    ),
    _kept("GET /secrets", "listSecrets", "Sealed secrets, without their values", secrets, Page[SealedSecret]),
    _kept(
        "PUT /secrets/{secret}",
        "setSecret",
        "Seal a value, in place of the one that was there",
        secret_set,
        SealedSecret,
        body=NewSecret,
        errors=(409,),
        action="secret.set",
    ),
    _kept(
        "DELETE /secrets/{secret}",
        "removeSecret",
        "Forget a secret",
        secret_removed,
        None,
        status=204,
        action="secret.remove",
    ),
)
