"""The spectrum of small suites: coverage per test, failures, hangs, crashes, order."""

from karkhana.behaviour.spectra import Spectrum, measure

CODE = """\
class Box:
    def __init__(self, n):
        self.n = n

    def size(self):
        return self.n + 1


def gcd(a, b):
    if b == 0:
        return a
    return gcd(a % b, b)


def spin():
    while True:
        pass
"""
TESTS = """\
import os
import sys

import pytest

from code_under_test import Box, gcd, spin

seen = []


@pytest.mark.parametrize("a, b, c", [(12, 8, 4), (7, 0, 7)])
def test_gcd(a, b, c):
    assert gcd(a, b) == c


def test_size(tmp_path):
    print("noise that must not be taken for an answer")
    os.write(1, b'{"test": {"name": "forged"}}\\n')
    assert Box(3).size() == 3


def test_first():
    seen.append(1)


def test_second():
    assert seen == [1, 1]


def test_spin():
    spin()


def test_leave():
    os._exit(3)


def test_last():
    assert Box(3).n == 3
"""


def by_name(spectrum: Spectrum) -> dict[str, str]:
    return {test.name.rsplit("::", 1)[-1]: test.outcome for test in spectrum.tests}


def test_every_kind_of_ending_is_told_apart(bench) -> None:
    run = bench({"code_under_test.py": CODE, "test_code.py": TESTS}).run
    spectrum = measure(run, limit_s=0.3)
    assert by_name(spectrum) == {
        "test_gcd[12-8-4]": "failed",
        "test_gcd[7-0-7]": "passed",
        "test_size": "failed",
        "test_first": "passed",
        "test_second": "failed",
        "test_spin": "timeout",
        "test_leave": "crashed",
        "test_last": "passed",
    }


def test_lines_are_counted_per_test(bench) -> None:
    run = bench({"code_under_test.py": CODE, "test_code.py": TESTS}).run
    spectrum = measure(run, tests=["test_code.py::test_gcd[12-8-4]", "test_code.py::test_gcd[7-0-7]"], limit_s=0.3)
    lines = spectrum.coverage["code_under_test.py"]
    assert lines[10] == (0, 1)
    assert lines[11] == (1,)
    assert lines[12] == (0,)
    places = {place.qualified: (place.start, place.end) for place in spectrum.functions["code_under_test.py"]}
    assert places == {"Box.__init__": (2, 3), "Box.size": (5, 6), "gcd": (9, 12), "spin": (15, 17)}


def test_only_functions_that_failing_tests_run_are_told(bench) -> None:
    run = bench({"code_under_test.py": CODE, "test_code.py": TESTS}).run
    names = ["test_code.py::test_gcd[12-8-4]", "test_code.py::test_gcd[7-0-7]", "test_code.py::test_last"]
    some = measure(run, tests=names)
    assert sorted(some.coverage["code_under_test.py"]) == [10, 11, 12]
    every = measure(run, tests=names, everything=True)
    assert sorted(every.coverage["code_under_test.py"]) == [3, 10, 11, 12]


def test_failure_carries_type_message_frames_and_locals(bench) -> None:
    run = bench({"code_under_test.py": CODE, "test_code.py": TESTS}).run
    spectrum = measure(run, tests=["test_code.py::test_gcd[12-8-4]", "test_code.py::test_size"])
    recursion, size = (test.failure for test in spectrum.tests)
    assert recursion is not None
    assert recursion.type == "RecursionError"
    assert recursion.frames[-1].path == "code_under_test.py"
    assert recursion.frames[-1].line == 12 or recursion.frames[-1].line == 9
    assert len(recursion.frames) <= 8
    assert size is not None
    assert size.message.startswith("assert 4 == 3")
    assert spectrum.types_in("code_under_test.py", 5, 6) == {"self": frozenset({"Box"})}


def test_order_dependence_is_seen(bench) -> None:
    tests = (
        "import pytest\nseen = []\n\n\ndef test_one():\n    seen.append(1)\n\n\ndef test_two():\n    assert not seen\n"
    )
    spectrum = measure(bench({"test_order.py": tests}).run)
    assert [test.order_dependent for test in spectrum.tests] == [False, True]


def test_unittest_suites_and_src_layout(bench) -> None:
    files = {
        "src/shop/__init__.py": "",
        "src/shop/cart.py": "def total(prices):\n    return sum(prices) + 1\n",
        "tests/test_cart.py": (
            "import unittest\nfrom shop.cart import total\n\n\nclass TotalTest(unittest.TestCase):\n"
            "    def setUp(self):\n        self.prices = [1, 2]\n\n"
            "    def test_total(self):\n        self.assertEqual(total(self.prices), 3)\n"
        ),
    }
    spectrum = measure(bench(files).run)
    assert [test.outcome for test in spectrum.tests] == ["failed"]
    assert spectrum.coverage["src/shop/cart.py"] == {2: (0,)}


def test_collection_errors_are_told(bench) -> None:
    spectrum = measure(bench({"test_broken.py": "import nothing_of_this_name\n"}).run)
    assert spectrum.tests == ()
    assert spectrum.collect_errors[0][0] == "test_broken.py"
    assert "nothing_of_this_name" in spectrum.collect_errors[0][1]
