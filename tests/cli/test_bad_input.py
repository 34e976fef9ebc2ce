"""Bad input: a clear error, exit code 2 or 4, and nothing left behind."""

import subprocess
from pathlib import Path

import pytest

from .conftest import SHOP, TICKET, Karkhana, Repository, git


def assert_refused(
    karkhana: Karkhana, repository: Path, code: str, *words: str, exit_code: int = 2, **options: object
) -> str:
    """The refusal's message; the repository has no new branch and no temporary file stays."""
    before = set((karkhana.home.parent / "tmp").iterdir())
    found, answer = karkhana.json("run", *words, "--repo", str(repository), **options)
    error = answer.get("error", answer)
    assert found == exit_code, answer
    if "error" in answer:
        assert error["code"] == code
        assert error["next"]
    else:
        assert answer["status"] == "failed"
        assert answer["next"]
    if (repository / ".git").exists():
        assert "karkhana/" not in git(repository, "branch", "--list")
    assert set((karkhana.home.parent / "tmp").iterdir()) == before
    return str(error.get("message") or error.get("reason"))


def test_not_a_repository(karkhana: Karkhana, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    message = assert_refused(karkhana, tmp_path / "plain", "not_a_repository", TICKET)
    assert "plain" in message


def test_a_folder_that_does_not_exist(karkhana: Karkhana, tmp_path: Path) -> None:
    assert_refused(karkhana, tmp_path / "nowhere", "not_a_repository", TICKET)


def test_empty_repository(karkhana: Karkhana, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    assert_refused(karkhana, tmp_path / "empty", "empty_repository", TICKET)


def test_bare_repository(karkhana: Karkhana, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "bare.git"], check=True)
    assert_refused(karkhana, tmp_path / "bare.git", "bare_repository", TICKET)


def test_a_ticket_of_a_megabyte(karkhana: Karkhana, repository: Repository) -> None:
    assert_refused(karkhana, repository(), "ticket_too_large", "-", stdin="x" * 1_000_000)


def test_an_empty_ticket(karkhana: Karkhana, repository: Repository) -> None:
    assert_refused(karkhana, repository(), "invalid_input", "  \n")


def test_no_tests_found(karkhana: Karkhana, repository: Repository) -> None:
    folder = repository({"shop.py": "x = 1\n"})
    message = assert_refused(karkhana, folder, "suite_unusable", TICKET)
    assert "test" in message


def test_tests_that_already_pass(karkhana: Karkhana, repository: Repository) -> None:
    sound = SHOP["shop/prices.py"].replace("whole + whole", "whole - whole")
    message = assert_refused(karkhana, repository({**SHOP, "shop/prices.py": sound}), "nothing_to_fix", TICKET)
    assert "4 tests pass" in message


def test_a_test_command_that_hangs(karkhana: Karkhana, repository: Repository) -> None:
    message = assert_refused(
        karkhana,
        repository(),
        "suite_unusable",
        TICKET,
        "--test-command",
        "sleep 1000",
        env={"KARKHANA_SANDBOX_COMMAND_TIMEOUT_S": "2"},
    )
    assert "still running" in message


def test_a_suite_that_cannot_be_collected(karkhana: Karkhana, repository: Repository) -> None:
    folder = repository({**SHOP, "tests/conftest.py": "import a_module_that_nobody_has\n"})
    message = assert_refused(karkhana, folder, "suite_unusable", TICKET)
    assert "a_module_that_nobody_has" in message


def test_an_unreadable_test_command(karkhana: Karkhana, repository: Repository) -> None:
    assert_refused(karkhana, repository(), "invalid_setting", TICKET, "--test-command", "pytest 'tests", exit_code=4)


def test_no_sandbox_needs_an_acknowledgement(karkhana: Karkhana, repository: Repository) -> None:
    assert_refused(karkhana, repository(), "configuration_error", TICKET, "--sandbox", "none", exit_code=4)


def test_bad_configuration_of_the_repository(karkhana: Karkhana, repository: Repository) -> None:
    folder = repository({**SHOP, "karkhana.toml": "[budget]\nturns = 'many'\n"})
    message = assert_refused(karkhana, folder, "invalid_setting", TICKET, exit_code=4)
    assert "karkhana.toml" in message
    assert "turns" in message


def test_an_unknown_engineer(karkhana: Karkhana, repository: Repository) -> None:
    assert_refused(karkhana, repository(), "invalid_input", TICKET, "--engineer", "nobody")


def test_a_home_that_cannot_be_written(karkhana: Karkhana, repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_refused(
        karkhana,
        repository(),
        "database_unavailable",
        TICKET,
        exit_code=4,
        env={"KARKHANA_HOME": str(tmp_path / "file" / "home")},
    )


@pytest.mark.parametrize(
    "words", [("runs", "show", "run_nonsense"), ("runs", "verify", "x"), ("queue", "show", "BUILD-1")]
)
def test_unknown_identifiers(karkhana: Karkhana, words: tuple[str, ...]) -> None:
    code, answer = karkhana.json(*words)
    assert code == 2
    assert answer["error"]["code"] in ("unknown_run", "unknown_task")
    assert answer["error"]["next"]
