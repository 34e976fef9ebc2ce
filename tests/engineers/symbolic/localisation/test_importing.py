"""Faults that strike while a test file is imported."""

from karkhana.behaviour.spectra import Spectrum
from karkhana.engineers.symbolic.localisation.importing import at_import

MODULE = """\
class Rules:
    def add(self, word):
        self.words = word + 1


def make():
    rules = Rules()
    rules.add("x")
    return rules


RULES = make()
"""
TESTS = """\
import pytest
from lib.m import RULES


def test_rules():
    assert RULES


@pytest.mark.parametrize("n", [1])
def test_many(n):
    assert n


class TestMore:
    def test_inside(self):
        assert RULES
"""
MESSAGE = """\
tests/test_m.py:2: in <module>
    from lib.m import RULES
lib/m.py:12: in <module>
    RULES = make()
lib/m.py:8: in make
    rules.add("x")
/usr/lib/python3.11/elsewhere.py:3: in other
    pass
lib/m.py:3: in add
    self.words = word + 1
E   TypeError: can only concatenate str (not "int") to str
"""
FILES = {"lib/m.py": MODULE, "tests/test_m.py": TESTS}


def spectrum(message: str) -> Spectrum:
    return Spectrum(tests=(), coverage={}, functions={}, collect_errors=(("tests/test_m.py", message),))


def test_tests_of_the_text_fail_at_the_frames_of_the_import() -> None:
    found = at_import(spectrum(MESSAGE), FILES.get)
    assert found is not None
    assert [t.name for t in found.tests] == ["tests/test_m.py::test_rules", "tests/test_m.py::TestMore::test_inside"]
    assert found.failing == (0, 1)
    failure = found.tests[0].failure
    assert failure is not None
    assert (failure.type, failure.message) == ("TypeError", 'can only concatenate str (not "int") to str')
    assert [(f.line, f.function) for f in failure.frames] == [(12, "<module>"), (8, "make"), (3, "add")]
    assert [p.qualified for p in found.functions["lib/m.py"]] == ["make", "Rules.add"]
    assert found.covering("lib/m.py", 3, 3) == (0, 1)
    assert found.covering("lib/m.py", 12, 12) == ()


def test_without_a_function_in_the_traceback_there_is_nothing() -> None:
    message = "tests/test_m.py:2: in <module>\n    from lib.m import X\nE   ImportError: cannot import name 'X'\n"
    assert at_import(spectrum(message), FILES.get) is None
    assert at_import(spectrum(MESSAGE), {}.get) is None
