"""Ranks of faulty functions under given weights, and their summary."""

from benchmarks.localise import rank_of, sources_of, summary, suspicion

from karkhana.behaviour.spectra import Failure, FunctionPlace, Spectrum, TestRun

TABLE = [
    ("a.py::f", {"ochiai": 1.0, "words": 0.0}),
    ("a.py::g", {"ochiai": 1.0, "words": 0.5}),
    ("a.py::h", {"ochiai": 0.5}),
]
TEXT = "def f():\n    return 1\n\n\ndef g():\n    return f()\n"
TESTS = "from a import g\n\n\ndef test_g():\n    assert g() == 2\n"
SPECTRUM = Spectrum(
    tests=(
        TestRun(name="test_a.py::test_g[1]", outcome="failed", seconds=0.0, failure=Failure(type="AssertionError")),
    ),
    coverage={"a.py": {2: (0,), 6: (0,)}},
    functions={
        "a.py": (FunctionPlace(name="f", top=1, start=1, end=2), FunctionPlace(name="g", top=5, start=5, end=6)),
        "test_a.py": (FunctionPlace(name="test_g", top=4, start=4, end=5),),
    },
)


def test_ties_count_against_the_rank() -> None:
    assert rank_of(TABLE, ["a.py::f"], {"ochiai": 1.0}) == 2
    assert rank_of(TABLE, ["a.py::g"], {"ochiai": 1.0, "words": 0.1}) == 1
    assert rank_of(TABLE, ["a.py::h", "a.py::f"], {"ochiai": 1.0, "words": 0.1}) == 2
    assert rank_of(TABLE, ["a.py::"], {"ochiai": 1.0}) is None


def test_summary_counts_what_was_not_found() -> None:
    assert summary([1, 2, None, 11]) == {"top_1": 1, "top_3": 2, "top_10": 2, "mean_reciprocal_rank": 0.398}


def test_suspicion_names_functions_as_tickets_do() -> None:
    files = {"a.py": TEXT.encode(), "test_a.py": TESTS.encode()}
    table = suspicion(SPECTRUM, "g() gives 1", files, {"a.py": {6: 0}})
    assert [name for name, _ in table] == ["a.py::g", "a.py::f"]
    values = table[0][1]
    assert (values["called"], values["named"], values["recency"]) == (1.0, 1.0, 1.0)


def test_sources_of_parametrised_tests() -> None:
    texts = {"test_a.py": TESTS}
    assert sources_of(SPECTRUM, ["test_a.py::test_g[1]", "test_a.py::test_g[2]"], texts.get) == (
        "def test_g():\n    assert g() == 2\n"
    )
    assert not sources_of(SPECTRUM, ["test_b.py::test_x"], texts.get)
