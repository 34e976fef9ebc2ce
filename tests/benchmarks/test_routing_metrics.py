"""APGR, CPT and the cascade on tables that can be worked out by hand."""

import numpy as np
import pytest
from benchmarks.routing_metrics import Chances, apgr, cascade, cpt, curve, escalation_gains, interval

# ten prompts: the strong model is right in all, the weak one in the last five
WEAK = np.array([0.0] * 5 + [1.0] * 5)
STRONG = np.ones(10)


def test_the_best_order_recovers_all_with_half_of_the_calls() -> None:
    gains = STRONG - WEAK - np.arange(10) * 1e-6
    shares, accuracy = curve(gains, WEAK, STRONG)
    assert shares.tolist() == pytest.approx([n / 10 for n in range(11)])
    assert accuracy.tolist() == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1, 1, 1, 1])
    assert apgr(gains, WEAK, STRONG) == pytest.approx(0.75)
    assert cpt(gains, WEAK, STRONG) == pytest.approx(0.25)


def test_the_worst_order_and_one_in_between() -> None:
    assert apgr(WEAK - STRONG, WEAK, STRONG) == pytest.approx(0.25)
    assert cpt(WEAK - STRONG, WEAK, STRONG) == pytest.approx(0.75)
    turns = np.array([9, 7, 5, 3, 1, 8, 6, 4, 2, 0], dtype=float)
    assert apgr(turns, WEAK, STRONG) == pytest.approx(0.55)


def test_a_prompt_that_only_the_weak_model_gets_right_counts_against() -> None:
    weak, strong = np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
    shares, accuracy = curve(np.array([4.0, 3.0, 2.0, 1.0]), weak, strong, points=5)
    assert accuracy.tolist() == pytest.approx([0.5, 0.25, 0.5, 0.75, 0.75])
    assert shares.tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_the_verdict_moves_the_gain_by_bayes() -> None:
    chances = Chances(np.array([0.5]), np.array([0.9]), spoilt=1.0)
    # wrong 0.5, of which won 0.9 - 0.5 + 0.05 = 0.45; lost 0.5 x 0.1 = 0.05
    assert escalation_gains(chances, np.array([False]), 0.9)[0] == pytest.approx((0.9 * 0.45 - 0.1 * 0.05) / 0.5)
    assert escalation_gains(chances, np.array([True]), 0.9)[0] == pytest.approx((0.1 * 0.45 - 0.9 * 0.05) / 0.5)


def test_a_cascade_pays_for_every_call_and_keeps_to_its_budget() -> None:
    chance = np.random.default_rng(0)
    weak = (chance.random(4_000) < 0.6).astype(float)
    strong = np.maximum(weak, chance.random(4_000) < 0.7)
    sure = Chances(np.full(4_000, 0.6) + 1e-6 * chance.random(4_000), np.full(4_000, 0.88), 0.0)
    done = cascade(sure, weak, strong, budget=0.25, right=1.0, chance=chance)
    assert done.escalated == pytest.approx(0.25, abs=0.01)
    assert done.saving == pytest.approx(1 - done.escalated - 2 * 0.24 / 24.7)
    # all of what is escalated was wrong, and seven of ten become right
    assert done.quality == pytest.approx((0.6 + 0.25 * 0.7) / 0.88, abs=0.02)
    worse = cascade(sure, weak, strong, budget=0.25, right=0.7, chance=chance)
    assert worse.quality < done.quality - 0.02


def test_an_interval_holds_the_mean() -> None:
    low, high = interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)
    assert interval([0.5]) == [0.5, 0.5]
