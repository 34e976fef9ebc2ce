"""The model of a request's wording: its file, its scores, and what it cannot know."""

from pathlib import Path

import msgspec
import pytest

from karkhana.domain.errors import ConfigurationError
from karkhana.routing.policy.shape import NAMES, kinds, shape
from karkhana.routing.policy.wording import LONGEST, WordingModel, bends, hashes, pairs, split
from karkhana.routing.policy.wording_corpus import Corpus
from karkhana.routing.policy.wording_training import FEWEST, fit

_FRUIT = ("apple", "pear", "plum", "cherry", "quince")
_PROOF = ("lemma", "theorem", "proof", "axiom", "corollary")


def _texts(count: int) -> list[str]:
    """By turns what the small model can, and what only the large one can."""
    return [
        f"Please tell me of the {kind[n % 5]} and the {kind[(n * 3 + 1) % 5]}, number {n}."
        for n in range(count // 2)
        for kind in (_FRUIT, _PROOF)
    ]


@pytest.fixture(scope="module")
def learnt() -> WordingModel:
    texts = _texts(120)
    outcomes = {n: {"p/small": n % 2 == 0, "p/large": True if n % 2 else n % 3 > 0} for n in range(80)}
    return fit(Corpus.of(texts), outcomes)


def test_what_it_learnt_holds_for_texts_it_never_saw(learnt: WordingModel) -> None:
    easy = learnt.scores("Say something of a plum and a pear.")
    hard = learnt.scores("Say something of a theorem and a lemma.")
    assert easy["p/small"] > 0.05
    assert hard["p/small"] < -0.05
    gain = hard["p/large"] - hard["p/small"]
    assert gain > easy["p/large"] - easy["p/small"] + 0.1


def test_a_score_is_that_of_the_model_and_nothing_for_another(learnt: WordingModel) -> None:
    text = "A quince."
    assert learnt.score(text, "p/small") == learnt.scores(text)["p/small"]
    assert learnt.score(text, "p/unknown") == 0.0


@pytest.mark.parametrize("text", ["", "\n", "ß" * 20_000, "9" * 50_000, "a " * 20_000, "\ud800 lone"])
def test_any_text_gets_a_score_within_bounds(learnt: WordingModel, text: str) -> None:
    assert all(-0.5 <= score <= 0.5 for score in learnt.scores(text).values())


def test_what_comes_after_the_longest_text_does_not_count(learnt: WordingModel) -> None:
    start = "plum " * (LONGEST // 5)
    assert learnt.scores(start) == learnt.scores(start + "theorem " * 50)


def test_the_file_gives_the_same_model_and_holds_no_word(learnt: WordingModel, tmp_path: Path) -> None:
    file = tmp_path / "wording.model"
    learnt.save(file)
    again = WordingModel.load(file)
    text = "A cherry is no axiom."
    assert again.models == ("p/large", "p/small")
    assert again.scores(text) == learnt.scores(text)
    assert not any(word.encode() in file.read_bytes() for word in (*_FRUIT, *_PROOF))


def test_a_file_that_is_none_is_refused(learnt: WordingModel, tmp_path: Path) -> None:
    file = tmp_path / "wording.model"
    with pytest.raises(ConfigurationError, match=r"wording\.model"):
        WordingModel.load(file)
    file.write_bytes(b"\x00 not a model")
    with pytest.raises(ConfigurationError, match=r"wording\.model"):
        WordingModel.load(file)
    cut = msgspec.structs.replace(learnt.parts, rarity=learnt.parts.rarity[:-4])
    file.write_bytes(msgspec.msgpack.encode(cut))
    with pytest.raises(ConfigurationError, match="another version"):
        WordingModel.load(file)


def test_a_model_with_few_outcomes_is_left_out() -> None:
    corpus = Corpus.of(_texts(60))
    few = {n: {"often": n % 2 == 0} | ({"rare": True} if n < FEWEST - 1 else {}) for n in range(60)}
    assert fit(corpus, few).models == ("often",)
    with pytest.raises(ValueError, match=str(FEWEST)):
        fit(corpus, {n: {"rare": True} for n in range(FEWEST - 1)})


def test_models_need_not_share_their_texts() -> None:
    outcomes = {n: {"a" if n % 3 else "b": n % 2 == 0} for n in range(120)}
    model = fit(Corpus.of(_texts(120)), outcomes)
    assert model.score("A plum.", "a") > model.score("A theorem.", "a")
    assert model.score("A plum.", "b") > model.score("A theorem.", "b")


def test_words_pairs_and_bends() -> None:
    assert split("It's 2 PLUMS_here!") == ["it's", "2", "plums", "here"]
    hashed = hashes(["a", "b", "a"])
    assert hashed[0] == hashed[2] != hashed[1]
    first, second = pairs(hashed)
    assert first != second
    assert bends([2.0, -9.0]) == [1.0, 2.0, -3.0, 4.0, -6.0, 9.0]


def test_a_shape_tells_options_figures_and_kinds_of_words() -> None:
    text = "Which is not even?\nA. 2\nB. 3\nC. 4\nD. all of the above"
    words = split(text)
    found = dict(zip(NAMES, shape(text, words, [1.0] * len(set(words)), rarest=9.0), strict=True))
    assert found["option_figures"] == 3.0
    assert found["which"] == found["asks"] == found["all_above"] == 1.0
    assert found["none_above"] == found["gap"] == found["fractions"] == 0.0
    assert found["negation"] > 0.6
    assert set(kinds().values()) == set(range(len(NAMES) - 7, len(NAMES)))
