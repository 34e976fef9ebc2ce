"""Weights that are learned: towards the truth, never against a component, and only when they foretell better."""

import math
import random

import pytest

from karkhana.quality.weight_training import Example, TrainingRules, learn
from karkhana.quality.weights import COMPONENTS, Learned, Link, load_weights

RULES = TrainingRules(outcomes=200, bad=30, spread=2.0, held_out=0.25, errors=1.0)


def examples(count: int, truth: dict[str, float], intercept: float = -2.0, seed: int = 1) -> list[Example]:
    """Changes of which ``truth`` (log odds for each component) decides what becomes of them."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        values = {name: chance.random() for name in COMPONENTS}
        line = intercept + sum(truth.get(name, 0.0) * value for name, value in values.items())
        found.append(Example(values, chance.random() < 1 / (1 + math.exp(-line))))
    return found


def test_what_decides_gets_the_weight() -> None:
    trained = learn(examples(800, {"coverage": 6.0, "change_risk": 2.0}), load_weights(), RULES)
    assert trained.learned is not None, trained.reason
    shares = trained.learned.components
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=lambda name: shares[name]) == "coverage"
    assert shares["change_risk"] > load_weights().components["change_risk"].weight
    assert (trained.loss_after or 0) < (trained.loss_before or 0)
    weights = trained.learned.over(load_weights())
    assert weights.link is not None
    assert weights.link.of(1.0) > 0.9
    assert weights.link.of(0.0) < 0.3
    assert weights.version.startswith(load_weights().version + "+")


def test_a_component_never_counts_against_a_change() -> None:
    trained = learn(examples(800, {"coverage": 6.0, "performance": -4.0}), load_weights(), RULES)
    assert trained.learned is not None
    assert trained.learned.components["performance"] == 0.0
    assert min(trained.learned.components.values()) >= 0.0


def test_what_ships_stays_where_nothing_is_to_be_learned() -> None:
    noise = learn(examples(400, {}, intercept=0.5), load_weights(), RULES)
    assert noise.learned is None
    assert "newest" in noise.reason
    like_shipped = {name: 5 * load_weights().components[name].weight for name in COMPONENTS}
    assert learn(examples(240, like_shipped), load_weights(), RULES).learned is None


@pytest.mark.parametrize(("count", "said"), [(199, "199 outcomes"), (240, "bad outcomes are too few")])
def test_too_few_outcomes_teach_nothing(count: int, said: str) -> None:
    good = examples(count, {}, intercept=6.0)
    assert said in learn(good, load_weights(), RULES).reason


def test_outcomes_from_before_a_component_was_there_are_left_out() -> None:
    old = [Example({"coverage": 1.0}, good=True)] * 500
    assert learn(old, load_weights(), RULES).outcomes == 0


def test_what_was_learned_for_other_weights_is_of_no_use() -> None:
    even = {name: 1 / len(COMPONENTS) for name in COMPONENTS}
    learned = Learned(base="1999-1", components=even, link=Link(intercept=0.0, slope=1.0, outcomes=200, bad=30))
    assert learned.over(load_weights()) == load_weights()
