"""Attacks that try to reach something of the host: its network, files, environment, processes, kernel settings."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from abuse_support import CANARY, FILES, SMALL, ListTrail, ask, inside, make_repository, snapshot

from karkhana.behaviour.running import PROBES
from karkhana.workspace import layout
from karkhana.workspace.local import LocalWorkspace, LocalWorkspaces

# The network


@contextlib.contextmanager
def listening(family: int, kind: int, address: object) -> Iterator[tuple[socket.socket, list[bytes]]]:
    """A server of the host that remembers whatever reaches it."""
    server = socket.socket(family, kind)
    server.bind(address)
    reached: list[bytes] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                if kind == socket.SOCK_DGRAM:
                    data = server.recv(100)
                    if not data:
                        return
                    reached.append(data)
                else:
                    connection, _ = server.accept()
                    reached.append(b"connection")
                    connection.close()

    if kind != socket.SOCK_DGRAM:
        server.listen()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server, reached
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()


def test_tcp_to_the_hosts_loopback(shared: LocalWorkspace) -> None:
    with listening(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as (server, reached):
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 5):
            pass  # the server does answer, on the host
        answered = ask(shared, f"answer(attempt(socket.create_connection, ('127.0.0.1', {port}), 3))")
    assert answered[0] == "ECONNREFUSED"
    assert len(reached) == 1


def test_tcp_to_anywhere_else(shared: LocalWorkspace) -> None:
    answered = ask(
        shared, "answer([attempt(socket.create_connection, (a, 80), 3)[0] for a in ('10.0.0.1', '192.0.2.1')])"
    )
    assert answered == ["ENETUNREACH", "ENETUNREACH"]


def test_udp(shared: LocalWorkspace) -> None:
    with listening(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)) as (server, reached):
        port = server.getsockname()[1]
        ask(
            shared,
            f"s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"answer([attempt(s.sendto, b'out', (a, {port})) for a in ('127.0.0.1', '10.0.0.1')])",
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.sendto(b"last", ("127.0.0.1", port))
        for _ in range(500):
            if reached:
                break
            threading.Event().wait(0.01)
    assert reached == [b"last"]


def test_ipv6(shared: LocalWorkspace) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("this host has no IPv6")
    with listening(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)) as (server, reached):
        port = server.getsockname()[1]
        answered = ask(shared, f"answer(attempt(socket.create_connection, ('::1', {port}), 3))")
    assert answered[0] in ("ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL")
    assert reached == []


def test_a_unix_socket_of_the_host(shared: LocalWorkspace, tmp_path: Path) -> None:
    path = str(tmp_path / "host.sock")
    with listening(socket.AF_UNIX, socket.SOCK_STREAM, path) as (_, reached):
        Path(path).chmod(0o777)
        answered = ask(shared, f"s = socket.socket(socket.AF_UNIX)\nanswer(attempt(s.connect, {path!r}))")
    assert answered[0] == "ENOENT"
    assert reached == []


def test_an_abstract_unix_socket_of_the_host(shared: LocalWorkspace) -> None:
    name = f"\0{CANARY}-{os.getpid()}"
    with listening(socket.AF_UNIX, socket.SOCK_STREAM, name) as (_, reached):
        answered = ask(shared, f"s = socket.socket(socket.AF_UNIX)\nanswer(attempt(s.connect, {name!r}))")
    assert answered[0] == "ECONNREFUSED"
    assert reached == []


def test_socket_families_that_reach_the_kernel(shared: LocalWorkspace) -> None:
    families = {"netlink": 16, "packet": 17, "alg": 38, "vsock": 40, "bluetooth": 31, "can": 29, "xdp": 44}
    answered = ask(
        shared, f"answer([attempt(socket.socket, f, socket.SOCK_DGRAM)[0] for f in {list(families.values())}])"
    )
    assert set(answered) == {"EAFNOSUPPORT"}


def test_raw_sockets(shared: LocalWorkspace) -> None:
    assert ask(shared, "answer(attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)[0])") == "EPERM"


def test_there_is_no_interface_but_a_loopback_of_its_own(shared: LocalWorkspace) -> None:
    lines = ask(shared, "answer(open('/proc/net/dev').read().splitlines()[2:])")
    assert [line.split(":")[0].strip() for line in lines] == ["lo"]
    # but a test-suite that starts a server of its own works
    own = "s = socket.create_server(('127.0.0.1', 0))\nc = socket.create_connection(s.getsockname())\nanswer('works')"
    assert ask(shared, own) == "works"


# Files and secrets


@pytest.fixture
def planted(tmp_path: Path, home: Path, repository: tuple[Path, str]) -> Iterator[list[Path]]:
    """Files with a canary in every place of the host that somebody would look at."""
    user = Path.home()
    folders = [tmp_path, home, home / "checkouts", home / "tmp", user, repository[0] / ".git", Path("/var/tmp")]
    files = []
    for folder in folders:
        if folder.is_dir() and os.access(folder, os.W_OK):
            file = folder / f"{CANARY}-{os.getpid()}"
            file.write_text(CANARY)
            file.chmod(0o644)
            files.append(file)
    assert len(files) >= 5
    yield files
    for file in files:
        file.unlink(missing_ok=True)


SEARCH = f"""
found, seen = [], 0
for folder, folders, files in os.walk('/'):
    if folder.startswith(('/proc/', '/sys/')):
        folders[:] = []
        continue
    seen += len(files)
    found += [folder + '/' + n for n in folders + files if {CANARY!r} in n]
