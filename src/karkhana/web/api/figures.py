"""Figures: what became of changes, how far the factory decides alone, strategies, the router's knowledge, money.

Importing this module loads what counts them, over a second of CPU; the API does so with its first request.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, UnsetType

from karkhana.domain.access import Role
from karkhana.domain.autonomy import LevelChange, Standing
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.json import plain
from karkhana.domain.money import usd, written
from karkhana.domain.outcomes import Label, Outcome, SignKind
from karkhana.domain.policy import Autonomy, Policy
from karkhana.domain.spending import Budget, Period
from karkhana.domain.spending import Standing as Standing_
from karkhana.domain.tasks import TaskType
from karkhana.engineers.llm.strategies import shipped
from karkhana.factory.autonomy import Month, autonomy_book
from karkhana.factory.causes import Cause, Rule
from karkhana.factory.causes import causes as causes_of
from karkhana.factory.causes import rules as rules_of
from karkhana.factory.ordering import settings_for
from karkhana.factory.outcomes import make_sign, outcome_book
from karkhana.git import Repository
from karkhana.learning.outcomes.track_record import Kind
from karkhana.learning.outcomes.track_record import track_records as track_records_of
from karkhana.learning.shelf import Kept, Shelf
from karkhana.routing.gateway.advice import Past, Record, past, records
from karkhana.routing.policy.settings import PolicySettings
from karkhana.routing.prices import PriceBook
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.ledger_reading import Grouping, LedgerReader, Sum
from karkhana.storage.route_store import RouteStore
from karkhana.storage.tables import runs
from karkhana.storage.task_lists import TaskLists
from karkhana.storage.visibility import of_products
from karkhana.web.api.contract import About, Answer, Call, Operation, Page, Writing
from karkhana.web.api.problems import missing
from karkhana.web.api.shapes import Line, Name, Paging, given, page, position

TAG = "figures"
Dollars = Annotated[str, Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,12})?$", max_length=19, description="US dollars, exact.")]
Day = Annotated[str, Meta(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", max_length=10)]


class OutcomeQuery(Paging, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which outcomes, the newest first."""

    label: Label | UnsetType = UNSET
    product: Name | UnsetType = UNSET


class Whose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one product only."""

    product: Name | UnsetType = UNSET


class NewSign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was seen of a change. Saying it twice changes nothing."""

    sign: SignKind
    reference: Annotated[str, Meta(max_length=200)] = ""
    """The commit, incident, rule or sign that it is about."""
    comment: Line = ""
    cause: Annotated[str, Meta(max_length=100)] = ""
    """Drawn from the comment when absent."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change, by all that is known now."""

    new: bool
    """``false``: it was known before."""
    outcomes: list[Outcome]


class TrackRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How often a kind of change turned out well."""

    type: str
    engineer: str
    model: str
    strategy: str
    repository: str
    good: int
    bad: int
    mean: float | None
    """The chance that the next one is good, in [0,1]."""
    because: str


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """How far the factory decides alone."""

    repository: str
    levels: list[Standing]
    history: list[LevelChange]


class NewLevel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level from now on."""

    type: TaskType
    level: Autonomy
    because: Line = ""


class MonthQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which month."""

    month: Annotated[str, Meta(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", max_length=7)] | UnsetType = UNSET
    """YYYY-MM in UTC; the present one when absent."""


class BudgetStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A budget and how much of it is used. Amounts are US dollars, exact."""

    scope: str
    period: str
    soft: str | None
    hard: str | None
    start: str
    spent: str
    reserved: str


class NewBudget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one scope in one period, in place of the former ones."""

    hard: Dollars
    """What calls may cost together at most."""
    soft: Dollars | UnsetType = UNSET
    """Above it calls are made with a warning; at most ``hard``."""


class SumQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to add up, and of which days (UTC, both count)."""

    by: Literal["key", "team", "task", "provider", "model", "day", "prices"] = "model"
    first: Day | UnsetType = UNSET
    last: Day | UnsetType = UNSET


