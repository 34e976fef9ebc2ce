"""The gate ``differential``: what is intended and what is not, and on real suites."""

from quality_contexts import real_context, still_context

from karkhana.behaviour.difference import Pair
from karkhana.domain.evidence import GateStatus
from karkhana.quality.gates.differential import Differential, account, judge

OLD = (
    "def middle(values, place=None):\n    ordered = sorted(values)\n"
    "    if place is None:\n        place = len(ordered) // 2\n    return ordered[place]\n"
)
RIGHT = OLD.replace("    ordered =", "    if not values:\n        return None\n    ordered =")
WRONG = OLD.replace("    return ordered[place]", "    return ordered[place] if len(values) > 2 else None")
TESTS = (
    "from calc import middle\n\n\ndef test_nothing():\n    assert middle([]) is None\n\n\n"
    "def test_three():\n    assert middle([3, 1, 2]) == 2\n\n\n"
    "def test_place():\n    assert middle([5, 4, 6, 7], 0) == 4\n"
)


def pair(origin: str, before: str, after: str, *ways: str) -> Pair:
    return Pair(origin=origin, kind="call", text="f()", before=before, after=after, ways=frozenset(ways))


def test_a_guard_changes_what_it_guards_and_a_wrong_one_more() -> None:
    with real_context({"calc.py": OLD, "test_calc.py": TESTS}, {"calc.py": RIGHT, "test_calc.py": TESTS}) as found:
        right = Differential().check(found)
    assert right.status is GateStatus.PASSED
    assert right.measures["intended"] >= 1
    assert right.measures["unintended"] == 0
    assert right.measures["inputs"] > 50
    with real_context({"calc.py": OLD, "test_calc.py": TESTS}, {"calc.py": WRONG, "test_calc.py": TESTS}) as found:
        wrong = Differential().check(found)
    assert wrong.status is GateStatus.FAILED
    assert wrong.measures["unintended_share"] > 0.02
    assert "before, None after" in wrong.findings[0].message


def test_what_resembles_the_test_is_intended() -> None:
    crash = pair("failing", "!KeyError", "=None", "0:2>3")
    alike = pair("near-passing", "!KeyError and argument 0 = {}", "=None", "0:2>3")
    elsewhere = pair("near-passing", "!KeyError", "=None", "0:2>4")
    answered = pair("near-passing", "=1", "=None", "0:2>3")
    found = account([crash, alike, elsewhere, answered])
    assert found.intended == (crash, alike)
    assert found.unintended == (elsewhere, answered)


def test_an_error_where_there_was_an_answer_is_intended_only_if_a_test_wants_one() -> None:
    wanted = pair("failing", "=0", "!ValueError", "0:2>3")
    value = pair("failing", "=0", "=1", "0:2>3")
    other = pair("near-failing", "=2", "!ValueError", "0:2>3")
    assert account([wanted, other]).unintended == ()
    assert account([value, other]).broken == (other,)


def test_what_is_left_of_an_error() -> None:
    crash, same = pair("failing", "!KeyError", "=None"), pair("near-failing", "!KeyError", "!KeyError")
    assert account([crash, same]).left == 1
    assert account([same]).left == 0


def test_an_example_that_is_no_longer_true_counts() -> None:
    same = [pair("passing", "=1", "=1")] * 30
    assert judge(same, ((True, True), (False, False))).status is GateStatus.PASSED
    lost = judge(same, ((True, False), (False, True)))
    assert (lost.status, lost.measures["examples_lost"], lost.measures["examples_failed"]) == (GateStatus.FAILED, 1, 1)


def test_few_inputs_and_none() -> None:
    assert judge([pair("passing", "=1", "=1")] * 3).status is GateStatus.UNKNOWN
    assert judge([pair("passing", "=1", "=1")] * 30).status is GateStatus.PASSED
    assert judge([pair("passing", "=1", "=2")] * 30).status is GateStatus.FAILED
    with still_context({"README.md": "a\n"}, {"README.md": "b\n"}) as found:
        assert Differential().check(found).status is GateStatus.PASSED
