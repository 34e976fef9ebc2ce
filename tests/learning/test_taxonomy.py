"""Causes are drawn from what people write, and every kind of sign has a weight."""

import pytest

from karkhana.domain.outcomes import SignKind
from karkhana.learning.outcomes.taxonomy import cause_of, taxonomy
from karkhana.quality.gates import GATES

LATER = {"openapi_contract", "migrations"}


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Revert: requests time out since then", "performance"),
        ("fix CVE-2026-1 in the parser", "security"),
        ("this broke the importer", "regression"),
        ("also handle the empty cart", "incomplete"),
        ("returns the wrong total", "wrong_behaviour"),
        ("value is hard-coded for the test", "overfit"),
        ("breaking for downstream callers", "compatibility"),
        ("", ""),
        ("Revert abc", ""),
    ],
)
def test_causes(text: str, cause: str) -> None:
    assert cause_of(text) == cause


def test_hostile_text_is_read_in_part_and_quickly() -> None:
    assert cause_of("x" * 5_000_000 + " slow") == ""


def test_what_ships_is_sound() -> None:
    assert set(taxonomy().signs) == set(SignKind)
    assert {gate for cause in taxonomy().causes.values() for gate in cause.gates} <= set(GATES) | LATER
    assert taxonomy().rules(2.0).window_s == 172_800.0
    assert "finding_dismissed" not in taxonomy().rules(2.0).weights
