"""The gate ``mutation``, on real suites."""

from quality_contexts import real_context, still_context

from karkhana.domain.evidence import GateStatus
from karkhana.quality.gates.limits import other_limits
from karkhana.quality.gates.mutation import Mutation

BUGGY = "def grade(points, limit=50):\n    if points > limit:\n        return 'pass'\n    return 'fail'\n"
FIXED = BUGGY.replace("points > limit", "points >= limit")
HEAD = "from calc import grade\n\n\n"
STRICT = HEAD + (
    "def test_limit():\n    assert grade(50) == 'pass'\n\n\n"
    "def test_below():\n    assert grade(49) == 'fail'\n\n\n"
    "def test_above():\n    assert grade(60) == 'pass'\n"
)
LOOSE = HEAD + "def test_limit():\n    assert grade(50) == 'pass'\n"


def test_faults_that_tests_notice_and_one_that_they_do_not() -> None:
    with real_context({"calc.py": BUGGY, "test_calc.py": STRICT}, {"calc.py": FIXED, "test_calc.py": STRICT}) as found:
        strict = Mutation().check(found)
    assert strict.status is GateStatus.PASSED
    assert strict.measures == {
        "mutants": 4,
        "killed": 4,
        "survived": 0,
        "score": 1,
        "parts": 1,
        "idle_parts": 0,
        "untried_parts": 0,
    }
    with real_context({"calc.py": BUGGY, "test_calc.py": LOOSE}, {"calc.py": FIXED, "test_calc.py": LOOSE}) as found:
        loose = Mutation().check(found)
    assert loose.measures == {
        "mutants": 4,
        "killed": 3,
        "survived": 1,
        "score": 0.75,
        "parts": 1,
        "idle_parts": 0,
        "untried_parts": 0,
    }
    assert [(f.path, f.line, f.message) for f in loose.findings] == [
        ("calc.py", 2, "no test notices `points >= limit` → `True` in line 2")
    ]


def test_tests_that_fail_when_run_one_by_one_prove_nothing() -> None:
    tests = (
        "import os\nimport calc\n\n\ndef test_grade():\n    assert calc.grade(50) == 'pass'\n"
        "    assert os.environ['PYTEST_CURRENT_TEST']\n"
    )
    with real_context({"calc.py": BUGGY, "test_calc.py": tests}, {"calc.py": FIXED, "test_calc.py": tests}) as found:
        result = Mutation().check(found)
    assert (result.status, result.measures) == (GateStatus.UNKNOWN, {})


def test_documents_and_unreached_code() -> None:
    with still_context({"README.md": "a\n"}, {"README.md": "b\n"}) as found:
        assert Mutation().check(found).status is GateStatus.PASSED
    idle = "def test_nothing():\n    pass\n"
    with real_context({"calc.py": BUGGY, "test_calc.py": idle}, {"calc.py": FIXED, "test_calc.py": idle}) as found:
        assert Mutation().check(found).status is GateStatus.UNKNOWN


def test_a_part_that_no_test_needs_is_told() -> None:
    more = FIXED.replace("'fail'", "'failed'")
    with real_context({"calc.py": BUGGY, "test_calc.py": LOOSE}, {"calc.py": more, "test_calc.py": LOOSE}) as found:
        result = Mutation().check(found)
    assert (result.measures["parts"], result.measures["idle_parts"]) == (2, 1)
    assert [(f.line, f.message) for f in result.findings if f.rule == "mutation:idle-part"] == [
        (4, "no test needs `failed` in place of `fail` in line 4")
    ]
    assert "need 1 of 2 parts of the change" in result.summary


def test_parts_that_no_test_reaches_or_nobody_has_time_for_are_told_too() -> None:
    other = "\n\ndef other(n):\n    return n\n"
    before = {"calc.py": BUGGY + other, "test_calc.py": LOOSE}
    after = {
        "calc.py": FIXED.replace("'fail'", "'failed'") + other.replace("return n", "return -n"),
        "test_calc.py": LOOSE,
    }
    with real_context(before, after) as found:
        whole = Mutation().check(found)
        with other_limits("mutation", {"parts": 1}):
            brief = Mutation().check(found)
    assert [(r.measures["parts"], r.measures["untried_parts"]) for r in (whole, brief)] == [(2, 1), (1, 2)]
    assert "2 parts could not be tried" in brief.summary


def test_parts_are_not_asked_for_where_no_test_needs_the_change() -> None:
    tests = HEAD + "def test_below():\n    assert grade(40) == 'fail'\n"
    with real_context({"calc.py": BUGGY, "test_calc.py": tests}, {"calc.py": FIXED, "test_calc.py": tests}) as found:
        assert Mutation().check(found).measures["parts"] == 0


def test_tests_that_rely_on_their_order_are_run_in_it() -> None:
    tests = (
        "import calc\n\n\nstate = []\n\n\n"
        "def test_below():\n    assert not state\n    assert calc.grade(40) == 'fail'\n\n\n"
        "def test_limit():\n    state.append(1)\n    assert calc.grade(50) == 'pass'\n"
    )
    loose = tests.replace("assert calc.grade(40) == 'fail'", "calc.grade(40)")
    with real_context({"calc.py": BUGGY, "test_calc.py": loose}, {"calc.py": FIXED, "test_calc.py": loose}) as found:
        assert Mutation().check(found).measures["survived"] == 1


def test_where_the_change_is_all_that_can_be_wrong_taking_it_back_is_the_fault() -> None:
    old = "def keep(seen, word):\n    return seen\n"
    new = "def keep(seen, word):\n    seen.append(word)\n    return seen\n"
    tests = "from calc import keep\n\n\ndef test_keep():\n    assert keep([], 'a') == ['a']\n"
    with real_context({"calc.py": old, "test_calc.py": tests}, {"calc.py": new, "test_calc.py": tests}) as found:
        result = Mutation().check(found)
    assert result.status is GateStatus.PASSED
    assert (result.measures["mutants"], result.measures["killed"], result.measures["parts"]) == (1, 1, 1)
