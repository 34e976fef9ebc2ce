"""The simulation of the guarantee: what is shipped is simulated, and outcomes are known as late as they should be."""

import numpy as np
import pytest
from benchmarks.guarantee_worlds import WORLDS

from benchmarks import guarantee_simulation as simulation
from karkhana.domain.policy import Policy
from karkhana.quality.autonomy import keepers
from karkhana.quality.guarantee.keeping import Keeper


def stretch(late: simulation.Late, changes: int) -> Keeper:
    keeper, _ = keepers(Policy().deploy_above, histories=50)
    run = simulation._Stretch(WORLDS["honest"], simulation.DRIFTS[0], keeper, 0.10, np.random.default_rng(1), late)
    for number in range(changes):
        run.step(number)
    return keeper


def test_outcomes_are_known_late_the_bad_ones_first() -> None:
    at_once, late = stretch(simulation.Late(), 60), stretch(simulation.Late(bad=10, good=40), 60)
    # Of the first 20 changes everything is known, of the next 30 what was bad.
    everything, good = stretch(simulation.Late(), 20), stretch(simulation.Late(bad=1000, good=40), 60)
    assert (late.outcomes <= at_once.outcomes).all()
    assert (late.outcomes >= everything.outcomes).all()
    assert (good.outcomes <= everything.outcomes).all()
    assert late.outcomes.sum() > everything.outcomes.sum() > good.outcomes.sum() > 0


def test_what_is_shipped_goes_below_no_threshold_of_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "LIFE", 90)
    (row, late) = simulation.shipped(20, 1, simulation.DRIFTS[:1], worlds=("honest",))
    assert (row["kind"], row["late"], late["late"]) == ("shipped", 0, 100)
    keeper, strict = keepers(Policy().deploy_above)
    assert keeper.grid[-1] == strict.grid[-1] == Policy().deploy_above
    assert late["alone"] == 0.0 < row["alone"]
