"""Track records: what is known nearby counts more, and nothing good ever harms."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karkhana.domain.outcomes import Label, Outcome, ScoredChange
from karkhana.learning.outcomes.track_record import Kind, shrinkage, track_record, track_records

KIND = Kind(type="bugfix", engineer="llm", model="large", repository="/shop", strategy="plain@1")


def outcome(good: bool = True, *, badness: float | None = None, **kind: str) -> Outcome:
    named = msgspec.structs.asdict(KIND) | kind
    change = ScoredChange(run_id="run_1", score=0.8, at=0.0, **named)
    bad = (0.0 if good else 1.0) if badness is None else badness
    return Outcome(change=change, label=Label.GOOD if good else Label.BAD, badness=bad, known_at=1.0)


def mean(*outcomes: Outcome) -> float:
    found = track_record(outcomes, KIND).mean
    assert found is not None
    return found


def test_nothing_known_is_the_prior() -> None:
    assert mean() == 0.5
    assert track_record([], KIND).because == ""


def test_nearer_outcomes_count_more() -> None:
    kinds = [
        {"type": "feature"},
        {"engineer": "symbolic"},
        {"model": "small"},
        {"repository": "/bank"},
        {"strategy": "other@1"},
        {},
    ]
    means = [mean(*[outcome(**kind)] * 4) for kind in kinds]
    assert means == sorted(means)
    assert means[0] == 0.5
    assert means[-1] == pytest.approx((4 * 0.5 + 4) / 8, abs=0.01)


def test_much_evidence_here_outweighs_what_is_elsewhere() -> None:
    elsewhere = [outcome(repository="/bank")] * 50
    assert mean(*elsewhere) > 0.85
    assert mean(*elsewhere, *[outcome(good=False)] * 40) < 0.15


def test_only_settled_outcomes_of_engineer_and_model_are_counted() -> None:
    pending = msgspec.structs.replace(outcome(), label=Label.PENDING)
    others = [outcome(repository="/bank"), outcome(model="small"), outcome(type="deps")]
    found = track_record([outcome(), outcome(good=False), pending, *others], KIND)
    assert (found.good, found.bad) == (2, 1)
    assert "this strategy" in found.because


def test_weak_signs_count_in_part() -> None:
    assert mean(outcome(good=False)) < mean(outcome(badness=0.4)) < mean(outcome())


def test_groups_that_are_alike_lend_more_than_groups_that_differ() -> None:
    alike = [outcome(g < 8, repository=f"/r{n}") for n in range(10) for g in range(10)]
    apart = [outcome(n < 8, repository=f"/r{n}") for n in range(10) for _ in range(10)]
    mine = [outcome(good=False)] * 3
    assert mean(*alike) == pytest.approx(mean(*apart), abs=0.02)
    assert mean(*alike, *mine) > mean(*apart, *mine) + 0.1


outcomes = st.lists(
    st.builds(
        outcome,
        st.booleans(),
        type=st.sampled_from(["bugfix", "deps"]),
        engineer=st.sampled_from(["llm", "symbolic"]),
        model=st.sampled_from(["large", "small"]),
        repository=st.sampled_from([f"/r{n}" for n in range(8)] + ["/shop"]),
        strategy=st.sampled_from(["plain@1", "other@1"]),
    ),
    max_size=30,
)


@settings(max_examples=40)
@given(outcomes)
def test_a_good_one_never_lowers_it_and_a_bad_one_never_raises_it(known: list[Outcome]) -> None:
    assert mean(*known, outcome()) >= mean(*known) >= mean(*known, outcome(good=False))
    assert 0 <= mean(*known) <= 1


def test_what_ships_narrows_level_by_level() -> None:
    levels = shrinkage().levels
    assert all(set(a) < set(b) for a, b in itertools.pairwise(levels))
    assert set(levels[-1]) == set(Kind.__struct_fields__)


def test_records_of_many_kinds_are_those_of_each() -> None:
    known = [outcome(g < n, repository=f"/r{n}", type=("bugfix", "deps")[n % 2]) for n in range(6) for g in range(5)]
    kinds = [Kind(**{name: getattr(each.change, name) for name in Kind.__struct_fields__}) for each in known[::5]]
    assert track_records(known, kinds) == [track_record(known, kind) for kind in kinds]
    assert len({record.mean for record in track_records(known, kinds)}) == 6
