import pytest

from karkhana.routing.wires.openai_models import marks_cache, reasons


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4.1", (False, False)),
        ("gpt-4o-mini", (False, False)),
        ("o4-mini", (True, False)),
        ("openai/o3", (True, False)),
        ("gpt-5", (True, False)),
        ("gpt-5.1-codex", (True, False)),
        ("gpt-5.6-sol", (True, True)),
        ("openai/gpt-6-astra", (True, True)),
        ("gpt-oss-120b", (False, False)),
        ("qwen2.5-coder", (False, False)),
        ("proto1-o3", (False, False)),
    ],
)
def test_names_tell_the_generation(model: str, expected: tuple[bool, bool]) -> None:
    assert (reasons(model), marks_cache(model)) == expected
