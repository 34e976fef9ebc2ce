"""What belongs to the gateway and lies in the database: its clients' keys, and what each call did cost."""

from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, UnsetType

from karkhana.domain.access import Role
from karkhana.domain.errors import InvalidInput
from karkhana.domain.money import Money, written
from karkhana.domain.virtual_keys import VirtualKey
from karkhana.routing.keys import digest, minted
from karkhana.storage.ledger_reading import Entry, LedgerReader
from karkhana.storage.virtual_key_store import VirtualKeyStore
from karkhana.web.api.contract import About, Answer, Call, Operation, Page, Writing
from karkhana.web.api.keeping import Plain
from karkhana.web.api.problems import Refusal, missing
from karkhana.web.api.shapes import Paging, given, page, position

TAG = "gateway"
Minute = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class LedgerQuery(Paging, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls, in order."""

    state: Literal["open", "settled", "released", "unknown"] | UnsetType = UNSET
    """``unknown``: charged with what was reserved for it."""


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model. Amounts are US dollars, exact; ``null``: the price was not known."""

    entry: int
    at: float
    """Seconds since the epoch."""
    key_id: str
    team: str
    task_id: str
    provider: str
    model: str
    state: str
    reserved: str | None
    cost: str | None
    attempt: str
    """What the provider was told as the name of the request."""


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key of a client of the gateway."""

    name: Plain
    team: Annotated[str, Meta(max_length=100, pattern="^[!-~]*$")] = ""
    models: Annotated[list[Plain], Meta(max_length=50)] = []
    """Patterns of model names; none: all."""
    requests_per_minute: Minute | UnsetType = UNSET
    tokens_per_minute: Minute | UnsetType = UNSET


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its secret, which is told here and never again."""

    key: VirtualKey
    secret: str


def ledger(call: Call) -> Answer:
    query: LedgerQuery = call.query
    reader = LedgerReader(call.site.stores.database)
    after = int(position("ledger", query) or 0)
    found = reader.entries(state=given(query.state), after=after, limit=query.limit + 1)
    return Answer(page("ledger", query, [(_entry(each), str(each.entry)) for each in found]))


def _entry(found: Entry) -> LedgerEntry:
    return LedgerEntry(
        entry=found.entry,
        at=found.at,
        key_id=found.account.key_id,
        team=found.account.team,
        task_id=found.account.task_id,
        provider=found.provider,
        model=found.model,
        state=found.state,
        reserved=_dollars(found.reserved),
        cost=_dollars(found.cost),
        attempt=found.attempt,
    )


def _dollars(amount: Money | None) -> str | None:
    return None if amount is None else written(amount)


def keys(call: Call) -> Answer:
    return Answer(Page(list(VirtualKeyStore(call.site.stores.database).all().values())))


def key(call: Call) -> Answer:
    return Answer(_key(call))


def key_made(call: Call) -> Writing:
    new: NewKey = call.body
    try:
        secret, made = minted(
            new.name,
            team=new.team,
            models=tuple(new.models),
            requests_per_minute=given(new.requests_per_minute),
            tokens_per_minute=given(new.tokens_per_minute),
        )
    except ValueError as error:
        raise Refusal(409, "no_such_key_can_be", str(error), "Correct it and try again.") from error
    where = {"location": f"/api/v1/gateway/keys/{made.key_id}"}
    answer = Answer(KeyMade(key=made, secret=secret), where, target=made.key_id, details={"name": made.name})

    def write(connection: sa.Connection) -> Answer:
        VirtualKeyStore(call.site.stores.database).add(made, digest(secret), connection)
        return answer

    return Writing(write)


def key_removed(call: Call) -> Writing:
    key_id = _key(call).key_id

    def write(connection: sa.Connection) -> Answer:
        VirtualKeyStore(call.site.stores.database).remove(key_id, connection)
        return Answer()

    return Writing(write)


def _key(call: Call) -> VirtualKey:
    try:
        return VirtualKeyStore(call.site.stores.database).get(call.path["key_id"])
    except InvalidInput as error:
        raise missing(f"key {call.path['key_id']}") from error


def _kept(place: str, name: str, summary: str, handler: Any, answer: Any, **more: Any) -> Operation:
    method, path = place.split(" ")
    return Operation(
        method=method,
        path=path,
        name=name,
        tag=TAG,
        summary=summary,
        handler=handler,
        answer=answer,
        about=About.ALL,
        role=Role.ADMIN,
        **more,
    )


OPERATIONS = (
    _kept("GET /ledger", "listLedger", "What each call did cost", ledger, Page[LedgerEntry], query=LedgerQuery),
    _kept("GET /gateway/keys", "listKeys", "Keys of the gateway's clients", keys, Page[VirtualKey]),
    _kept(
        "POST /gateway/keys",
        "addKey",
        "Make a key for a client of the gateway",
        key_made,
        KeyMade,
        body=NewKey,
        status=201,
        action="key.add",
        secret=True,
        located=True,
    ),
    _kept("GET /gateway/keys/{key_id}", "showKey", "One key", key, VirtualKey),
    _kept(
        "DELETE /gateway/keys/{key_id}", "removeKey", "Forget a key", key_removed, None, status=204, action="key.remove"
    ),
)