class LedgerSum(msgspec.Struct, frozen=True, kw_only=True):
    """What calls did cost together. Amounts are US dollars, exact."""

    name: str
    calls: int
    cost: str
    reserved: str
    unpriced: int
    unknown: int


def outcomes(call: Call) -> Answer:
    query: OutcomeQuery = call.query
    found = _outcomes(call, given(query.product))
    label = given(query.label)
    chosen = [each for each in reversed(found) if label is None or each.label is label]
    after = position("outcomes", query)
    ids = [each.change.run_id for each in chosen]
    start = ids.index(after) + 1 if after in ids else 0
    rows = [(each, each.change.run_id) for each in chosen[start : start + query.limit + 1]]
    return Answer(page("outcomes", query, rows))


def _outcomes(call: Call, product: str | None) -> list[Outcome]:
    """Of the products that whoever asks may see."""
    found = outcome_book(call.site.stores).all()
    everywhere, named = call.seen
    if everywhere and not named and product is None:
        return list(found)
    shown = _of_products(call, {each.change.run_id for each in found}, product)
    return [each for each in found if each.change.run_id in shown]


def _of_products(call: Call, run_ids: set[str], product: str | None) -> set[str]:
    ids, seen = sorted(run_ids), set[str]()
    for start in range(0, len(ids), 500):
        query = sa.select(runs.c.run_id).where(
            runs.c.run_id.in_(ids[start : start + 500]), of_products(runs.c.product, call.seen)
        )
        if product is not None:
            query = query.where(runs.c.product == product)
        with call.site.stores.database.reading() as connection:
            seen.update(connection.execute(query).scalars())
    return seen


def signed(call: Call) -> Answer:
    told: NewSign = call.body
    book = outcome_book(call.site.stores)
    run_id = call.run.run_id
    sign = make_sign(run_id, told.sign, reference=told.reference, comment=told.comment, by=call.by, cause=told.cause)
    new = book.add(sign)
    known = [each for each in book.all() if each.change.run_id == run_id]
    details = {"sign": told.sign.value, "reference": told.reference}
    return Answer(Told(new=new, outcomes=known), details=details)


def track_records(call: Call) -> Answer:
    known = _outcomes(call, given(call.query.product))
    names = Kind.__struct_fields__
    values = sorted({tuple(str(getattr(each.change, name)) for name in names) for each in known})
    kinds = [Kind(**dict(zip(names, each, strict=True))) for each in values]
    told = zip(kinds, track_records_of(known, kinds), strict=True)
    return Answer(Page([TrackRecord(**plain(kind), **plain(record)) for kind, record in told]))


def causes(call: Call) -> Answer:
    return Answer(Page(list(causes_of(call.site.stores.events, _outcomes(call, given(call.query.product))))))


def findings(call: Call) -> Answer:
    known = _outcomes(call, given(call.query.product))
    signs = outcome_book(call.site.stores).store.signs()
    return Answer(Page(list(rules_of(call.site.stores.events, known, signs))))


def _repository(call: Call) -> tuple[str, Policy]:
    product = call.path["product"]
    stores = call.site.stores
    newest = TaskLists(stores.database).newest(product)
    if newest is None:
        raise missing(f"product {product}")
    order = stores.tasks.order(newest)
    source = Repository.open(Path(order.repository))
    return str(source.root), settings_for(source, source.head(), {}).policy


def levels(call: Call) -> Answer:
    name, policy = _repository(call)
    book = autonomy_book(call.site.stores)
    found = [book.standing(name, each.value, policy) for each in TaskType]
    return Answer(Levels(repository=name, levels=found, history=list(book.store.history(name, None))))


def level_set(call: Call) -> Answer:
    told: NewLevel = call.body
    name, policy = _repository(call)
    book = autonomy_book(call.site.stores)
    found = book.set(name, told.type.value, told.level, policy, by=call.by, because=told.because)
    return Answer(found, details={"type": told.type.value, "level": told.level.value, "because": told.because})


