"""What the behaviour of the groups says about one of them."""

from karkhana.behaviour.observation import Observations
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.choice.appearance import Ranked
from karkhana.engineers.symbolic.choice.choose import Group
from karkhana.engineers.symbolic.choice.evidence import before_first_hit, behaviour, consensus, heard, over_rivals
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis
from karkhana.engineers.symbolic.search import Outcome

HYPOTHESIS = Hypothesis(suspect=0, kind="variable", line=1, edits=(Edit(0, 1, "x"),), score=0.5)


def group(number: int | None, standing: float = 0.0) -> Group:
    return Group(members=(Ranked(hypothesis=HYPOTHESIS, value=standing),), standing=standing, number=number)


def seen(*variants: str) -> Observations:
    return Observations(
        inputs=tuple(("near-failing", str(n)) for n in range(4)),
        original=("=0",) * 4,
        variants=tuple(tuple("=" + c for c in text) for text in variants),
        examples=((),) * len(variants),
    )


def test_the_one_in_the_middle_is_told_from_outsiders() -> None:
    groups = [group(n) for n in range(3)]
    observations = seen("1112", "1111", "1311")
    agreement = consensus(groups, observations)
    assert agreement == {0: 0.625, 1: 0.75, 2: 0.625}
    middle = behaviour(groups[1], groups, observations, agreement)
    outsider = behaviour(groups[0], groups, observations, agreement)
    assert (middle["consensus"], middle["centrality"]) == (0.75, 0.125)
    assert outsider["centrality"] == -0.125


def test_one_class_alone_agrees_with_itself() -> None:
    groups = [group(0)]
    agreement = consensus(groups, seen("1111"))
    facts = behaviour(groups[0], groups, seen("1111"), agreement)
    assert (facts["consensus"], facts["centrality"], facts["share"], facts["margin"]) == (1.0, 0.0, 1.0, 10.0)


def test_what_was_not_observed_is_neither_in_the_middle_nor_outside() -> None:
    groups = [group(0), group(None, -1.0)]
    observations = seen("1111")
    facts = behaviour(groups[1], groups, observations, consensus(groups, observations))
    assert (facts["consensus"], facts["centrality"], facts["compared"]) == (0.5, 0.0, 0.0)


def test_candidates_before_the_first_hit_are_those_that_were_run() -> None:
    outcome = Outcome(tried=(HYPOTHESIS,) * 5, statuses="fdfpf", passing=(HYPOTHESIS,), cpu_s=0.1)
    assert before_first_hit([outcome]) == 2
    assert before_first_hit([]) == 0


def test_naturalness_counts_against_the_rivals() -> None:
    assert over_rivals([3.0, 7.0, 4.0]) == [-1.0, 4.0, 1.0]
    assert over_rivals([3.0]) == [0.0]


def test_each_proposal_is_a_voice_and_all_templates_together_are_one() -> None:
    ours = [HYPOTHESIS, Hypothesis(suspect=0, kind="sign", line=1, edits=(Edit(1, 2, "y"),), score=0.4)]
    theirs = [
        Hypothesis(suspect=0, kind=kind, line=1, edits=(Edit(n, n, "z"),), score=0.3)
        for n, kind in enumerate(("proposed", "proposed", "proposed+sign"))
    ]
    voices = {(0, theirs[0].edits): {1, 2}, (0, theirs[1].edits): {2, 3}}

    def of(*hypotheses: Hypothesis) -> dict[str, float]:
        members = tuple(Ranked(hypothesis=h, value=0.0) for h in hypotheses)
        return heard(Group(members=members, standing=0.0), voices)

    assert of(*ours) == {"proposed": 0.0, "agreeing": 0.0}
    assert of(theirs[0]) == {"proposed": 1.0, "agreeing": 0.5}
    assert of(theirs[0], theirs[1]) == {"proposed": 1.0, "agreeing": 1 - 1 / 3}
    assert of(*ours, *theirs) == {"proposed": 0.0, "agreeing": 0.75}
    assert of(theirs[2]) == {"proposed": 1.0, "agreeing": 0.0}
