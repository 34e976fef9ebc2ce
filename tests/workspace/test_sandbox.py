import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from abuse_support import CANARY, SMALL, inside

from karkhana.domain.errors import InfrastructureFailure, SandboxUnavailable
from karkhana.domain.settings import SandboxSettings
from karkhana.workspace import bubblewrap
from karkhana.workspace.layout import Bind
from karkhana.workspace.sandbox import Sandbox, SandboxSpec


@pytest.fixture(scope="module")
def sandbox(home: Path) -> Iterator[Sandbox]:
    with Sandbox(SandboxSpec(home=home, settings=SMALL)) as opened:
        yield opened


def test_a_command_tells_how_it_went(sandbox: Sandbox) -> None:
    result = sandbox.run(("sh", "-c", "cat; echo err >&2; exit 5"), stdin=b"in")
    assert (result.exit_code, result.stdout, result.stderr) == (5, b"in", b"err\n")
    assert (result.timed_out, result.truncated) == (False, False)
    assert 0 < result.duration_s < 60


def test_exit_codes_are_those_of_a_shell(sandbox: Sandbox) -> None:
    assert sandbox.run(("sh", "-c", "kill -TERM $$")).exit_code == 128 + 15
    missing = sandbox.run(("no-such-program",))
    assert missing.exit_code == 127
    assert b"no-such-program" in missing.stderr
    assert sandbox.run(("/etc/passwd",)).exit_code == 126
    assert sandbox.run(("a\0b",)).exit_code == 126


def test_processor_time_is_counted(sandbox: Sandbox) -> None:
    busy = sandbox.run(("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"))
    assert busy.cpu_s > sandbox.run(("true",)).cpu_s


def test_the_environment_is_what_was_asked_for(home: Path) -> None:
    with Sandbox(SandboxSpec(home=home, settings=SMALL, env={"A": "1", "B": "ü"}, path=("/usr/bin",))) as sandbox:
        assert sandbox.run(("sh", "-c", "echo $A$B$C$PATH"), env={"B": "2", "C": "3"}).stdout == b"123/usr/bin\n"
        assert sandbox.run(("sh", "-c", "echo $A$B$C")).stdout == "1ü\n".encode()  # the addition was for one command


def test_arguments_that_are_not_utf8(sandbox: Sandbox) -> None:
    assert sandbox.run(("printf", "%s", "caf\udce9")).stdout == b"caf\xe9"


def test_files_stay_between_commands_and_go_with_the_sandbox(home: Path) -> None:
    spec = SandboxSpec(home=home, settings=SMALL)
    with Sandbox(spec) as sandbox:
        sandbox.run(("sh", "-c", "echo 1 > here; echo 2 > /tmp/there"))
        assert sandbox.run(("cat", "here", "/tmp/there")).stdout == b"1\n2\n"
    with Sandbox(spec) as sandbox:
        assert sandbox.run(("sh", "-c", "ls -A . /tmp/there 2>/dev/null")).stdout.strip() == b".:"


def test_large_output_and_input_come_through_whole(sandbox: Sandbox) -> None:
    data = os.urandom(1 << 19)
    assert sandbox.run(("cat",), stdin=data).stdout == data


def test_several_threads_take_turns(sandbox: Sandbox) -> None:
    answers: dict[int, bytes] = {}

    def ask(number: int) -> None:
        for _ in range(5):
            answers[number] = sandbox.run(("echo", str(number))).stdout
            assert answers[number] == f"{number}\n".encode()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4


def test_a_folder_of_the_host_read_only_and_writable(home: Path, tmp_path: Path) -> None:
    (tmp_path / "ro").mkdir()
    (tmp_path / "rw").mkdir()
    (tmp_path / "ro" / "file").write_text("shown")
    (tmp_path / "rw" / "old").write_text("old")
    binds = (Bind(str(tmp_path / "ro"), "/data/ro"), Bind(str(tmp_path / "rw"), "/data/rw", writable=True))
    with Sandbox(SandboxSpec(home=home, settings=SMALL, binds=binds)) as sandbox:
        script = "cat /data/ro/file; mkdir /data/rw/d; echo new > /data/rw/d/f; echo more >> /data/rw/old"
        result = sandbox.run(("sh", "-c", f"{script}; chmod 4755 /data/rw/d/f; touch /data/ro/x"))
        assert result.stdout == b"shown"
        assert b"Read-only" in result.stderr
    made = (tmp_path / "rw" / "d" / "f").lstat()
    assert made.st_uid == os.getuid(), "it must not belong to the sandbox's own user"
    assert stat.S_IMODE(made.st_mode) == 0o644, "a set-user bit would work for everybody on the host"
    assert (tmp_path / "rw" / "old").read_text() == "oldmore\n"
    assert [p.name for p in (tmp_path / "ro").iterdir()] == ["file"]


