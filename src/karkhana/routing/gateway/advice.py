"""What would be chosen now for a request, or was chosen for a call, in words for people. Asks nobody.

Knows nothing of command lines.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from karkhana.domain.errors import InvalidInput
from karkhana.domain.money import Unpriced
from karkhana.domain.routes import RouteChoice, RouteOutcome
from karkhana.routing.configuration import Candidate, Configuration
from karkhana.routing.faults import ProviderFault
from karkhana.routing.gateway.choosing import abilities
from karkhana.routing.policy.capability import UNLIMITED, Needs
from karkhana.routing.policy.cascade import Offer, gain, propensities
from karkhana.routing.policy.choosing import Ask, Choice, Estimate, Policy, Wording, capable
from karkhana.routing.policy.explaining import explained
from karkhana.routing.policy.notebook import Notebook
from karkhana.routing.policy.posteriors import Posteriors, Subject
from karkhana.routing.policy.priors import SYMBOLIC, priors
from karkhana.routing.policy.settings import CHEAP_FIRST, PolicySettings
from karkhana.routing.prices import PriceBook
from karkhana.storage.route_store import RouteStore

PROMPT = 1_000
"""Tokens of a request of which nothing is known."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate."""

    rung: str
    state: str
    """``asked``, ``stands_by`` or ``left_out``."""
    why: str
    place: int | None = None
    """In the order, from 1."""
    first: float | None = None
    """How likely it is to be the first when chances are drawn."""
    chance: float | None = None
    outcomes: int | None = None
    cost_usd: float | None = None
    seconds: float | None = None
    switch_usd: float | None = None
    worth_usd: float | None = None
    """What asking it alone is expected to bring."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Who would be asked, the first one first, and who would not."""

    model: str
    policy: str
    task_type: str
    value_usd: float
    candidates: tuple[Told, ...]


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen for a call."""

    call: str
    at: float
    model: str
    task_type: str
    chosen: str
    propensity: float
    answered: str
    passed: bool | None
    candidates: tuple[Told, ...]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one rung and type."""

    pool: str
    task_type: str
    rung: str
    passed: int
    outcomes: int
    chance: float
    """As it is believed now."""
    weight: float
    """Outcomes that this counts as now."""


