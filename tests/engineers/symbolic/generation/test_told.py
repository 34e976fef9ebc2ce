"""What the ticket's words are taken for."""

from karkhana.engineers.symbolic.generation.told import Told


def test_words_take_the_form_of_their_neighbours() -> None:
    told = Told("Support 'offset' in queries\n\ndef test_offset(): ...")
    assert told.words_like(("LIMIT", "WHERE"))[0][0] == "OFFSET"
    assert told.words_like((".limit", ".where"))[0][0] == ".offset"
    assert told.words_like(("limit", "offset"))[0][0] != "offset"


def test_a_word_of_prose_counts_less_than_one_that_is_quoted() -> None:
    weights = dict(Told("The value 'on' should switch").words_like(("yes", "no", "off")))
    assert weights["on"] == 1.0
    assert weights["switch"] < 0.5


def test_neighbours_that_are_no_words_have_no_likeness() -> None:
    assert Told("a word").words_like(("%s: %d", "1 + 1", "a.b/c")) == []
    assert Told("a word").words_like(()) == []


def test_a_pattern_is_relevant_when_the_tests_have_the_signs_that_only_it_has() -> None:
    patterns = (r"(\[[^\]]+\])", r"\d+", r"'[a-z]+'")
    relevance = Told('parse("[ab]")').relevance(patterns)
    assert max(patterns, key=lambda p: relevance[p]) == patterns[0]
    assert relevance[r"\d+"] < relevance[patterns[0]]