def month(call: Call) -> Answer:
    name, _ = _repository(call)
    now = datetime.now(UTC)
    text = given(call.query.month) or f"{now:%Y-%m}"
    start = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    (found,) = autonomy_book(call.site.stores).months(name, None, [(text, start.timestamp(), end.timestamp())])
    return Answer(found)


def strategies(call: Call) -> Answer:
    return Answer(Page(list(_shelf(call).all())))


def strategy(call: Call) -> Answer:
    return Answer(_kept(call))


def retired(call: Call) -> Answer:
    return Answer(_shelf(call).retire(_kept(call).strategy.key))


def _shelf(call: Call) -> Shelf:
    return Shelf(call.site.stores.settings.home, shipped())


def _kept(call: Call) -> Kept:
    try:
        return _shelf(call).get(call.path["name"])
    except KarkhanaError as error:
        raise missing(f"strategy {call.path['name']}") from error


def routes(call: Call) -> Answer:
    store = RouteStore(call.site.stores.database)
    return Answer(Page(records(store, PolicySettings(), PriceBook({}))))


def routed(call: Call) -> Answer:
    try:
        return Answer(past(RouteStore(call.site.stores.database), call.path["call"]))
    except KarkhanaError as error:
        raise missing(f"call {call.path['call']}") from error


def budgets(call: Call) -> Answer:
    store = BudgetStore(call.site.stores.database)
    scopes = [budget.scope for budget in store.all()]
    today = datetime.now(UTC).date().isoformat()
    return Answer(Page([_standing(each) for each in store.standings(scopes, today)] if scopes else []))


def _standing(found: Standing_) -> BudgetStanding:
    budget = found.budget
    return BudgetStanding(
        scope=budget.scope,
        period=budget.period.value,
        soft=None if budget.soft is None else written(budget.soft),
        hard=None if budget.hard is None else written(budget.hard),
        start=found.start,
        spent=written(found.spent),
        reserved=written(found.reserved),
    )


def budget_set(call: Call) -> Writing:
    told: NewBudget = call.body
    scope, period = _budget_of(call)
    soft, hard = given(told.soft), usd(told.hard)
    # a soft limit above the hard one would never be reached
    least = hard if soft is None else min(usd(soft), hard)
    budget = Budget(scope=scope, period=period, soft=None if soft is None else least, hard=hard)
    store = BudgetStore(call.site.stores.database)
    today = datetime.now(UTC).date().isoformat()

    def write(connection: sa.Connection) -> Answer:
        store.put(budget, connection)
        standings = store.standings_within(connection, [scope], today)
        found = next(each for each in standings if each.budget.period == period)
        details = {"hard": told.hard, "soft": soft or ""}
        return Answer(_standing(found), target=f"{scope} {period.value}", details=details)

    return Writing(write)


def budget_removed(call: Call) -> Writing:
    scope, period = _budget_of(call)

    def write(connection: sa.Connection) -> Answer:
        if not BudgetStore(call.site.stores.database).remove(scope, period, connection):
            raise missing(f"budget {scope} {period.value}")
        return Answer(target=f"{scope} {period.value}")

    return Writing(write)


def _budget_of(call: Call) -> tuple[str, Period]:
    kind, _, name = call.path["scope"].partition(":")
    if kind not in ("key", "team", "task") or not name or call.path["period"] not in set(Period):
        raise missing(f"budget {call.path['scope']}")
    return call.path["scope"], Period(call.path["period"])


_COLUMNS: dict[str, Grouping] = {
    "key": "key_id",
    "team": "team",
    "task": "task_id",
    "provider": "provider",
    "model": "model",
    "day": "day",
    "prices": "prices",
}


def sums(call: Call) -> Answer:
    query: SumQuery = call.query
    reader = LedgerReader(call.site.stores.database)
    found = reader.sums(
        _COLUMNS[query.by], first_day=given(query.first) or "", last_day=given(query.last) or "9999-12-31"
    )
    return Answer(Page([_sum(each) for each in found]))


