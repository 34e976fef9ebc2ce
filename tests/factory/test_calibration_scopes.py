"""Which outcomes calibrate the score of a repository and type of task."""

from collections.abc import Callable

import msgspec

from karkhana.domain.confidence import Calibration
from karkhana.domain.outcomes import Label, Outcome, ScoredChange
from karkhana.factory.calibration import AGAIN, calibration_for


def outcomes(
    count: int,
    good: int,
    *,
    repository: str = "/home/me/shop",
    type: str = "bugfix",
    raw: float | None = 0.9,
    weights: str = "now",
) -> list[Outcome]:
    """So many changes with one score, of which some turned out well."""
    change = ScoredChange(
        run_id="",
        repository=repository,
        type=type,
        engineer="llm",
        score=0.9,
        raw=raw,
        weights=weights,
        at=0.0,
    )
    return [
        Outcome(
            change=msgspec.structs.replace(change, run_id=f"run_{n}"),
            label=Label.GOOD if n < good else Label.BAD,
            known_at=float(n),
        )
        for n in range(count)
    ]


def chance(*groups: list[Outcome]) -> float:
    return calibrated([each for group in groups for each in group]).apply(0.9)


def calibrated(outcomes: list[Outcome], again: Callable[[str], float | None] = lambda run: None) -> Calibration:
    return calibration_for(outcomes, "/home/me/shop", "bugfix", version="now", again=again)


def test_without_outcomes_a_score_means_what_it_says() -> None:
    pending = [Outcome(change=outcomes(1, 1)[0].change, label=Label.PENDING, known_at=0.0)]
    assert calibrated(pending) == Calibration()
    assert chance(outcomes(50, 0, raw=None)) == 0.9


def test_a_score_that_promised_too_much_is_lowered() -> None:
    found = calibrated(outcomes(200, 100))
    assert found.apply(0.9) < 0.6
    assert (found.outcomes, found.scope) == (200, "shop, bugfix")


def test_outcomes_elsewhere_count_until_there_are_own_ones() -> None:
    elsewhere = outcomes(200, 100, repository="/home/me/bank")
    assert chance(elsewhere) < 0.6
    assert chance(outcomes(200, 100, type="deps")) < 0.6
    assert chance(elsewhere, outcomes(200, 190)) > 0.85


def test_scores_by_other_weights_are_made_again_or_left_out() -> None:
    old = outcomes(200, 100, raw=0.2, weights="before")
    assert calibrated(old) == Calibration()
    assert calibrated(old, again=lambda run: 0.9) == calibrated(outcomes(200, 100))
    assert calibrated(outcomes(200, 100), again=lambda run: 0.2) == calibrated(outcomes(200, 100))


def test_only_the_newest_are_made_again() -> None:
    asked = list[str]()

    def again(run: str) -> float:
        asked.append(run)
        return 0.9

    found = calibrated(outcomes(AGAIN + 50, AGAIN, weights="before"), again)
    assert found.outcomes == AGAIN == len(asked)
    assert set(asked) == {f"run_{n}" for n in range(50, AGAIN + 50)}
