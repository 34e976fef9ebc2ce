"""Review: weakened tests."""

import pytest
from quality_reviews import reviewed, rules_of

TEST = """\
import pytest


def test_total():
    assert total([1, 2]) == 3
    assert total([]) == 0


def test_rate():
    assert rate() == pytest.approx(0.5, abs=0.01)


def test_error():
    with pytest.raises(ValueError):
        total(None)
"""


def after_edit(old: str, new: str, test: str = TEST) -> list[str]:
    assert old in test
    return rules_of({"tests/test_cart.py": test}, {"tests/test_cart.py": test.replace(old, new)})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    assert total([]) == 0\n", ""),
        ("    assert total([]) == 0\n", "    total([])\n"),
        ("    assert total([]) == 0\n", "    assert True\n"),
        ("    assert total([]) == 0\n", "    assert total([]) == 0 or True\n"),
        ("    assert total([]) == 0\n", "    assert total([]) == total([])\n"),
        ("def test_total", "@pytest.mark.skip\ndef test_total"),
        ("def test_total", "@pytest.mark.xfail(reason='later')\ndef test_total"),
        ("def test_total", "@unittest.skip('x')\ndef test_total"),
        ("    assert total([1, 2]) == 3\n", "    pytest.skip('flaky')\n    assert total([1, 2]) == 3\n"),
        ("abs=0.01", "abs=0.5"),
        ("pytest.approx(0.5, abs=0.01)", "pytest.approx(0.5, abs=0.01, rel=0.9)"),
        ("raises(ValueError)", "raises(Exception)"),
    ],
)
def test_ways_to_judge_less(old: str, new: str) -> None:
    assert "weakened-test" in after_edit(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    assert total([]) == 0\n", "    assert total([]) == 0\n    assert total([5]) == 5\n"),
        ("import pytest\n", "import pytest\nimport shop\n"),
        ("def test_rate", "def test_more():\n    assert rate() > 0\n\n\ndef test_rate"),
    ],
)
def test_ways_to_judge_as_much_or_more(old: str, new: str) -> None:
    assert after_edit(old, new) == []


def test_a_changed_expectation_is_said_without_calling_it_weaker() -> None:
    assert after_edit("== 3", "== 4") == ["changed-expectation"]


@pytest.mark.parametrize(
    ("old", "new"), [("abs=0.01", "abs=0.001"), ("raises(ValueError)", "raises(ValueError, match='none')")]
)
def test_a_stricter_demand_is_a_changed_expectation_only(old: str, new: str) -> None:
    assert after_edit(old, new) == ["changed-expectation"]


def test_a_deleted_test_and_a_deleted_file() -> None:
    shorter = TEST[: TEST.index("def test_error")]
    assert rules_of({"tests/test_cart.py": TEST}, {"tests/test_cart.py": shorter}) == ["deleted-test"]
    found = reviewed({"tests/test_cart.py": TEST}, {})
    assert [f.rule for f in found] == ["deleted-test"]
    assert "test_total, test_rate, test_error" in found[0].message


def test_a_moved_test_is_not_deleted() -> None:
    assert rules_of({"tests/test_cart.py": TEST}, {"tests/test_basket.py": TEST}) == []


def test_a_renamed_test_is_deleted_as_far_as_anyone_can_tell() -> None:
    assert after_edit("test_rate", "check_rate") == ["deleted-test"]


def test_unittest_assertions_count() -> None:
    test = (
        "class TestA(TestCase):\n    def test_a(self):\n        self.assertEqual(a(), 1)\n"
        "        self.assertAlmostEqual(b(), 1.0, places=7)\n"
    )
    assert after_edit("        self.assertEqual(a(), 1)\n", "", test) == ["weakened-test"]
    assert "weakened-test" in after_edit("places=7", "places=1", test)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("pytest.ini", "addopts = --ignore=tests/test_cart.py"),
        ("tests/conftest.py", "collect_ignore = ['test_cart.py']"),
        ("pyproject.toml", 'addopts = "--deselect tests/test_cart.py::test_total"'),
    ],
)
def test_leaving_tests_out_by_configuration(path: str, line: str) -> None:
    assert "weakened-test" in rules_of({path: ""}, {path: line + "\n"})


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("conftest.py", "def pytest_runtest_makereport(item, call):"),
        ("helper.py", "@pytest.hookimpl(hookwrapper=True)"),
        ("tests/test_a.py", "pytest_plugins = ['helper']"),
        ("tests/conftest.py", "@pytest.fixture(autouse=True)"),
        ("sitecustomize.py", "x = 1"),
        ("pytest.ini", "addopts = -p helper"),
    ],
)
def test_hooks_into_the_runner(path: str, line: str) -> None:
    assert "test-harness" in rules_of({path: ""}, {path: line + "\n"})


def test_a_fixture_and_an_ordinary_function_are_no_hooks() -> None:
    after = {"tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef shop():\n    return 1\n"}
    assert "test-harness" not in rules_of({"tests/conftest.py": ""}, after)
    assert "test-harness" not in rules_of({"a.py": ""}, {"a.py": "def total():\n    return 1\n"})


def test_talking_about_leaving_tests_out_is_no_sin() -> None:
    assert rules_of({"noxfile.py": ""}, {"noxfile.py": "# we do not use --deselect here\n"}) == [
        "guarded-path",
        "protected-path",
    ]


def test_other_languages() -> None:
    test = "it('adds', () => {\n  expect(add(1, 2)).toBe(3);\n});\n"
    assert rules_of({"a.test.js": test}, {"a.test.js": test.replace("it(", "it.skip(")}) == ["weakened-test"]
    without = test.replace("  expect(add(1, 2)).toBe(3);\n", "")
    assert rules_of({"a.test.js": test}, {"a.test.js": without}) == ["weakened-test"]
    assert rules_of({"a.test.js": test}, {}) == ["deleted-test"]
