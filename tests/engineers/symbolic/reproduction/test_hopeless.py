import pytest
from reproduce_bench import SHOP, desk

from karkhana.domain.suites import Outcome, TestResult
from karkhana.engineers.symbolic.hands import Abstention
from karkhana.engineers.symbolic.reproduction.hopeless import kind_of_request, machine_fault, refuse_hopeless

AREA = "def area(a, b):\n    return a * b\n"
CONTRADICTORY = (
    "from area import area\n\n\ndef test_area():\n    assert area(2, 3) == 6\n\n\n"
    "def test_garden():\n    assert area(2, 3) == 12\n"
)


def test_tests_that_contradict_each_other_are_named() -> None:
    files = {"area.py": AREA, "test_area.py": CONTRADICTORY}
    with desk("area is wrong", files) as d, pytest.raises(Abstention) as refused:
        refuse_hopeless(d.hands)
    assert "test_garden" in refused.value.reason
    assert "test_area" in refused.value.reason
    assert "`12` or `6`" in refused.value.question


def test_a_plain_failure_is_not_hopeless() -> None:
    broken = {
        **SHOP,
        "tests/test_prices.py": "from shop import total\n\n\ndef test_t():\n    assert total([9], 10) == 8\n",
    }
    with desk("total is wrong", broken) as d:
        refuse_hopeless(d.hands)


def test_a_missing_package_is_the_machines_fault_unless_it_is_ours() -> None:
    text = "import shop.nowhere_to_be_found\n\n\ndef test_x():\n    pass\n"
    with desk("red", {**SHOP, "tests/test_other.py": text}) as d:
        refuse_hopeless(d.hands)
    foreign = {**SHOP, "tests/test_other.py": text.replace("shop.", "")}
    with desk("red", foreign) as d, pytest.raises(Abstention) as refused:
        refuse_hopeless(d.hands)
    assert "package is missing" in refused.value.reason
    assert "nowhere_to_be_found" in refused.value.question


FAULTS = [
    ("E   ConnectionRefusedError: [Errno 111] Connection refused", "there is no network"),
    ("subprocess.run(\nE   FileNotFoundError: [Errno 2] No such file or directory: 'pandoc'", "a program is missing"),
    ("os.environ['TOKEN']\nE   KeyError: 'TOKEN'", "an environment variable is missing"),
    ("E   OSError: libx.so: cannot open shared object file: No such file", "a shared library is missing"),
    ("E   FileNotFoundError: [Errno 2] No such file or directory: 'data.txt'", None),
    ("E   KeyError: 'TOKEN'", None),
    ("E   AssertionError: assert 1 == 2", None),
]


@pytest.mark.parametrize(("traceback", "kind"), FAULTS)
def test_faults_of_the_machine_are_told_by_their_signs(traceback: str, kind: str | None) -> None:
    found = machine_fault(TestResult("t", Outcome.FAILED, 0.1, "", traceback), lambda module: False)
    assert (found[1].kind if found else None) == kind


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Feature request: YAML", "something new"),
        ("Could you add vouchers?", "something new"),
        ("total() is too slow", "more speed"),
        ("How do I change the currency?", "an answer to a question"),
        ("Why does total([1]) return 2?", "an answer to a question"),
        ("Fix typo in README", "a change of texts"),
        ("total() adds the discount", None),
        ("Crash on empty input", None),
    ],
)
def test_requests_are_told_from_reports(title: str, kind: str | None) -> None:
    found = kind_of_request(title)
    assert (found.name if found else None) == kind
