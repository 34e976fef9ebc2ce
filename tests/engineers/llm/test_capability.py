"""Which models are weak."""

import pytest

from karkhana.engineers.llm.capability import billions, is_weak


@pytest.mark.parametrize(
    ("name", "context", "weak"),
    [
        ("qwen2.5-coder:1.5b", 32_768, True),
        ("Qwen2.5-Coder-7B-Instruct", 131_072, True),
        ("qwen3-coder-30b-a3b", 262_144, False),
        ("llama-3.3-70b-instruct", 131_072, False),
        ("phi-4-mini", 131_072, True),
        ("claude-sonnet-4-5", 200_000, False),
        ("gpt-5-mini", 400_000, False),
        ("something-new", 8_192, True),
        ("something-new", 65_536, False),
    ],
)
def test_size_family_and_context_tell(name: str, context: int, weak: bool) -> None:
    assert is_weak(name, context) is weak


def test_only_a_size_is_a_size() -> None:
    assert billions("gemma2:2b-instruct") == 2.0
    assert billions("gpt-4b2x") is None
    assert billions("qwen3-30b-a3b") == 30.0
    assert billions("b") is None