answer([found, seen])
"""


def test_no_file_of_the_host_or_of_another_workspace_is_found_by_name(
    home: Path, tmp_path: Path, shared: LocalWorkspace, planted: list[Path]
) -> None:
    commit = make_repository(tmp_path / "other", {**FILES, CANARY: CANARY})
    with LocalWorkspaces(home, SMALL).open(str(tmp_path / "other"), commit, record=ListTrail()) as other:
        other.run(("touch", f"/tmp/{CANARY}"))
        assert CANARY in ask(other, "answer(os.listdir('/workspace'))")
        found, seen = ask(shared, SEARCH, timeout_s=120)
    assert found == []
    assert seen > 1000, "the search looked nowhere"


def test_no_file_of_the_host_is_read_by_path(shared: LocalWorkspace, planted: list[Path]) -> None:
    key = str(Path.home() / ".ssh" / "id_rsa")
    paths = [*map(str, planted), "/etc/shadow", "/etc/gshadow", key, "/etc/ssh"]
    answered = ask(shared, f"answer([attempt(open, p)[0] for p in {paths}])")
    assert set(answered) <= {"ENOENT", "EACCES"}


def test_the_passwords_file_names_nobody_of_the_host(shared: LocalWorkspace) -> None:
    users = ask(shared, "answer([l.split(':')[0] for l in open('/etc/passwd')])")
    assert users == ["root", "nobody", "karkhana"]


def test_the_environment_of_the_host_is_not_there(shared: LocalWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARKHANA_TEST_TOKEN", CANARY)
    program = """
texts = [repr(dict(os.environ))]
for process in filter(str.isdigit, os.listdir('/proc')):
    got = attempt(lambda: open(f'/proc/{process}/environ').read())
    texts.append(got[1])
answer(texts)
"""
    with subprocess.Popen(["sleep", "60"], env={"TOKEN": CANARY}) as neighbour:
        texts = ask(shared, program)
        neighbour.kill()
    assert CANARY not in "".join(texts)
    assert "LANG" in "".join(texts), "nothing was read"
    names = set(ask(shared, "answer(list(os.environ))"))
    assert names <= {
        "PATH",
        "HOME",
        "LANG",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHASHSEED",
        "CI",
        "PYTHONPATH",
        "LC_CTYPE",
    }


def test_the_guest_cannot_be_inspected(shared: LocalWorkspace) -> None:
    parts = ["mem", "environ", "root", "cwd", "exe", "fd", "map_files", "maps", "stack", "syscall", "ns/mnt"]
    program = f"""
