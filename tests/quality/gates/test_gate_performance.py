"""The gate ``performance``, on a real suite."""

from quality_contexts import real_context, still_context

from karkhana.domain.evidence import GateStatus
from karkhana.quality.gates.performance import Performance

QUICK = "def total(values):\n    found = 0\n    for v in values:\n        found += v\n    return found\n"
SLOW = QUICK.replace(
    "    return found", "    copies = [list(values) for _ in range(900)]\n    return found + len(copies) - 900"
)
TESTS = "from calc import total\n\n\ndef test_it():\n    assert total(list(range(40))) == 780\n"


def test_a_slower_and_hungrier_function() -> None:
    with real_context({"calc.py": QUICK, "test_calc.py": TESTS}, {"calc.py": SLOW, "test_calc.py": TESTS}) as found:
        result = Performance().check(found)
    assert (result.status, result.measures["functions"], result.measures["slower"]) == (GateStatus.FAILED, 1, 1)
    assert result.measures["worst_ratio"] > 2
    assert [f.rule for f in result.findings] == ["performance:slower", "performance:memory"]


def test_nothing_to_time() -> None:
    with still_context({"README.md": "a\n"}, {"README.md": "b\n"}) as found:
        assert Performance().check(found).status is GateStatus.PASSED
    with still_context({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as found:
        assert Performance().check(found).status is GateStatus.UNKNOWN
