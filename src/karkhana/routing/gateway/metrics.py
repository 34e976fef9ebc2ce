"""What ``GET /metrics`` tells: all that was counted, and how things stand. Knows nothing of who may read it.

Labels are names from the configuration and words of our own; nothing that a client wrote becomes one.
"""

from karkhana.routing.attempt import Outcome
from karkhana.routing.breaker import State
from karkhana.routing.gateway.exposition import Exposition
from karkhana.routing.gateway.insight import Insight
from karkhana.routing.gateway.tally import KINDS, PlaceTally, Tally

_PREFIX = "karkhana_gateway_"


def metrics(insight: Insight) -> str:
    """The page."""
    page = Exposition()
    tally = insight.tally
    _requests(page, tally)
    _refusals(page, tally)
    _attempts(page, sorted(tally.places.items()))
    _costs(page, sorted(tally.places.items()))
    _health(page, insight)
    _ledger(page, insight)
    _cache(page, insight)
    _spans(page, insight)
    return page.text()


def _requests(page: Exposition, tally: Tally) -> None:
    name = _PREFIX + "requests_total"
    page.family(name, "counter", "Requests by the client's wire and the status of the answer; 499: the client left.")
    for (wire, status), count in sorted(tally.requests.items()):
        page.sample(name, count, wire=wire, status=str(status))
    name = _PREFIX + "request_seconds"
    page.family(name, "histogram", "Seconds from a request's head to the end of its answer.")
    for wire, times in sorted(tally.times.items()):
        page.histogram(name, times, wire=wire)
    page.family(_PREFIX + "requests_under_way", "gauge", "Requests that are being answered.")
    page.sample(_PREFIX + "requests_under_way", tally.under_way)


def _refusals(page: Exposition, tally: Tally) -> None:
    name = _PREFIX + "refusals_total"
    page.family(name, "counter", "Requests that were refused before a provider was asked, by the reason.")
    for reason, count in sorted(tally.refusals.items()):
        page.sample(name, count, reason=reason)
    name = _PREFIX + "budget_warnings_total"
    page.family(name, "counter", "Attempts above a soft limit, by the kind of account.")
    for kind, count in sorted(tally.warnings.items()):
        page.sample(name, count, account=kind)


_Places = list[tuple[tuple[str, str], PlaceTally]]


def _attempts(page: Exposition, places: _Places) -> None:
    name = _PREFIX + "attempts_total"
    page.family(name, "counter", "Requests to providers, by how they ended.")
    for (provider, model), place in places:
        ends = [((Outcome.ANSWERED.value, ""), place.answered), *sorted(place.endings.items())]
        for (outcome, fault), count in ends:
            page.sample(name, count, provider=provider, model=model, outcome=str(outcome), fault=str(fault))
    name = _PREFIX + "hedges_total"
    page.family(name, "counter", "Second requests that were sent because the first was slow.")
    for (provider, model), place in places:
        page.sample(name, place.hedges, provider=provider, model=model)
    name = _PREFIX + "first_byte_seconds"
    page.family(name, "histogram", "Seconds until a provider's answer began.")
    for (provider, model), place in places:
        page.histogram(name, place.first, provider=provider, model=model)


def _costs(page: Exposition, places: _Places) -> None:
    name = _PREFIX + "tokens_total"
    page.family(name, "counter", "Tokens as the providers told them; reasoning is a part of output.")
    for (provider, model), place in places:
        for kind, count in zip(KINDS, place.tokens, strict=True):
            page.sample(name, count, provider=provider, model=model, kind=kind)
    name = _PREFIX + "cost_usd_total"
    page.family(name, "counter", "Dollars that were charged for answers with a known usage and price.")
    for (provider, model), place in places:
        page.sample(name, place.cost, provider=provider, model=model)
    name = _PREFIX + "unpriced_attempts_total"
    page.family(name, "counter", "Answers of models whose price is not known.")
    for (provider, model), place in places:
        page.sample(name, place.unpriced, provider=provider, model=model)


def _health(page: Exposition, insight: Insight) -> None:
    name = _PREFIX + "breaker_state"
    page.family(name, "gauge", "1 for the state that a breaker is in.")
    for place, health in insight.breakers():
        for state in State:
            labels = {"provider": place.provider, "model": place.model, "key": place.key, "state": state.value}
            page.sample(name, int(health.state is state), **labels)
    name = _PREFIX + "resting_keys"
    page.family(name, "gauge", "Keys of providers that rest because they were refused or their quota is used up.")
    page.sample(name, len(insight.caller.resting_keys()))
    name = _PREFIX + "configuration_age_seconds"
    page.family(name, "gauge", "Seconds since the configuration was read.")
    page.sample(name, round(insight.loading.age_s(), 3))
    name = _PREFIX + "configuration_refused"
    page.family(name, "gauge", "1 if the file has a mistake, so that the configuration before it is used.")
    page.sample(name, int(bool(insight.loading.mistake)))


def _ledger(page: Exposition, insight: Insight) -> None:
    name = _PREFIX + "ledger_seconds"
    page.family(name, "summary", "Seconds that the ledger's transactions took.")
    page.sample(name + "_sum", round(insight.ledger.seconds, 6))
    page.sample(name + "_count", insight.ledger.transactions)
    name = _PREFIX + "ledger_failures_total"
    page.family(name, "counter", "Transactions of the ledger that could not be made.")
    page.sample(name, insight.ledger.failures)


def _cache(page: Exposition, insight: Insight) -> None:
    cache = insight.cache
    if cache is None:
        return
    name = _PREFIX + "cache_requests_total"
    page.family(name, "counter", "Requests that the cache may answer, by whether it did.")
    for result, count in (("hit", cache.hits), ("miss", cache.misses)):
        page.sample(name, count, result=result)
    page.family(_PREFIX + "cache_entries", "gauge", "Answers that are remembered.")
    page.sample(_PREFIX + "cache_entries", cache.entries)
    page.family(_PREFIX + "cache_bytes", "gauge", "Bytes of the answers that are remembered.")
    page.sample(_PREFIX + "cache_bytes", cache.bytes)


def _spans(page: Exposition, insight: Insight) -> None:
    spans = insight.spans
    if spans is None:
        return
    name = _PREFIX + "spans_total"
    page.family(name, "counter", "Spans that the collector took or not, or that were not made since too many waited.")
    for result, count in (("sent", spans.sent), ("lost", spans.lost), ("dropped", spans.dropped)):
        page.sample(name, count, result=result)
