"""Learns the weights of the score from outcomes: a logistic model in which no component can count against a change.

log odds(good) = intercept + sum of coefficient x component, each coefficient at least 0, so that better evidence never
lowers the score. The coefficients are pulled to those of the shipped weights, whose two free numbers (how steep, how
high) are fitted first; few outcomes therefore move little. What was learned is admitted only when it foretells the
newest outcomes better than the shipped weights do. Divided by their sum the coefficients are weights again, and the sum
is the slope of the link (:class:`karkhana.quality.weights.Link`).

For a job, not for the line: it needs scipy. The optimiser is L-BFGS-B (Byrd, Lu, Nocedal and Zhu, SIAM Journal on
Scientific Computing 16, 1995), which keeps the bounds.

>>> from karkhana.quality.weights import load_weights
>>> learn([], load_weights()).reason
'0 outcomes with a label are too few: 200 are needed'
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from karkhana.quality.weights import COMPONENTS, Learned, Link, Weights

Floats = NDArray[np.float64]


class Example(msgspec.Struct, frozen=True):
    """A change with its label."""

    components: Mapping[str, float]
    good: bool


class TrainingRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed form of ``learned.toml``."""

    outcomes: int
    bad: int
    spread: float
    held_out: float
    errors: float


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    outcomes: int
    bad: int
    learned: Learned | None = None
    """``None``: the shipped weights stay."""
    reason: str
    loss_before: float | None = None
    """Mean logarithmic loss of the shipped weights on the newest outcomes."""
    loss_after: float | None = None


@lru_cache(maxsize=1)
def training_rules() -> TrainingRules:
    """The ones that ship with Karkhana."""
    data = resources.files("karkhana.quality").joinpath("learned.toml").read_bytes()
    return msgspec.toml.decode(data, type=TrainingRules)


def learn(examples: Sequence[Example], shipped: Weights, rules: TrainingRules | None = None) -> Training:
    """Weights from ``examples``, the oldest first; those without the shipped components are left out."""
    rules = rules or training_rules()
    usable = [each for each in examples if set(COMPONENTS) <= set(each.components)]
    count, bad = len(usable), sum(not each.good for each in usable)
    if count < rules.outcomes:
        return _none(count, bad, f"{count} outcomes with a label are too few: {rules.outcomes} are needed")
    if min(bad, count - bad) < rules.bad:
        kind = "bad" if bad < rules.bad else "good"
        return _none(count, bad, f"{min(bad, count - bad)} {kind} outcomes are too few: {rules.bad} are needed")
    values = np.array([[each.components[name] for name in COMPONENTS] for each in usable])
    good = np.array([each.good for each in usable], dtype=np.float64)
    weights = np.array([shipped.components[name].weight for name in COMPONENTS])
    split = round(count * (1 - rules.held_out))
    prior = _steepness(values[:split] @ weights, good[:split])
    fitted = _fit(values[:split], good[:split], prior, weights, rules.spread)
    before = _loss(values[split:] @ (prior[1] * weights) + prior[0], good[split:])
    after = _loss(values[split:] @ fitted[1:] + fitted[0], good[split:])
    gain, error = float((before - after).mean()), float((before - after).std(ddof=1) / np.sqrt(len(before)))
    told = Training(
        outcomes=count, bad=bad, reason="", loss_before=float(before.mean()), loss_after=float(after.mean())
    )
    newest = f"the newest {len(before)} outcomes"
    if gain <= rules.errors * error:
        return msgspec.structs.replace(told, reason=f"on {newest} it is not better by more than its error")
    whole = _fit(values, good, _steepness(values @ weights, good), weights, rules.spread)
    slope = float(whole[1:].sum())
    if slope <= 0:
        return msgspec.structs.replace(told, reason="no component tells good changes from bad ones")
    learned = Learned(
        base=shipped.version,
        components={name: float(share) for name, share in zip(COMPONENTS, whole[1:] / slope, strict=True)},
        link=Link(intercept=float(whole[0]), slope=slope, outcomes=count, bad=bad),
    )
    return msgspec.structs.replace(told, learned=learned, reason=f"it foretells {newest} better")


def _none(outcomes: int, bad: int, reason: str) -> Training:
    return Training(outcomes=outcomes, bad=bad, reason=reason)


def _steepness(index: Floats, good: Floats) -> Floats:
    """Intercept and slope (at least 0) of the shipped weights' sum."""

    def loss(now: Floats) -> tuple[float, Floats]:
        line = now[0] + now[1] * index
        error = _sigmoid(line) - good
        # A weak pull keeps both finite where the sum divides good from bad perfectly.
        pull = 1e-3 * now
        return float(_loss(line, good).sum() + (pull * now).sum() / 2), np.array(
            [error.sum(), (error * index).sum()]
        ) + pull

    found = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(None, None), (0, None)])
    return np.asarray(found.x, dtype=np.float64)


def _fit(values: Floats, good: Floats, prior: Floats, weights: Floats, spread: float) -> Floats:
    """Intercept and coefficients, the latter at least 0 and around slope x weight."""
    centre = prior[1] * weights

    def loss(now: Floats) -> tuple[float, Floats]:
        line = now[0] + values @ now[1:]
        error, away = _sigmoid(line) - good, (now[1:] - centre) / spread**2
        slope = np.concatenate(([error.sum()], values.T @ error + away))
        return float(_loss(line, good).sum() + (away * (now[1:] - centre)).sum() / 2), slope

    bounds = [(None, None), *[(0, None)] * len(weights)]
    found = minimize(loss, np.concatenate(([prior[0]], centre)), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x, dtype=np.float64)


def _loss(line: Floats, good: Floats) -> Floats:
    return np.asarray(np.logaddexp(0, line) - good * line)


def _sigmoid(line: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -line)))
