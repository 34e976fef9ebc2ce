"""The change-risk model on made-up repositories whose truth is known."""

import numpy as np
import pytest

from karkhana.quality.risk.columns import columns
from karkhana.quality.risk.measuring import measure
from karkhana.quality.risk.model import RiskModel
from karkhana.quality.risk.prior import load_prior


def world(count, rate=0.15, seed=0, effect=1.0):
    """Commits whose risk grows with what they touch, not with their size; (features, bad)."""
    rng = np.random.default_rng(seed)
    features = {
        "la": rng.lognormal(2.5, 1.2, count),
        "ld": rng.lognormal(1.5, 1.2, count),
        "lt": rng.lognormal(6, 1, count),
        "nf": 1.0 + rng.poisson(1, count),
        "nuc": 1.0 + rng.poisson(20, count),
        "past_fixes": rng.poisson(4, count).astype(float),
        "tests": rng.random(count) * 0.5,
    }
    line = effect * (np.where(features["past_fixes"] > 4, 1.5, -1.0) + 0.3 * np.log(features["la"] / 12))
    chance = 1 / (1 + np.exp(-(line + np.log(rate / (1 - rate)))))
    return features, rng.random(count) < chance


def part(features, where):
    return {name: values[where] for name, values in features.items()}


def test_without_outcomes_the_prior_speaks():
    features, _ = world(20)
    model = RiskModel()
    assert np.allclose(model.risk(features), load_prior().risk(features))
    assert (model.outcomes, model.share_of_own) == (0, 0.0)
    assert np.allclose(
        RiskModel.fit({name: values[:0] for name, values in features.items()}, []).risk(features), model.risk(features)
    )


def test_few_outcomes_move_the_level_only():
    features, bad = world(100, rate=0.4)
    model = RiskModel.fit(features, bad.tolist())
    assert model.share_of_own == 0.0
    assert model.risk(features).mean() == pytest.approx(bad.mean(), abs=0.05)
    assert np.all(np.argsort(model.risk(features)) == np.argsort(RiskModel().risk(features)))


def test_many_outcomes_teach_what_the_prior_does_not_know():
    features, bad = world(1600, seed=3)
    known, asked = part(features, slice(1200)), part(features, slice(1200, None))
    model = RiskModel.fit(known, bad[:1200].tolist())
    own, prior = (measure(one.risk(asked).tolist(), bad[1200:].tolist()) for one in (model, RiskModel()))
    assert model.share_of_own > 0.5
    assert own.auc > prior.auc + 0.03
    assert own.brier < own.brier_of_base_rate
    assert np.array_equal(model.risk(asked), RiskModel.fit(known, bad[:1200].tolist()).risk(asked))


def test_outcomes_of_one_kind_are_borne():
    features, bad = world(150)
    for outcome in (np.zeros_like(bad), np.ones_like(bad)):
        risk = RiskModel.fit(features, outcome.tolist()).risk(features)
        assert np.all((risk > 0) & (risk < 1))


def test_contributions_add_up_to_the_prior():
    features, _ = world(3)
    prior = load_prior()
    names, added = prior.contributions(features)
    assert set(names) <= set(columns(features)[0])
    assert np.allclose(1 / (1 + np.exp(-(prior.intercept + added.sum(axis=1)))), prior.risk(features))


def test_the_shipped_prior_says_what_it_rests_on():
    prior = load_prior()
    assert len(prior.trained_on) >= 10
    assert 0.02 < prior.bad / prior.commits < 0.5
    assert prior.within_days == 180
    assert set(prior.terms) >= {"la", "size", "tests"}