def _sum(found: Sum) -> LedgerSum:
    return LedgerSum(
        name=found.name,
        calls=found.calls,
        cost=written(found.cost),
        reserved=written(found.reserved),
        unpriced=found.unpriced,
        unknown=found.unknown,
    )


def _some(path: str, name: str, summary: str, handler: Any, answer: Any, *, query: Any = Whose) -> Operation:
    return Operation(
        method="GET",
        path=path,
        name=name,
        tag=TAG,
        summary=summary,
        handler=handler,
        about=About.SOME,
        query=query,
        answer=answer,
    )


def _all(path: str, name: str, summary: str, handler: Any, answer: Any, **more: Any) -> Operation:
    return Operation(
        **{"method": "GET", "about": About.ALL, **more},
        path=path,
        name=name,
        tag=TAG,
        summary=summary,
        handler=handler,
        answer=answer,
    )


_LEVELS = "/products/{product}/autonomy"
_BUDGET = "/budgets/{scope}/{period}"
_KEEPS: dict[str, Any] = {"role": Role.ADMIN}
OPERATIONS = (
    _some("/outcomes", "listOutcomes", "What became of changes", outcomes, Page[Outcome], query=OutcomeQuery),
    _some(
        "/outcomes/records", "listRecords", "How often kinds of changes turn out well", track_records, Page[TrackRecord]
    ),
    _some("/outcomes/causes", "listCauses", "Why changes turned out badly", causes, Page[Cause]),
    _some("/outcomes/findings", "listFindings", "Which rules are dismissed", findings, Page[Rule]),
    _all(
        "/runs/{run_id}/outcomes",
        "addOutcome",
        "Say what was seen of a change",
        signed,
        Told,
        method="POST",
        about=About.RUN,
        role=Role.OPERATOR,
        body=NewSign,
        errors=(409,),
        action="outcome.add",
    ),
    _all(
        _LEVELS, "showAutonomy", "How far the factory decides alone", levels, Levels, about=About.PRODUCT, errors=(409,)
    ),
    _all(
        _LEVELS,
        "setAutonomy",
        "Grant a level, or hold one down",
        level_set,
        Standing,
        method="POST",
        about=About.PRODUCT,
        body=NewLevel,
        errors=(409,),
        action="autonomy.set",
        **_KEEPS,
    ),
    _all(
        _LEVELS + "/report",
        "reportAutonomy",
        "A month's false positives and negatives, and what the thresholds should be",
        month,
        Month,
        about=About.PRODUCT,
        query=MonthQuery,
        errors=(409,),
    ),
    _all("/strategies", "listStrategies", "How models are told to work", strategies, Page[Kept]),
    _all("/strategies/{name}", "showStrategy", "One strategy", strategy, Kept),
    _all(
        "/strategies/{name}/retire",
        "retireStrategy",
        "Choose a strategy no more",
        retired,
        Kept,
        method="POST",
        errors=(409,),
        action="strategy.retire",
        **_KEEPS,
    ),
    _all("/router/outcomes", "listRoutes", "What is known of each model, by type of task", routes, Page[Record]),
    _all("/router/calls/{call}", "showCall", "What was chosen for a call, and why", routed, Past),
    _all("/budgets", "listBudgets", "What may be spent, and what is", budgets, Page[BudgetStanding]),
    _all(
        _BUDGET,
        "setBudget",
        "Set the limits of a key, a team or a task",
        budget_set,
        BudgetStanding,
        method="PUT",
        body=NewBudget,
        action="budget.set",
        **_KEEPS,
    ),
    _all(
        _BUDGET,
        "removeBudget",
        "Remove the limits",
        budget_removed,
        None,
        method="DELETE",
        status=204,
        action="budget.remove",
        **_KEEPS,
    ),
    _all("/ledger/sums", "sumLedger", "What calls of models did cost", sums, Page[LedgerSum], query=SumQuery),
)
