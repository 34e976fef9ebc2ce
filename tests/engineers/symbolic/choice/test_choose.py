"""The choice among passing candidates."""

import subprocess
from pathlib import Path

import pytest

from karkhana.behaviour.observation import UNKNOWN, Observations
from karkhana.behaviour.spectra import FunctionPlace
from karkhana.behaviour.validation import Edit, apply
from karkhana.engineers.symbolic.choice.appearance import Ranked, rank_by_text
from karkhana.engineers.symbolic.choice.choose import Choice, choose, group
from karkhana.engineers.symbolic.circumstances import Circumstances
from karkhana.engineers.symbolic.generation.hypotheses import (
    Hypothesis,
    Place,
    expected_errors,
    literals_of,
)
from karkhana.engineers.symbolic.localisation.localise import Suspect
from karkhana.engineers.symbolic.patching import changed_lines, patch, replacement

TEXT = "def f(a, b):\n    if a < b:\n        return a\n    return b\n"


def place(text: str = TEXT) -> Place:
    where = FunctionPlace(name="f", top=1, start=1, end=text.count("\n"))
    suspect = Suspect(path="m.py", place=where, score=1.0, lines={2: 1.0}, failing=(0,), passing=())
    return Place(suspect=suspect, text=text, file_text=text)


def candidate(old: str, new: str, *, score: float = 0.5, kind: str = "variable") -> Hypothesis:
    at = TEXT.index(old)
    return Hypothesis(suspect=0, kind=kind, line=2, edits=(Edit(at, at + len(old), new),), score=score)


def ranked_by_text(*candidates: Hypothesis, literals: tuple[str, ...] = ()) -> list[Ranked]:
    return rank_by_text((place(),), candidates, Circumstances(literals=literals, test_literals=literals))


def first(*candidates: Hypothesis, literals: tuple[str, ...] = ()) -> str:
    return ranked_by_text(*candidates, literals=literals)[0].hypothesis.edits[0].text


def chosen(ranked: list[Ranked], observations: Observations | None, *, raised: bool) -> Choice:
    return choose(group(ranked, observations, raised=raised), observations)


def test_literals_of_the_test_are_suspect() -> None:
    assert first(candidate("a < b", "a < 1234"), candidate("a < b", "a <= b"), literals=("1234",)) == "a <= b"


def test_self_comparison_and_constant_conditions_are_suspect() -> None:
    assert first(candidate("a < b", "a < a"), candidate("a < b", "b < a", score=0.2)) == "b < a"
    assert first(candidate("a < b", "True"), candidate("a < b", "b < a", score=0.2)) == "b < a"


def test_comparison_with_a_longer_name_is_no_self_comparison() -> None:
    ranked = ranked_by_text(candidate("a < b", "a < a.b"))
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
    ranked = ranked_by_text(candidate("a < b", "a > b", score=0.9), candidate("a < b", "a <= b", score=0.05))
    observations = seen(("=1", "=2", "=9", "=5"), ("=1", "=2", "=0", "=5"), original=("!KeyError", "=2", "=0", "=5"))
    choice = chosen(ranked, observations, raised=True)
    assert choice.ranked[0].hypothesis.edits[0].text == "a <= b"
    assert choice.classes == 2
    assert 0.0 < choice.disagreement < 1.0
    assert "for 0, 0: " in choice.distinguishing
    assert choice.question.endswith("?")


def test_new_exceptions_and_broken_examples_lose() -> None:
    ranked = ranked_by_text(candidate("a < b", "a > b"), candidate("a < b", "a <= b", score=0.4))
    observations = seen(("=1", "=2", "!KeyError", "~"), ("=1", "=2", "=3", "=4"), original=("=0", "=2", "=1", "=2"))
    assert chosen(ranked, observations, raised=False).ranked[0].hypothesis.edits[0].text == "a <= b"
    same = ("=1", "=2", "=3", "=4")
    other = ("=1", "=2", "=3", "=5")
    observations = seen(same, other, original=("=0", "=2", "=1", "=2"), examples=((False,), (True,)))
    choice = chosen(ranked, observations, raised=False)
    assert choice.ranked[0].hypothesis.edits[0].text == "a <= b"
    assert choice.ranked[1].reasons == ("1 example(s) of the documentation or the ticket are not kept",)


def test_answers_of_the_usual_type_win() -> None:
    ranked = ranked_by_text(candidate("a < b", "a > b", score=0.9), candidate("a < b", "a <= b", score=0.4))
    observations = seen(
        ("=False", "=2.5", "=0.5", "=5.5"), ("=0.0", "=2.5", "=0.5", "=5.5"), original=("!E", "=2.5", "=0.5", "=5.5")
    )
    choice = chosen(ranked, observations, raised=True)
    assert choice.ranked[0].hypothesis.edits[0].text == "a <= b"
    assert "of a type that no other answer has" in choice.ranked[1].reasons[-1]


