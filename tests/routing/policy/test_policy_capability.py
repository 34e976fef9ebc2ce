"""Nobody who lacks something is asked, and nobody is left out who lacks nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.configuration import Candidate
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.policy.capability import UNLIMITED, Ability, Needs, lacks
from karkhana.routing.policy.choosing import Ask, capable

LABELS = st.frozensets(st.sampled_from(["eu", "us", "zdr"]))
NEEDS = st.builds(
    Needs, st.integers(0, 9000), st.integers(0, 9000), st.booleans(), st.booleans(), st.booleans(), LABELS
)
ABILITIES = st.builds(Ability, st.none() | st.integers(1, 20_000), st.booleans(), st.booleans(), st.booleans(), LABELS)


def can(needs: Needs, ability: Ability) -> bool:
    """The definition, said in another way."""
    flags = all(not needed or has for needed, has in zip(needs[2:5], ability[1:4], strict=True))
    room = ability.context is None or needs.prompt + needs.answer <= ability.context
    return flags and room and needs.residency <= ability.residency


@given(NEEDS, st.lists(ABILITIES, min_size=1, max_size=5), st.frozensets(st.integers(0, 4)))
def test_the_filter_lets_exactly_those_through_who_can(
    needs: Needs, all_abilities: list[Ability], tried: frozenset[int]
) -> None:
    candidates = tuple(Candidate("p", str(number)) for number in range(len(all_abilities)))
    ability = dict(zip(candidates, all_abilities, strict=True))
    able = [each for each in candidates if can(needs, ability[each])]
    fresh = [each for each in able if int(each.model) not in tried]
    ask = Ask("m", candidates, needs, tried=frozenset(f"p/{number}" for number in tried))
    if not able:
        with pytest.raises(ProviderFault, match="no candidate of 'm' can answer this: p/0 lacks "):
            capable(ask, ability.__getitem__)
        return
    kept, left_out = capable(ask, ability.__getitem__)
    assert kept == (fresh or able)
    # everybody is accounted for
    assert sorted([*map(str, kept), *(name for name, _ in left_out)]) == sorted(map(str, candidates))


def test_what_is_unknown_is_no_restriction_but_residency_is() -> None:
    needs = Needs(10**9, 10**9, True, True, True)
    assert lacks(needs, UNLIMITED) == []
    assert lacks(needs._replace(residency=frozenset({"eu", "zdr"})), UNLIMITED) == ["the residency eu, zdr"]


def test_a_prompt_that_fits_nowhere_is_too_long_and_all_else_is_invalid() -> None:
    small, plain = Candidate("p", "small"), Candidate("p", "plain")
    ability = {small: Ability(context=100), plain: Ability(tools=False)}

    def refusal(candidates: tuple[Candidate, ...], needs: Needs) -> ProviderFault:
        with pytest.raises(ProviderFault) as raised:
            capable(Ask("m", candidates, needs), ability.__getitem__)
        return raised.value

    long = refusal((small, small), Needs(prompt=90, answer=11))
    assert (long.fault, long.message.count("a context of 101 tokens (it has 100)")) == (Fault.TOO_LONG, 1)
    both = refusal((small, plain), Needs(prompt=200, tools=True))
    assert both.fault is Fault.INVALID
    assert both.message.endswith("p/small lacks a context of 200 tokens (it has 100); p/plain lacks tools")
