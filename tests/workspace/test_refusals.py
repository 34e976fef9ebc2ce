import errno
from pathlib import Path

import pytest

from karkhana.workspace.refusals import explain, remedy


def kernel(tmp_path: Path, name: str, value: str) -> Path:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(value + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "command"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces="),
    ],
)
def test_a_kernel_setting_is_named_with_the_command_that_changes_it(
    tmp_path: Path, name: str, value: str, command: str
) -> None:
    assert command in remedy("namespaces", errno.EPERM, kernel(tmp_path, name, value))


def test_a_container_is_guessed_from_what_was_refused(tmp_path: Path) -> None:
    assert "container" in remedy("mounts", errno.EPERM, tmp_path)
    assert "karkhana doctor" in remedy("bubblewrap", 0, tmp_path)


def test_the_error_carries_message_and_next_step() -> None:
    error = explain("mounts", errno.EPERM, "mounts: not permitted")
    assert "mounts: not permitted" in error.message
    assert error.next
    assert error.exit_code == 4
