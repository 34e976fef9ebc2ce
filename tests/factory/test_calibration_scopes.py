"""Which outcomes calibrate the score of a repository and type of task."""

from karkhana.domain.confidence import Calibration
from karkhana.domain.outcomes import Label, Outcome, ScoredChange
from karkhana.factory.calibration import calibration_for


def outcomes(
    count: int, good: int, *, repository: str = "/home/me/shop", type: str = "bugfix", raw: float | None = 0.9
) -> list[Outcome]:
    """So many changes with one score, of which some turned out well."""
    change = ScoredChange(run_id="run_1", repository=repository, type=type, engineer="llm", score=0.9, raw=raw, at=0.0)
    return [
        Outcome(change=change, label=Label.GOOD if n < good else Label.BAD, known_at=float(n)) for n in range(count)
    ]


def chance(*groups: list[Outcome]) -> float:
    return calibration_for([each for group in groups for each in group], "/home/me/shop", "bugfix").apply(0.9)


def test_without_outcomes_a_score_means_what_it_says() -> None:
    pending = [Outcome(change=outcomes(1, 1)[0].change, label=Label.PENDING, known_at=0.0)]
    assert calibration_for(pending, "/home/me/shop", "bugfix") == Calibration()
    assert chance(outcomes(50, 0, raw=None)) == 0.9


def test_a_score_that_promised_too_much_is_lowered() -> None:
    found = calibration_for(outcomes(200, 100), "/home/me/shop", "bugfix")
    assert found.apply(0.9) < 0.6
    assert (found.outcomes, found.scope) == (200, "shop, bugfix")


def test_outcomes_elsewhere_count_until_there_are_own_ones() -> None:
    elsewhere = outcomes(200, 100, repository="/home/me/bank")
    assert chance(elsewhere) < 0.6
    assert chance(outcomes(200, 100, type="deps")) < 0.6
    assert chance(elsewhere, outcomes(200, 190)) > 0.85
