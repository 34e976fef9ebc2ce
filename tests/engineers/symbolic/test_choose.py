"""The choice among passing candidates."""

from karkhana.behaviour.observation import Observations
from karkhana.behaviour.spectra import FunctionPlace
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.choose import choose, rank_by_text
from karkhana.engineers.symbolic.hypotheses import Hypothesis, Place, examples_of, expected_errors, literals_of
from karkhana.engineers.symbolic.localise import Suspect
from karkhana.engineers.symbolic.patching import changed_lines, replacement

TEXT = "def f(a, b):\n    if a < b:\n        return a\n    return b\n"


def place(text: str = TEXT) -> Place:
    where = FunctionPlace(name="f", top=1, start=1, end=text.count("\n"))
    suspect = Suspect(path="m.py", place=where, score=1.0, lines={2: 1.0}, failing=(0,), passing=())
    return Place(suspect=suspect, text=text, file_text=text)


def candidate(old: str, new: str, *, score: float = 0.5, kind: str = "variable") -> Hypothesis:
    at = TEXT.index(old)
    return Hypothesis(suspect=0, kind=kind, line=2, edits=(Edit(at, at + len(old), new),), score=score)


def first(*candidates: Hypothesis, literals: tuple[str, ...] = ()) -> str:
    return rank_by_text((place(),), candidates, literals)[0].hypothesis.edits[0].text


def test_literals_of_the_test_are_suspect() -> None:
    assert first(candidate("a < b", "a < 1234"), candidate("a < b", "a <= b"), literals=("1234",)) == "a <= b"


def test_self_comparison_and_constant_conditions_are_suspect() -> None:
    assert first(candidate("a < b", "a < a"), candidate("a < b", "b < a", score=0.2)) == "b < a"
    assert first(candidate("a < b", "True"), candidate("a < b", "b < a", score=0.2)) == "b < a"


def test_comparison_with_a_longer_name_is_no_self_comparison() -> None:
    ranked = rank_by_text((place(),), [candidate("a < b", "a < a.b")], ())
    assert ranked[0].reasons == ()


def test_deletions_and_calculations_with_nothing_lose() -> None:
    assert first(candidate("        return a\n", ""), candidate("return a", "return b", score=0.3)) == "return b"
    assert first(candidate("return a", "return 0 + b"), candidate("return a", "return b", score=0.3)) == "return b"


def seen(
    *variants: tuple[str, ...], original: tuple[str, ...], examples: tuple[tuple[bool, ...], ...] = ()
) -> Observations:
    return Observations(
        inputs=(("failing", "1, 2"), ("passing", "2, 1"), ("near-failing", "0, 0"), ("near-passing", "5, 5")),
        original=original,
        variants=variants,
        examples=examples or tuple(() for _ in variants),
    )


def test_the_one_that_leaves_other_answers_alone_wins_after_an_exception() -> None:
    ranked = rank_by_text(
        (place(),), [candidate("a < b", "a > b", score=0.9), candidate("a < b", "a <= b", score=0.05)], ()
    )
    observations = seen(("=1", "=2", "=9", "=5"), ("=1", "=2", "=0", "=5"), original=("!KeyError", "=2", "=0", "=5"))
    choice = choose(ranked, observations, raised=True)
    assert choice.ranked[0].hypothesis.edits[0].text == "a <= b"
    assert choice.classes == 2
    assert 0.0 < choice.disagreement < 1.0
    assert "(0, 0)" in choice.distinguishing
    assert choice.question.endswith("?")


def test_new_exceptions_and_broken_examples_lose() -> None:
    ranked = rank_by_text((place(),), [candidate("a < b", "a > b"), candidate("a < b", "a <= b", score=0.4)], ())
    observations = seen(("=1", "=2", "!KeyError", "~"), ("=1", "=2", "=3", "=4"), original=("=0", "=2", "=1", "=2"))
    assert choose(ranked, observations, raised=False).ranked[0].hypothesis.edits[0].text == "a <= b"
    same = ("=1", "=2", "=3", "=4")
    other = ("=1", "=2", "=3", "=5")
    observations = seen(same, other, original=("=0", "=2", "=1", "=2"), examples=((False,), (True,)))
    choice = choose(ranked, observations, raised=False)
    assert choice.ranked[0].hypothesis.edits[0].text == "a <= b"
    assert choice.ranked[1].reasons == ("1 example(s) of the documentation are not kept",)


def test_equal_behaviour_means_no_disagreement() -> None:
    ranked = rank_by_text((place(),), [candidate("a < b", "a > b"), candidate("a < b", "a >= b")], ())
    same = ("=1", "=2", "=3", "=4")
    choice = choose(ranked, seen(same, same, original=("=0", "=2", "=1", "=2")), raised=False)
    assert choice.classes == 1
    assert choice.disagreement == 0.0
    assert choice.question == ""


def test_without_observations_several_candidates_are_doubtful() -> None:
    ranked = rank_by_text((place(),), [candidate("a < b", "a > b"), candidate("a < b", "a >= b")], ())
    assert choose(ranked, None, raised=False).disagreement > 0.0
    assert choose(ranked[:1], None, raised=False).disagreement == 0.0


def test_words_of_tests_and_documentation() -> None:
    assert literals_of("assert f(-2) == 'x' and g(1.5)") == ("-2", "'x'", "1.5")
    assert expected_errors("with self.assertRaises(KeyError): pytest.raises(ValueError)") == ("KeyError", "ValueError")
    documented = place(TEXT + '\n"""\n>>> f(1, 2)\n1\n>>> g(1)\n2\n"""\n')
    assert examples_of(documented) == (("f(1, 2)", "1"),)


def test_replacement_is_unique_in_the_file() -> None:
    file_text = "def g(a, b):\n    if a < b:\n        return a\n    return b\n\n\n" + TEXT
    at = TEXT.index("a < b")
    old, new = replacement(file_text, 7, TEXT, [Edit(at, at + 5, "a <= b")])
    assert file_text.count(old) == 1
    assert file_text.replace(old, new) == file_text[:58] + TEXT.replace("a < b", "a <= b") or (
        file_text.replace(old, new).endswith(TEXT.replace("a < b", "a <= b"))
    )
    assert changed_lines(TEXT, [Edit(at, at + 5, "a <= b")]) == (["    if a < b:\n"], ["    if a <= b:\n"])
