"""The gate ``static_analysis``, with the real ruff."""

import pytest
from quality_contexts import contents_of, still_context

from karkhana.domain.evidence import GateResult, GateStatus, Severity
from karkhana.quality.gates.static_analysis import StaticAnalysis, lint

CLEAN = "def add(a, b):\n    return a + b\n"


def check(before: dict[str, str | bytes], after: dict[str, str | bytes]) -> GateResult:
    with still_context(before, after) as context:
        return StaticAnalysis().check(context)


def test_clean_code_passes() -> None:
    result = check({"a.py": CLEAN}, {"a.py": CLEAN.replace("+", "-")})
    assert (result.status, result.measures["new_warnings"]) == (GateStatus.PASSED, 0)


def test_a_new_warning_is_found_with_its_place() -> None:
    result = check({"a.py": CLEAN}, {"a.py": "import os\n\n\n" + CLEAN})
    assert result.status is GateStatus.FAILED
    assert not result.hard
    assert [(f.rule, f.path, f.line) for f in result.findings] == [("ruff:F401", "a.py", 1)]


def test_an_old_warning_on_a_moved_line_is_not_new() -> None:
    old = "import os\n\n\n" + CLEAN
    result = check({"a.py": old}, {"a.py": '"""Adds."""\n\n' + old})
    assert result.status is GateStatus.PASSED


def test_one_more_of_the_same_is_new() -> None:
    old = "def f(x):\n    assert_(x == None)\n"
    result = check({"a.py": old}, {"a.py": old + "\n\ndef g(x):\n    assert_(x == None)\n"})
    assert [f.line for f in result.findings if f.rule == "ruff:E711"] == [6]


def test_security_rules_are_counted_apart() -> None:
    result = check(
        {"a.py": CLEAN}, {"a.py": "import subprocess\n\n\ndef run(x):\n    subprocess.call(x, shell=True)\n"}
    )
    assert result.measures["new_security"] >= 1
    assert "security" in result.summary


def test_a_fixed_warning_is_counted() -> None:
    result = check({"a.py": "import os\n\n\n" + CLEAN}, {"a.py": CLEAN})
    assert (result.status, result.measures["fixed_warnings"]) == (GateStatus.PASSED, 1)


@pytest.mark.parametrize("broken", ["def add(a, b:\n    return a\n", "x = \n", "  indented\n"])
def test_a_new_syntax_error_is_a_hard_failure(broken: str) -> None:
    result = check({"a.py": CLEAN}, {"a.py": broken})
    assert (result.status, result.hard) == (GateStatus.FAILED, True)
    assert any(f.severity is Severity.ERROR for f in result.findings)


def test_a_file_that_was_broken_already_is_not_blamed() -> None:
    result = check({"a.py": "print 'two'\n"}, {"a.py": "print 'three'\n"})
    assert not result.hard


def test_newer_syntax_than_ours_is_no_error() -> None:
    newer = "type Pair[T] = tuple[T, T]\n\n\ndef f(x):\n    return f\"{x!r:{'>' + '4'}} {'a' + \"b\"}\"\n"
    assert check({}, {"a.py": newer}).status is GateStatus.PASSED


def test_no_configuration_and_no_excuse_of_the_tree_counts() -> None:
    files = {"pyproject.toml": "[tool.ruff.lint]\nselect = []\n", "a.py": CLEAN}
    result = check(files, {**files, "a.py": "import os  # noqa\n\n\n" + CLEAN})
    assert [f.rule for f in result.findings] == ["ruff:F401"]


def test_tests_may_assert_and_source_should_not_gain_it() -> None:
    code = "def test_it():\n    assert 1 + 1 == 2\n"
    assert check({}, {"tests/test_a.py": code}).status is GateStatus.PASSED
    assert [f.rule for f in check({}, {"a.py": code}).findings] == ["ruff:S101"]


def test_no_python_no_verdict() -> None:
    assert check({"a.js": "1\n"}, {"a.js": "2\n"}).status is GateStatus.UNKNOWN
    assert check({"a.md": "1\n"}, {"a.md": "2\n"}).status is GateStatus.PASSED


def test_hostile_names_stay_names() -> None:
    odd = ["../../etc/x.py", "-o.py", "a\nb.py", "\udcff.py", "x" * 300 + ".py"]
    found = lint(dict.fromkeys(odd, b"import os\n"))
    assert [[d.code for d in found[path]] for path in odd] == [["F401"]] * len(odd)


def test_a_deleted_file_has_no_warnings() -> None:
    assert contents_of({"a.py": CLEAN}, {}) == {"a.py": (CLEAN.encode(), None)}
    assert check({"a.py": "import os\n"}, {}).status is GateStatus.PASSED


def test_what_ruff_cannot_read_is_unknown() -> None:
    latin = "# coding: latin-1\nname = 'caf\xe9'\n".encode("latin-1")
    assert check({"a.py": CLEAN}, {"a.py": latin}).status is GateStatus.UNKNOWN
    assert check({"a.py": CLEAN}, {"a.py": latin, "b.py": "import os\n"}).status is GateStatus.FAILED
