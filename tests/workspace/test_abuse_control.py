"""The controls of the abuse suite: without a sandbox the same attacks succeed, so its tests are able to fail."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from abuse_support import CANARY, SMALL, ListTrail, ask

from karkhana.workspace.local import LocalWorkspace, LocalWorkspaces


@pytest.fixture
def open_field(home: Path, repository: tuple[Path, str]) -> Iterator[LocalWorkspace]:
    """A workspace without a sandbox."""
    spaces = LocalWorkspaces(home, SMALL, kind="none")
    with spaces.open(str(repository[0]), repository[1], record=ListTrail()) as workspace:
        yield workspace


def test_the_network_is_reached(open_field: LocalWorkspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert ask(open_field, f"answer(attempt(socket.create_connection, {address!r}, 3)[0])") == "OK"


def test_an_abstract_socket_is_reached(open_field: LocalWorkspace) -> None:
    name = f"\0{CANARY}-control-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        assert ask(open_field, f"s = socket.socket(socket.AF_UNIX)\nanswer(attempt(s.connect, {name!r})[0])") == "OK"


def test_files_are_read_and_written(open_field: LocalWorkspace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    answered = ask(
        open_field,
        f"open({str(tmp_path / 'escaped')!r}, 'w').close()\nanswer(open({str(tmp_path / 'secret')!r}).read())",
    )
    assert answered == CANARY
    assert (tmp_path / "escaped").exists()


def test_processes_are_seen_and_killed(open_field: LocalWorkspace) -> None:
    victim = subprocess.Popen(["sleep", "60"], env={"TOKEN": CANARY})
    try:
        assert CANARY in ask(open_field, f"answer(open('/proc/{victim.pid}/environ').read())")
        assert ask(open_field, f"answer(attempt(os.kill, {victim.pid}, 9)[0])") == "OK"
        assert victim.wait(10) == -9
    finally:
        victim.kill()
        victim.wait()


def test_a_daemon_survives(open_field: LocalWorkspace, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    program = f"""
if os.fork() == 0:
    os.setsid()
    for n in (0, 1, 2):
        os.close(n)
    for _ in range(500):
        open({str(beat)!r}, 'a').write('x')
        time.sleep(0.01)
    os._exit(0)
time.sleep(0.3)
answer(os.path.getsize({str(beat)!r}))
"""
    size = ask(open_field, program)
    for _ in range(300):
        if beat.stat().st_size > size + 10:
            break
        subprocess.run(["sleep", "0.01"], check=True)
    assert beat.stat().st_size > size + 10


def test_sockets_of_the_kernel_open(open_field: LocalWorkspace) -> None:
    assert ask(open_field, "answer(attempt(socket.socket, 16, 2)[0])") == "OK"


def test_set_user_bits_are_left_behind(open_field: LocalWorkspace) -> None:
    program = "open('x', 'w').close()\nos.chmod('x', 0o4755)\nanswer(oct(os.stat('x').st_mode))"
    assert ask(open_field, program) == "0o104755"