def look(part):
    path = '/proc/1/' + part
    return os.listdir(path) if part in ('fd', 'map_files', 'root', 'cwd') else open(path, 'rb').read(10)
answer([attempt(look, part)[0] for part in {parts}])
"""
    assert set(ask(shared, program)) <= {"EACCES", "EPERM", "ENOENT"}


def test_only_processes_of_the_sandbox_are_visible(shared: LocalWorkspace) -> None:
    program = "answer([sorted(int(p) for p in os.listdir('/proc') if p.isdigit()), os.getpid()])"
    processes, own = ask(shared, program)
    assert processes == [1, own]


def test_the_system_is_read_only(shared: LocalWorkspace) -> None:
    python = layout.interpreter()
    places = [python, str(Path(python).parent / CANARY), f"{PROBES}/run.py", f"{PROBES}/{CANARY}"]
    places += [
        f"{layout.INSIDE}/find.py",
        layout.GUEST,
        f"/usr/bin/{CANARY}",
        "/etc/passwd",
        f"/{CANARY}",
        f"/dev/{CANARY}",
    ]
    before = Path(python).stat().st_mtime_ns
    answered = ask(shared, f"answer([attempt(open, p, 'ab')[0] for p in {places}])")
    assert set(answered) <= {"EROFS", "EACCES", "EPERM", "ETXTBSY"}
    removed = ask(shared, f"answer([attempt(os.unlink, p)[0] for p in {[python, layout.GUEST]}])")
    assert set(removed) <= {"EROFS", "EACCES", "EPERM", "EBUSY"}
    assert Path(python).stat().st_mtime_ns == before


def test_kernel_settings_cannot_be_written(shared: LocalWorkspace) -> None:
    settings = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches"]
    settings += ["/proc/sysrq-trigger", "/proc/sys/user/max_user_namespaces", "/proc/sys/fs/binfmt_misc/register"]
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    answered = ask(shared, f"answer([attempt(open, p, 'w')[0] for p in {settings}])")
    assert set(answered) <= {"EROFS", "EACCES", "EPERM", "ENOENT"}
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_kernel_memory_and_logs_cannot_be_read(shared: LocalWorkspace) -> None:
    places = ["/proc/kcore", "/proc/kmsg", "/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/port", "/proc/keys"]
    answered = ask(shared, f"answer([attempt(lambda: open(p, 'rb').read(1))[0] for p in {places}])")
    assert set(answered) <= {"ENOENT", "EACCES", "EPERM", "ENXIO"}


def test_devices_are_the_harmless_ones(shared: LocalWorkspace) -> None:
    names = set(ask(shared, "answer(os.listdir('/dev'))"))
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx", "shm", "fd", "core"}
    assert names <= harmless | {"stdin", "stdout", "stderr", "console"}


def test_control_groups_cannot_be_reached(shared: LocalWorkspace) -> None:
    assert ask(shared, "answer([os.path.exists(p) for p in ('/sys/fs/cgroup', '/sys/kernel', '/run')])") == [False] * 3


def test_the_host_name_stays(shared: LocalWorkspace) -> None:
    before = socket.gethostname()
    assert ask(shared, "answer([attempt(socket.sethostname, 'owned')[0], socket.gethostname()])") == [
        "EPERM",
        "sandbox",
    ]
    assert socket.gethostname() == before


def test_no_descriptor_of_the_guest_is_inherited(shared: LocalWorkspace) -> None:
    program = """
def kind(n):
    try:
        return os.readlink(f'/proc/self/fd/{n}')
    except OSError:
        return ''
