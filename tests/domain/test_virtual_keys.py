"""What a virtual key allows, and which ones make no sense."""

import pytest

from karkhana.domain.virtual_keys import VirtualKey


def key(**fields) -> VirtualKey:
    return VirtualKey(**{"key_id": "a", "prefix": "kk_AbCd", "name": "n", **fields})


@pytest.mark.parametrize(
    ("models", "model", "allowed"),
    [
        ((), "anything", True),
        (("gpt-*",), "gpt-5-mini", True),
        (("gpt-*",), "claude-opus", False),
        (("gpt-*",), "GPT-5", False),
        (("gpt-*", "claude-?"), "claude-5", True),
        (("gpt-*", "claude-?"), "claude-55", False),
        (("gpt-[45]",), "gpt-6", False),
    ],
)
def test_models_are_allowed_by_patterns(models, model: str, allowed: bool) -> None:
    assert key(models=models).allows(model) is allowed


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 201},
        {"team": "a\0"},
        {"key_id": "ü"},
        {"requests_per_minute": 0},
        {"tokens_per_minute": -5},
        {"models": ("",)},
        {"models": ("a\0b",)},
    ],
)
def test_keys_that_make_no_sense_are_refused(fields) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        key(**fields)
