"""The gate ``dependencies``."""

import pytest
from quality_contexts import still_context

from karkhana.domain.evidence import GateStatus
from karkhana.quality.gates.dependencies import Dependencies

PROJECT = '[project]\nname = "shop"\ndependencies = ["rich>=14"]\n\n[tool.ruff]\nline-length = 100\n'


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("requirements.txt", "rich\n", "rich\nevil\n"),
        ("requirements/dev.txt", "", "pytest\n"),
        ("pyproject.toml", PROJECT, PROJECT.replace("rich>=14", "rlch>=14")),
        ("pyproject.toml", PROJECT, PROJECT.replace("[project]", "[project")),
        ("sub/package-lock.json", '{"a": 1}\n', '{"a": 2}\n'),
        (".gitmodules", "", "[submodule]\n"),
    ],
)
def test_what_brings_packages_in_is_said(path: str, before: str, after: str) -> None:
    with still_context({path: before}, {path: after}) as context:
        result = Dependencies().check(context)
    assert (result.status, result.hard) == (GateStatus.FAILED, False)
    assert [f.path for f in result.findings] == [path]


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("pyproject.toml", PROJECT, PROJECT.replace("100", "120")),
        ("requirements.txt", "rich\n", "# nicer output\nrich  # of course\n"),
        ("cart.py", "import rich\n", "import evil\n"),
    ],
)
def test_what_does_not_is_left_alone(path: str, before: str, after: str) -> None:
    with still_context({path: before}, {path: after}) as context:
        assert Dependencies().check(context).status is GateStatus.PASSED


def test_a_new_and_a_deleted_list() -> None:
    with still_context({"uv.lock": "a\n"}, {"requirements.txt": "b\n"}) as context:
        messages = [f.message for f in Dependencies().check(context).findings]
    assert messages == [
        "a new file of dependencies: look at what it brings in",
        "a file of dependencies was deleted: look at what it brings in",
    ]