def advice(
    configuration: Configuration | None,
    prices: PriceBook,
    store: RouteStore,
    *,
    model: str,
    task_type: str,
    text: str = "",
    needs: Needs | None = None,
    team: str = "",
    wording: Wording | None = None,
) -> Advice:
    """Who would be asked now. Without a configuration only what is no model is told. Raises ``InvalidInput``."""
    settings = PolicySettings() if configuration is None else configuration.policy
    notebook = Notebook(store, settings)
    notebook.load()
    policy = Policy(
        msgspec.structs.replace(settings, exploration=False),
        prices,
        notebook.posteriors,
        notebook.habits,
        wording=wording,
    )
    needs = (needs or Needs())._replace(prompt=len(text) // 4 if text else PROMPT)
    candidates = () if configuration is None else configuration.models[model].candidates
    pool = team if settings.pool == "team" else ""
    ask = Ask(model, candidates, needs, task_type=task_type, pool=pool, text=text)
    found = _chosen(policy, ask, configuration, prices)
    named = _with_symbolic(policy, ask, found, notebook.posteriors)
    named_policy = CHEAP_FIRST if configuration is None else configuration.models[model].entry.policy
    return Advice(
        model=model,
        policy=named_policy,
        task_type=task_type,
        value_usd=policy.stakes.value,
        candidates=_told(named, drawn=settings.exploration and named_policy == CHEAP_FIRST),
    )


def past(store: RouteStore, call: str) -> Past:
    """What was chosen for a call. Raises ``InvalidInput`` for one that is not kept."""
    kept = store.choice(call)
    if kept is None:
        raise InvalidInput(
            f"no choice is kept for the call {call!r}",
            "Only calls of models with the policy cheap_first are kept, for policy.remember_days.",
        )
    outcome = store.outcome(call)
    return Past(
        call=call,
        at=kept.at,
        model=kept.entry,
        task_type=kept.task_type,
        chosen=kept.chosen,
        propensity=kept.propensity,
        answered=kept.answered,
        passed=None if outcome is None else outcome.passed,
        candidates=_told(_reasons(kept), drawn=False),
    )


def records(store: RouteStore, settings: PolicySettings, prices: PriceBook, now: float | None = None) -> list[Record]:
    """All that is known, by pool, type and rung; ``prices`` tell what is believed of a model beforehand."""
    now = time.time() if now is None else now
    outcomes = [outcome for _, outcome in store.outcomes()]
    posteriors = Posteriors(discount=settings.discount, half_life_s=settings.half_life_days * 86_400)
    for each in outcomes:
        posteriors.learn(Subject(each.pool, each.task_type, each.rung), each.passed, each.at)
    passed, total = _counts(outcomes)
    found = []
    for subject in posteriors.subjects():
        evidence = posteriors.evidence(subject, now)
        rate = prices.rate(Candidate(*subject.rung.partition("/")[::2]))
        dollars = None if isinstance(rate, Unpriced) else rate.tiers[0].output / 1e12
        prior = priors().of(subject.rung, subject.task_type, dollars)
        found.append(
            Record(
                pool=subject.pool,
                task_type=subject.task_type,
                rung=subject.rung,
                passed=passed[subject],
                outcomes=total[subject],
                chance=round(posteriors.posterior(subject, prior, now).mean, 4),
                weight=round(evidence.passed + evidence.failed, 2),
            )
        )
    return found


def entry_of(configuration: Configuration, wanted: str | None) -> str:
    """The model that is meant: the one that is named, else ``auto``, else the first. Raises ``InvalidInput``."""
    names = list(configuration.models)
    if wanted is None and names:
        return "auto" if "auto" in names else names[0]
    if wanted in names:
        assert wanted is not None
        return wanted
    known = ", ".join(sorted(names)) or "none"
    raise InvalidInput(f"the model {wanted or ''!r} is not in the configuration", f"Models: {known}.")


def _chosen(policy: Policy, ask: Ask, configuration: Configuration | None, prices: PriceBook) -> Choice:
    if configuration is None:
        return Choice(offers=(), stakes=policy.stakes)
    entry = configuration.models[ask.entry].entry
    needs = ask.needs._replace(residency=ask.needs.residency.union(entry.residency))
    known = abilities(configuration, prices)
    try:
        able, left_out = capable(ask._replace(needs=needs), lambda each: known.get(each, UNLIMITED))
    except ProviderFault as refused:
        raise InvalidInput(refused.message, "Ask for less, or add a candidate that can.") from None
    if entry.policy == CHEAP_FIRST:
        return policy.choose(ask, able, time.time(), left_out)
    offers = tuple(policy.offers(ask, able, time.time()))
    return Choice(offers=offers, stakes=policy.stakes, left_out=tuple(left_out))


def _with_symbolic(policy: Policy, ask: Ask, choice: Choice, posteriors: Posteriors) -> Choice:
    """The symbolic engineer stands first where it has a record: it costs nothing."""
    if not posteriors.evidence(Subject("", ask.task_type, SYMBOLIC), time.time()).outcomes:
        return choice
    offer = policy.offer(ask._replace(text="", pool=""), SYMBOLIC, Estimate(0.0), time.time())
    return msgspec.structs.replace(choice, offers=(offer, *choice.offers))


def _told(choice: Choice, *, drawn: bool) -> tuple[Told, ...]:
    offers: Mapping[str, Offer] = {offer.rung: offer for offer in choice.offers}
    models = [offer for offer in choice.offers if offer.rung != SYMBOLIC]
    # the same estimate whenever it is asked for
    first = propensities(models, choice.stakes, random.Random(1)) if drawn and models else {}  # noqa: S311
    asked = len(choice.offers) - choice.spare
    told = []
    for number, (rung, why) in enumerate(explained(choice), 1):
        offer = offers.get(rung)
        if offer is None:
            told.append(Told(rung=rung, state="left_out", why=why))
            continue
        told.append(
            Told(
                rung=rung,
                state="asked" if number <= asked else "stands_by",
                why=why,
                place=number,
                first=first.get(rung),
                chance=round(offer.chance, 4),
                outcomes=offer.outcomes,
                cost_usd=offer.cost if offer.priced else None,
                seconds=offer.seconds,
                switch_usd=offer.switch,
                worth_usd=gain(offer, offer.chance, choice.stakes),
            )
        )
    return tuple(told)


def _reasons(kept: RouteChoice) -> Choice:
    try:
        return msgspec.json.decode(kept.reasons, type=Choice)
    except msgspec.MsgspecError:
        # written by another version: what was chosen is still known
        raw: Any = json.loads(kept.reasons or "{}")
        raise InvalidInput(
            f"the reasons for the call {kept.call!r} are of another version", f"They are: {json.dumps(raw)[:500]}"
        ) from None


def _counts(outcomes: list[RouteOutcome]) -> tuple[Counter[Subject], Counter[Subject]]:
    subjects = [(Subject(each.pool, each.task_type, each.rung), each.passed) for each in outcomes]
    return Counter(subject for subject, passed in subjects if passed), Counter(subject for subject, _ in subjects)