held = [n for n in range(3, 4096) if attempt(os.fstat, n)[0] == 'OK']
answer([held, [kind(n).split(':')[0] for n in range(3)]])
"""
    assert ask(shared, program) == [[], ["pipe", "pipe", "pipe"]]


def test_the_guests_socket_cannot_be_forged(shared: LocalWorkspace) -> None:
    """A command that could write to it could pass off results of its own."""
    program = """
forged = b'\\0\\0\\0\\x02{}'
tried = [attempt(os.write, n, forged)[0] for n in range(3, 64)]
tried += [attempt(open, f'/proc/1/fd/{n}', 'wb')[0] for n in range(64)]
tried.append(syscall(438, syscall_fd, 5, 0) if (syscall_fd := os.pidfd_open(1)) else '')
answer(sorted(set(tried)))
"""
    assert set(ask(shared, program)) <= {"EBADF", "EACCES", "EPERM", "ENOENT"}
    assert shared.run(("echo", "honest")).stdout == b"honest\n"


def test_a_file_outside_cannot_be_linked_into_the_workspace(shared: LocalWorkspace) -> None:
    program = "answer([attempt(os.link, p, '/workspace/l')[0] for p in ('/usr/bin/env', '/etc/hosts', '/tmp/x')])"
    assert set(ask(shared, "open('/tmp/x', 'w').close()\n" + program)) <= {"EXDEV", "EPERM", "EROFS"}


def test_the_shared_checkout_is_never_changed(home: Path, tmp_path: Path) -> None:
    commit = make_repository(tmp_path / "mine", {**FILES, "unique.txt": str(tmp_path)})
    spaces = LocalWorkspaces(home, SMALL)
    with spaces.open(str(tmp_path / "mine"), commit, record=ListTrail()):
        checkouts = list((home / "checkouts").iterdir())
    (checkout,) = [
        c for c in checkouts if (c / "unique.txt").exists() and (c / "unique.txt").read_text() == str(tmp_path)
    ]
    before = snapshot(checkout)
    with spaces.open(str(tmp_path / "mine"), commit, record=ListTrail()) as workspace:
        program = """
for folder, folders, files in os.walk('/workspace', topdown=False):
    for name in files:
        path = os.path.join(folder, name)
        os.chmod(path, 0o777); os.utime(path, (0, 0))
        open(path, 'a').write('owned'); open(path, 'w').write('owned')
        os.rename(path, path + '.x'); os.unlink(path + '.x')
    if folder != '/workspace':
        os.rmdir(folder)
answer(os.listdir('/workspace'))
"""
        assert ask(workspace, program) == []
        assert len(workspace.changes()) == len(before) - sum(1 for m, _ in before.values() if m & 0o040000)
    assert snapshot(checkout) == before


def test_set_user_programs_of_the_host_give_nothing(shared: LocalWorkspace) -> None:
    program = """
fields = dict(l.split(':', 1) for l in open('/proc/self/status') if ':' in l)
capabilities = {fields[k].strip() for k in fields if k.startswith('Cap')}
answer([fields['NoNewPrivs'].strip(), capabilities == {'0' * 16}, os.getuid()])
"""
    assert ask(shared, program) == ["1", True, 1000]
    su = shutil.which("su")
    if su:
        assert shared.run((su, "-c", "id")).exit_code != 0


def test_there_is_no_terminal_to_type_into(shared: LocalWorkspace) -> None:
    program = """
import fcntl, pty
tried = [attempt(open, '/dev/tty', 'r+')[0]]
master, slave = pty.openpty()
tried += [attempt(fcntl.ioctl, slave, request, b'x')[0] for request in (0x5412, 0x541C)]
answer(tried)
"""
    assert ask(shared, program) == ["ENXIO", "EPERM", "EPERM"]


def test_what_was_printed_is_all_that_comes_back(shared: LocalWorkspace) -> None:
    result = inside(shared, "sys.stdout.write('out'); sys.stderr.write('err'); sys.exit(7)")
    assert (result.exit_code, result.stdout, result.stderr) == (7, b"out", b"err")
