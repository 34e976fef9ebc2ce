"""The explanation of a run's score, part by part, from its trail. Knows nothing of how anything was measured.

>>> # explain_run(stores, run_id).text
"""

import msgspec

from karkhana.domain.confidence import Confidence
from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import GateFinished, ReviewFinished, RiskAssessed, ScoreComputed
from karkhana.domain.evidence import Evidence
from karkhana.domain.policy import Policy
from karkhana.domain.risks import Risk, in_full
from karkhana.factory.rescoring import scored_in
from karkhana.factory.stores import Stores
from karkhana.factory.weights import current_weights
from karkhana.quality.counterfactuals import Counterfactual, Way, counterfactuals, ways
from karkhana.quality.explanation import Row, explain, rows
from karkhana.quality.weights import Weights

_TOLD_BY = tuple(
    str(kind.__struct_config__.tag) for kind in (GateFinished, ReviewFinished, ScoreComputed, RiskAssessed)
)


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A score, part by part."""

    run_id: str
    score: float
    components: tuple[Row, ...]
    """Value, weight, contribution, reason, and what would raise it."""
    caps: tuple[str, ...]
    missing: tuple[str, ...]
    """What could not be measured."""
    counterfactuals: tuple[Counterfactual, ...]
    """What the score would be if one thing were better, the most first."""
    ways: tuple[Way, ...]
    """The least that would reach the canary and the deployment."""
    risk: Risk | None = None
    """How likely the change is to need a repair, the likeliest kinds of bugs, and what looks for them."""
    text: str
    """The same as a page for a person."""


def explain_run(stores: Stores, run_id: str) -> Explanation:
    """Why a run's score is what it is. Raises ``UnknownRun``, or ``InvalidInput`` when it never came so far."""
    events = [entry.event for entry in stores.events.entries(run_id, kinds=_TOLD_BY)]
    kept = scored_in(events)
    if kept is None:
        status = stores.runs.get(run_id).status.value.replace("_", " ")
        raise InvalidInput(f"{run_id} has no score: it ended as {status}", "Choose a run with a change.")
    evidence, scored = kept
    weights = current_weights(stores.settings.home)
    risk = next((event.risk for event in reversed(events) if isinstance(event, RiskAssessed)), None)
    return explanation(run_id, evidence, scored.confidence, stores.settings.policy, weights, risk=risk)


def explanation(
    run_id: str,
    evidence: Evidence,
    confidence: Confidence,
    policy: Policy,
    weights: Weights,
    *,
    risk: Risk | None = None,
) -> Explanation:
    """Everything that can be said of a score; what it could be only as long as its weights still hold."""
    holds = confidence.weights_version == weights.version
    single = counterfactuals(evidence, confidence, weights) if holds else ()
    targets = (policy.canary_from, policy.deploy_above + 1e-4)
    reached = ways(evidence, confidence, targets, weights) if holds else ()
    return Explanation(
        run_id=run_id,
        score=confidence.score,
        components=tuple(rows(confidence, weights)),
        caps=confidence.caps,
        missing=confidence.missing,
        counterfactuals=single,
        ways=reached,
        risk=risk,
        text=explain(
            confidence,
            weights,
            [*(_told(single, reached) if holds else _OLD), *(["", *in_full(risk)] if risk is not None else [])],
        ),
    )


_OLD = ("", "Other weights hold by now, so what would raise it is not told.")


def _told(single: tuple[Counterfactual, ...], reached: tuple[Way, ...]) -> list[str]:
    lines = []
    better = [each for each in single if each.gain > 0]
    if better:
        lines += ["", "It would be:", *(f"    {each.score:.2f} with {each.with_}" for each in better)]
    for way in reached:
        lines += ["", f"To reach {way.reaches:.2f} it needs, together ({way.score:.2f}):"]
        lines += [f"    {each}" for each in way.with_]
    return lines
