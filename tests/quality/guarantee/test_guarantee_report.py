"""The report of a month counts what it says it counts."""

from karkhana.quality.guarantee.report import Judged, report


def judged(score: float, good: bool, *, alone: bool = False, audited: bool = False) -> Judged:
    return Judged(score=score, good=good, at=0.0, alone=alone, audited=audited)


def test_false_positives_and_negatives() -> None:
    found = report(
        [
            *[judged(0.95, True, alone=True)] * 40,
            judged(0.95, False, alone=True),
            *[judged(0.80, True)] * 3,
            *[judged(0.60, False)] * 2,
            judged(0.96, False, audited=True),
        ]
    )
    assert (found.outcomes, found.bad) == (47, 4)
    assert (found.alone, found.false_positives) == (41, 1)
    assert (found.waited, found.false_negatives) == (6, 3)
    assert (found.overlooked.audited, found.overlooked.refused) == (1, 1)
    assert sum(band.outcomes for band in found.bands) == 47
    assert found.bands[-1].low == 0.95


def test_the_thresholds_that_should_be() -> None:
    found = report([*[judged(0.92, True)] * 80, *[judged(0.75, False)] * 40])
    assert found.deploy_above is not None
    assert 0.75 <= found.deploy_above < 0.80
    assert found.canary_from == 0.70
    assert report([*[judged(0.92, True)] * 80, *[judged(0.75, False)] * 90]).canary_from == 0.755


def test_an_empty_month() -> None:
    found = report([])
    assert (found.outcomes, found.brier, found.deploy_above, found.canary_from, found.bands) == (
        0,
        None,
        None,
        None,
        (),
    )


def test_no_threshold_on_thin_data() -> None:
    assert report([judged(0.95, True)] * 21).deploy_above is None
    assert report([judged(0.95, True)] * 22).deploy_above == 0.70