def test_equal_behaviour_means_no_disagreement() -> None:
    ranked = ranked_by_text(candidate("a < b", "a > b"), candidate("a < b", "a >= b"))
    same = ("=1", "=2", "=3", "=4")
    choice = chosen(ranked, seen(same, same, original=("=0", "=2", "=1", "=2")), raised=False)
    assert choice.classes == 1
    assert choice.disagreement == 0.0
    assert choice.question == ""


def test_without_observations_several_candidates_are_doubtful() -> None:
    ranked = ranked_by_text(candidate("a < b", "a > b"), candidate("a < b", "a >= b"))
    assert chosen(ranked, None, raised=False).disagreement > 0.0
    assert chosen(ranked[:1], None, raised=False).disagreement == 0.0


def test_words_of_tests() -> None:
    assert literals_of("assert f(-2) == 'x' and g(1.5)") == ("-2", "'x'", "1.5")
    assert expected_errors("with self.assertRaises(KeyError): pytest.raises(ValueError)") == ("KeyError", "ValueError")


def test_replacement_is_unique_in_the_file() -> None:
    file_text = "def g(a, b):\n    if a < b:\n        return a\n    return b\n\n\n" + TEXT
    at = TEXT.index("a < b")
    old, new = replacement(file_text, 7, TEXT, [Edit(at, at + 5, "a <= b")])
    assert file_text.count(old) == 1
    assert file_text.replace(old, new) == file_text[:58] + TEXT.replace("a < b", "a <= b") or (
        file_text.replace(old, new).endswith(TEXT.replace("a < b", "a <= b"))
    )
    assert changed_lines(TEXT, [Edit(at, at + 5, "a <= b")]) == (["    if a < b:\n"], ["    if a <= b:\n"])


def test_candidates_that_could_not_be_observed_stand_alone() -> None:
    ranked = ranked_by_text(candidate("a < b", "a > b"), candidate("a < b", "a >= b"), candidate("a < b", "b < a"))
    same = ("=1", "=2", "=3", "=4")
    observations = seen(same, (UNKNOWN,) * 4, same, original=("=0", "=2", "=1", "=2"))
    choice = chosen(ranked, observations, raised=False)
    assert sorted(len(g.members) for g in choice.groups) == [1, 2]
    assert [g.number for g in choice.groups if len(g.members) == 1] == [None]
    assert 0.0 < choice.disagreement <= 0.3


def test_the_best_of_each_class_come_before_its_company() -> None:
    ranked = ranked_by_text(candidate("a < b", "a > b"), candidate("a < b", "a >= b"), candidate("a < b", "b != a"))
    same = ("=1", "=2", "=3", "=4")
    observations = seen(same, same, ("=1", "=2", "=3", "=5"), original=("=0", "=2", "=1", "=2"))
    choice = chosen(ranked, observations, raised=False)
    assert choice.ranked[:2] == tuple(g.best for g in choice.groups)
    assert len(choice.ranked) == 3


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("a == 'oxen'", "special case"),
        ("a < c", "`c` is defined nowhere"),
        ("a < a", "compares something with itself"),
        ("True", "constant"),
    ],
)
def test_nonsense_is_refused(new: str, reason: str) -> None:
    ranked = ranked_by_text(candidate("a < b", new), literals=("'oxen'",))
    assert ranked[0].absurd
    assert reason in ranked[0].reasons[0]


def test_removing_nothing_is_no_deletion() -> None:
    (swapped,) = ranked_by_text(candidate("a < b", "b < a"))
    assert swapped.reasons == ()
    (deleted,) = ranked_by_text(candidate("        return a\n", ""))
    assert "it only deletes" in deleted.reasons


@pytest.mark.parametrize("ending", ["\n", ""])
def test_a_patch_applies(tmp_path: Path, ending: str) -> None:
    before = "x = 1\n" * 9 + TEXT.rstrip("\n") + ending
    at = before.index("return b")
    after = apply(before, [Edit(at, at + 8, "return a")])
    (tmp_path / "m.py").write_text(before)
    subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path, input=patch("m.py", before, after), text=True, check=True, timeout=20
    )
    assert (tmp_path / "m.py").read_text() == after


@pytest.mark.parametrize(
    ("clause", "failed", "swallowed"),
    [
        ("except KeyError:", {"KeyError", "LookupError"}, True),
        ("except (ValueError, LookupError):", {"KeyError", "LookupError"}, True),
        ("except Exception:", {"KeyError"}, True),
        ("except:", {"KeyError"}, True),
        ("except ValueError:", {"KeyError"}, False),
        ("except KeyError:", set(), False),
    ],
)
def test_catching_what_the_test_fails_with_is_doubted(clause: str, failed: set[str], swallowed: bool) -> None:
    new = f"try:\n            return a\n        {clause}\n            return b"
    known = Circumstances(failed_with=frozenset(failed))
    (found,) = rank_by_text((place(),), [candidate("return a", new)], known)
    assert ("it swallows the very error that the test ends with" in found.reasons) is swallowed
