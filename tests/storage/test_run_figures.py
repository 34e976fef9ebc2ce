"""Sums over ended runs, on both databases."""

import pytest
from storage_support import ORDER

from karkhana.domain.tasks import Status
from karkhana.storage.run_figures import RunFigures


@pytest.fixture
def ended(tasks, runs, clock):
    """(status, score, human review, product): one a day."""
    told = [
        (Status.DELIVERED, 0.95, False, "shop"),
        (Status.DELIVERED, 0.90, True, "shop"),
        (Status.REJECTED, 0.75, True, "bank"),
        (Status.CANCELLED, 0.75, True, "shop"),
        (Status.FAILED, None, None, "bank"),
    ]
    found = []
    for status, score, asked, product in told:
        _, claim = tasks.add_and_claim(ORDER, "worker", 20.0, product=product)
        runs.finish(claim.run_id, 1, status, b"{}", human_review=asked, quality_score=score)
        found.append(claim.run_id)
        clock.move(86_400)
    tasks.add_and_claim(ORDER, "worker", 20.0)
    return found


def test_scores_by_what_was_decided(database, ended):
    found = RunFigures(database).scores(0.0, [0.0, 0.7, 0.9, 0.95])
    assert sorted((each.bucket, each.way, each.runs) for each in found) == [
        (1, "other", 1),
        (1, "refused", 1),
        (2, "approved", 1),
        (3, "alone", 1),
    ]
    mine = RunFigures(database).scores(0.0, [0.0], visible=(False, frozenset({"bank"})))
    assert [(each.bucket, each.way, each.runs) for each in mine] == [(0, "refused", 1)]


def test_periods_by_type_and_ending(database, ended, clock):
    start = clock().timestamp() - 5 * 86_400
    edges = [start, start + 1.5 * 86_400, start + 3.5 * 86_400]
    found = RunFigures(database).periods(edges)
    assert sorted((each.period, each.status.value, each.runs) for each in found) == [
        (0, "delivered", 2),
        (1, "cancelled", 1),
        (1, "rejected", 1),
        (2, "failed", 1),
    ]
    went = RunFigures(database).ways(edges)
    assert sorted((each.period, each.way, each.runs) for each in went) == [
        (0, "alone", 1),
        (0, "approved", 1),
        (1, "other", 1),
        (1, "refused", 1),
        (2, "other", 1),
    ]
    assert {each.type for each in found} == {"bugfix"}
    assert sum(each.runs for each in RunFigures(database).periods([start + 3.5 * 86_400])) == 1


def test_the_newest_failures(database, ended):
    assert RunFigures(database).newest_failed(5) == [ended[4], ended[2]]
    assert RunFigures(database).newest_failed(1, visible=(True, frozenset({"bank"}))) == []
