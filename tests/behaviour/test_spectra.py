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


SHOP = """\
def price(item, table):
    cost = table[item]
    note = "cheap" if cost < 5 else "dear"
    return cost


def discount(total):
    if total > 10:
        return total * 2
    return total


def checkout(items, table):
    count = 0
    total = 0
    for item in items:
        total += price(item, table)
        count += 1
    unused = count * 7
    total = discount(total)
    return total
"""


def test_statements_that_had_a_part_in_the_wrong_value(bench) -> None:
    tests = (
        "from m import checkout\n\n\ndef test_dear():\n    assert checkout(['a', 'a'], {'a': 8}) == 8\n\n\n"
        "def test_cheap():\n    assert checkout(['a'], {'a': 1}) == 1\n"
    )
    spectrum = measure(bench({"m.py": SHOP, "test_m.py": tests}).run)
    weights = spectrum.influence["m.py"]
    lines = SHOP.splitlines()

    def weight(text: str) -> float:
        return weights.get(next(n for n, line in enumerate(lines, 1) if text in line), 0.0)

    assert weight("return total * 2") >= weight("total += price") > weight("return cost") > 0
    assert weight("if total > 10") > 0
    assert weight("cost = table[item]") > 0
    for irrelevant in ("note =", "count += 1", "unused ="):
        assert weight(irrelevant) == 0.0
    start = next(n for n, line in enumerate(lines, 1) if "if total > 10" in line)
    assert spectrum.arcs["m.py"][start, start + 1] == (0,)
    assert spectrum.arcs["m.py"][start, start + 2] == (1,)


def test_what_a_method_did_to_its_object_counts(bench) -> None:
    code = """\
class Log:
    def __init__(self):
        self.rows = []
        self.name = "log"

    def add(self, row):
        self.rows.append(row)
        self.name = self.name.upper()

    def last(self):
        return self.rows[0]
"""
    tests = "from m import Log\n\n\ndef test_last():\n    log = Log()\n    log.add(1)\n    log.add(2)\n"
    tests += "    assert log.last() == 2\n"
    weights = measure(bench({"m.py": code, "test_m.py": tests}).run).influence["m.py"]
    assert weights[11] > weights[7] > 0
    assert weights.get(8, 0.0) < weights[7]


def test_flaky_tests_are_told_and_set_aside(bench) -> None:
    tests = "import random\nfrom m import f\n\n\ndef test_wrong():\n    assert f(1) == 2\n\n\n" + "".join(
        f"def test_chance_{n}():\n    assert f(1) == 1 and random.random() < 0.5\n\n\n" for n in range(12)
    )
    spectrum = measure(bench({"m.py": "def f(n):\n    return n\n", "test_m.py": tests}).run)
    assert spectrum.failing[:1] == (0,)
    assert len(spectrum.flaky) >= 2
    assert 0 not in spectrum.flaky
    assert not set(spectrum.flaky) & {*spectrum.failing, *spectrum.passing}


def test_forged_and_broken_answers_are_refused_or_nobodys(bench) -> None:
    forger = """\
import os

LINE = b'\\n{"test": {"name": "forged", "outcome": "passed", "seconds": 0.0}}\\n{"end": true}\\n'
for descriptor in range(1, 30):
    try:
        os.write(descriptor, LINE)
    except OSError:
        pass


def test_it():
    assert True
"""
    spectrum = measure(bench({"test_m.py": forger}).run)
    assert [t.name for t in spectrum.tests] == ["test_m.py::test_it"]


def test_modules_of_the_repository_do_not_replace_those_of_the_probe(bench) -> None:
    files = {"json.py": "raise SystemExit(3)\n", "test_m.py": "def test_it():\n    assert True\n"}
    assert [t.outcome for t in measure(bench(files).run).tests] == ["passed"]


def test_options_of_plugins_that_are_not_installed_do_not_hide_the_tests(bench) -> None:
    files = {
        "pytest.ini": "[pytest]\naddopts = --no-such-plugin=3 -q\n",
        "test_one.py": "def test_wrong():\n    assert 1 == 2\n",
    }
    spectrum = measure(bench(files).run)
    assert [test.name for test in spectrum.tests if test.broken] == ["test_one.py::test_wrong"]
