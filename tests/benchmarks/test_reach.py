"""Whether a human fix is among the candidates; on texts made here."""

from benchmarks.reach import _places, _spectrum, first_right

from karkhana.engineers.symbolic.generation.hypotheses import (
    Hypothesis,
    Place,
    expected_errors,
    hypotheses,
    literals_of,
)

BEFORE = """KINDS = {'apple', 'melon', 'pear'}


def check(kind, size):
    if size is None:
        return None
    return kind in KINDS and size > 0
"""
REPORT = """t.py::test_none fails

t.py::test_none
>       with pytest.raises(TypeError):
E       Failed: DID NOT RAISE <class 'TypeError'>
t.py:3: Failed"""
TICKET = {"failing": ["t.py::test_none"], "report": REPORT}


def tried(names: list[str], told: str) -> tuple[tuple[Place, ...], list[Hypothesis]]:
    places = _places("shop.py", BEFORE, names, told, TICKET["failing"])
    expected = expected_errors(told)
    return places, hypotheses(places, _spectrum(TICKET), literals=literals_of(told), expected=expected, told=told)


def test_the_wording_of_an_exception_does_not_count() -> None:
    places, ideas = tried(["check"], "with pytest.raises(TypeError): check('apple', None)")
    number = first_right(BEFORE.replace("return None", "raise TypeError('no size')"), places, ideas)
    assert number is not None
    assert ideas[number].suspect == 0


def test_what_an_exception_is_given_besides_counts() -> None:
    places, ideas = tried(["check"], "with pytest.raises(TypeError): check('apple', None)")
    assert first_right(BEFORE.replace("return None", "raise TypeError('no size', len(kind))"), places, ideas) is None


def test_constants_are_places_when_the_fix_changes_them() -> None:
    places, ideas = tried([""], "There is no 'lemon'")
    number = first_right(BEFORE.replace("'melon'", "'lemon', 'melon'"), places, ideas)
    assert number is not None
    assert ideas[number].fresh


def test_documentation_does_not_count() -> None:
    places, ideas = tried(["check"], "")
    after = BEFORE.replace("size > 0", "size >= 0").replace("    if size", '    """Whether it sells."""\n    if size')
    number = first_right(after, places, ideas)
    assert number is not None
    assert ideas[number].kind == "comparison-operator"


def test_the_failure_is_read_from_the_report() -> None:
    report = "t.py::test_a fails\n\nt.py::test_a\n>       f()\nE       KeyError: 'x'\nshop.py:3: KeyError"
    (run,) = _spectrum({"failing": ["t.py::test_a"], "report": report}).tests
    assert run.failure is not None
    assert (run.failure.type, run.failure.message) == ("KeyError", "'x'")
