"""Each candidate in one sentence."""

import pytest

from karkhana.routing.policy.cascade import Offer, Stakes
from karkhana.routing.policy.choosing import Choice
from karkhana.routing.policy.explaining import dollars, explained, sentence
from karkhana.routing.policy.posteriors import Beta

STAKES = Stakes(0.05)


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (Offer("symbolic", Beta(1, 3)), "passes with 0.25 (no outcome yet), costs nothing: asking it is worth $0.013"),
        (
            Offer("p/m", Beta(1, 1), 0.1, cost=0.01, switch=0.002, wait=0.001, verify=0.003, outcomes=1, seconds=1.0),
            "passes with 0.60 (0 of 1 did, +0.10 of it for the wording), costs about $0.010 and $0.0020 for the prompt "
            "cache that is lost, checking it $0.0030, takes 1.0 s ($0.0010): asking it is worth $0.014",
        ),
        (
            Offer("p/m", Beta(1, 9), cost=0.02, priced=False),
            "passes with 0.10 (no outcome yet), its price is unknown, taken as $0.020: asking it would lose $0.015",
        ),
    ],
)
def test_a_sentence_tells_everything_that_counts(offer: Offer, words: str) -> None:
    assert sentence(offer, STAKES) == words


def test_all_are_told_also_those_that_stand_by_or_are_left_out() -> None:
    choice = Choice(
        offers=(Offer("p/a", Beta(3, 1)), Offer("p/b", Beta(1, 9), cost=0.02)),
        spare=1,
        left_out=(("p/c", "lacks tools"),),
        stakes=STAKES,
        stays=True,
    )
    told = explained(choice)
    assert [rung for rung, _ in told] == ["p/a", "p/b", "p/c"]
    assert told[0][1].endswith("; the session stays here for its prompt cache")
    assert told[1][1].endswith("; so it only stands by for when the others are out of order")
    assert told[2][1] == "left out: lacks tools"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0.5, "$0.50"), (1.26, "$1.3"), (99.5, "$100"), (0.00999, "$0.0100"), (0.0000099, "$0.0000099")],
)
def test_amounts_are_shown_with_digits_that_say_something(amount: float, shown: str) -> None:
    assert dollars(amount) == shown