def test_a_unix_socket_of_the_host_that_was_bound(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "proxy.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o666)
        server.listen()
        server.settimeout(30)
        said: list[bytes] = []

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                said.append(connection.recv(100))
                connection.sendall(b"from the host")

        thread = threading.Thread(target=serve)
        thread.start()
        with Sandbox(SandboxSpec(home=home, settings=SMALL, binds=(Bind(str(path), "/run/proxy.sock"),))) as sandbox:
            program = (
                "s = socket.socket(socket.AF_UNIX); s.connect('/run/proxy.sock'); s.send(b'hello'); print(s.recv(99))"
            )
            assert inside(sandbox, program).stdout == b"b'from the host'\n"
        thread.join()
    assert said == [b"hello"]


def test_the_packaged_bubblewrap_works_too(home: Path) -> None:
    packaged = bubblewrap.packaged()
    if packaged is None:
        pytest.skip("there is no packaged bubblewrap for this platform")
    with Sandbox(SandboxSpec(home=home, settings=SMALL, bubblewrap=packaged)) as sandbox:
        assert sandbox.run(("id", "-u")).stdout == b"1000\n"
        assert sandbox.run(("ls", "/.bubblewrap")).exit_code != 0


def test_a_checkout_can_be_copied_where_overlays_do_not_work(home: Path, tmp_path: Path) -> None:
    (tmp_path / "checkout" / "sub").mkdir(parents=True)
    (tmp_path / "checkout" / "sub" / "file").write_text("base")
    (tmp_path / "checkout" / "link").symlink_to(f"/{CANARY}")
    (tmp_path / "checkout").chmod(0o755)
    spec = SandboxSpec(home=home, settings=SMALL, checkout=tmp_path / "checkout", overlay=False)
    with Sandbox(spec) as sandbox:
        assert sandbox.upper is None
        assert sandbox.run(("sh", "-c", "echo more >> sub/file; cat sub/file; readlink link")).stdout == (
            b"basemore\n/" + CANARY.encode() + b"\n"
        )
        assert sandbox.tree.read("sub/file") == b"basemore\n"
    assert (tmp_path / "checkout" / "sub" / "file").read_text() == "base"


def test_a_copy_that_does_not_fit_is_said_to_fail(home: Path, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (3 << 20))
    settings = SandboxSettings(disk_mb=1)
    with pytest.raises(SandboxUnavailable, match="mounts"):
        Sandbox(SandboxSpec(home=home, settings=settings, checkout=tmp_path, overlay=False))


def test_a_bubblewrap_that_fails_is_reported_with_its_words(home: Path) -> None:
    broken = bubblewrap.Bubblewrap(Path("/usr/bin/false"), (9, 9, 9))
    with pytest.raises(SandboxUnavailable) as caught:
        Sandbox(SandboxSpec(home=home, settings=SMALL, bubblewrap=broken))
    assert caught.value.next


def test_every_command_answers_after_its_grace(sandbox: Sandbox) -> None:
    result = sandbox.run(("sleep", "100"), timeout_s=0)
    assert result.timed_out


def test_a_command_that_was_too_slow_says_where_it_was(sandbox: Sandbox) -> None:
    lost = "import time\ndef lost():\n    time.sleep(100)\nlost()\n"
    result = sandbox.run(("python", "-X", "faulthandler", "-c", lost), timeout_s=1)
    assert (result.timed_out, result.exit_code) == (True, 137)
    assert b'File "<string>", line 3 in lost' in result.stderr


def test_a_command_that_does_not_want_to_say_where_it_was_is_ended(sandbox: Sandbox) -> None:
    deaf = "import signal, time\nsignal.signal(signal.SIGABRT, signal.SIG_IGN)\nprint('deaf', flush=True)\n"
    result = sandbox.run(("python", "-c", deaf + "time.sleep(100)"), timeout_s=1)
    assert (result.timed_out, result.exit_code, result.stdout) == (True, 137, b"deaf\n")
    assert sandbox.run(("true",)).exit_code == 0


def test_closing_twice_and_running_after_it(home: Path) -> None:
    sandbox = Sandbox(SandboxSpec(home=home, settings=SMALL))
    groups = sandbox.group.folders
    sandbox.close()
    sandbox.close()
    assert not [group for group in groups if group.exists()]
    with pytest.raises(InfrastructureFailure):
        sandbox.run(("true",))


def test_no_descriptor_is_left_open(home: Path) -> None:
    Sandbox(SandboxSpec(home=home, settings=SMALL)).close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        Sandbox(SandboxSpec(home=home, settings=SMALL)).close()
    with pytest.raises(SandboxUnavailable):
        Sandbox(SandboxSpec(home=home, bubblewrap=bubblewrap.Bubblewrap(Path("/usr/bin/false"), (9, 9, 9))))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_limits_are_named(sandbox: Sandbox) -> None:
    assert "rlimits" in sandbox.limits_in_force
    if os.geteuid() == 0:
        assert sandbox.owner.uid >= 0x70000000


def test_an_interrupted_wait_never_gives_the_next_command_its_answer(home: Path) -> None:
    program = f"""
import _thread, signal, threading
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where a shell started us in the background
from abuse_support import SMALL
from karkhana.domain.errors import InfrastructureFailure
from karkhana.workspace.sandbox import Sandbox, SandboxSpec
with Sandbox(SandboxSpec(home=Path({str(home)!r}), settings=SMALL)) as sandbox:
    threading.Timer(0.5, _thread.interrupt_main).start()
    try:
        sandbox.run(("sh", "-c", "sleep 1; echo first"))
    except KeyboardInterrupt:
        print("interrupted")
    try:
        print(sandbox.run(("echo", "second")).stdout)
    except InfrastructureFailure:
        print("gone")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert result.stdout.split() == ["interrupted", "gone"]
