import pytest

from karkhana.routing.wires.effort import TOKENS, effort_of, tokens_of, word_of


@pytest.mark.parametrize("word", ["none", "low", "medium", "high"])
def test_words_and_tokens_agree(word: str) -> None:
    assert effort_of(tokens_of(word)) == word


def test_more_is_never_less() -> None:
    assert list(TOKENS.values()) == sorted(TOKENS.values())
    words = [effort_of(tokens) for tokens in range(0, 40_000, 500)]
    assert [word for word, before in zip(words, [None, *words], strict=False) if word != before] == [
        *("none", "low", "medium", "high")
    ]


def test_the_word_for_a_request() -> None:
    assert word_of("", None) == word_of("auto", 5000) == ""
    assert word_of("", 5000) == "medium"
    assert word_of("low", 50_000) == "low"
    assert tokens_of("auto") is None
