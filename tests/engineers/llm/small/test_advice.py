"""What a small model is told of a strategy."""

from karkhana.engineers.llm.small.advice import LONGEST, short_advice
from karkhana.learning.failure_patterns import patterns


def test_sentences_about_tools_are_left_out() -> None:
    text = "Before you call push_changes, run the tests. Mend first what passed before.\nUse write_file."
    assert short_advice(text) == "Mend first what passed before."


def test_it_ends_with_a_whole_sentence() -> None:
    text = " ".join(f"Look at case number {number} once more." for number in range(40))
    short = short_advice(text)
    assert LONGEST - 40 < len(short) <= LONGEST
    assert short.endswith("once more.")
    assert short_advice("x" * (LONGEST + 1)) == ""


def test_of_every_remedy_only_what_helps_without_tools_is_kept() -> None:
    for pattern in patterns():
        assert "push_changes" not in short_advice(pattern.text)
