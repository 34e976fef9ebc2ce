"""Attacks that try to use up the host, to outlive their command, or to gain privileges by system calls."""

import json
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from abuse_support import CANARY, SMALL, ListTrail, ask, host_processes, inside

from karkhana.domain.errors import InfrastructureFailure, RunCancelled
from karkhana.workspace.local import LocalWorkspace, LocalWorkspaces
from karkhana.workspace.sandbox import Sandbox, SandboxSpec


def alone(workspace: LocalWorkspace) -> bool:
    """Whether the sandbox still answers, and nothing but the guest and the asking command lives in it."""
    processes, own = ask(workspace, "answer([sorted(int(p) for p in os.listdir('/proc') if p.isdigit()), os.getpid()])")
    return bool(processes == [1, own])


# Using up the host


def test_fork_bomb(workspace: LocalWorkspace) -> None:
    program = """
made = 0
def bomb():
    global made
    while True:
        try:
            if os.fork() == 0:
                made = 0
            else:
                made += 1
        except OSError as error:
            os.write(2, errno.errorcode[error.errno].encode() + b' ')
            time.sleep(5)
bomb()
"""
    result = inside(workspace, program, timeout_s=3)
    assert result.timed_out
    assert b"EAGAIN" in result.stderr, "the bomb never met a limit"
    assert result.stderr.count(b"EAGAIN") <= SMALL.processes * 3
    assert alone(workspace)


def test_thread_bomb(workspace: LocalWorkspace) -> None:
    program = """
import threading
made = 0
try:
    while made < 5000:
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        made += 1
except RuntimeError:
    pass
os.write(1, json.dumps(made).encode())
os._exit(0)
"""
    assert 1 <= int(inside(workspace, program).stdout) <= SMALL.processes
    assert alone(workspace)


def test_memory_bomb(workspace: LocalWorkspace) -> None:
    program = """
kept = []
for n in range(200):
    kept.append(bytearray(os.urandom(1 << 10) * (16 << 10)))
    os.write(1, b'.')
"""
    result = inside(workspace, program)
    assert result.exit_code != 0
    assert len(result.stdout) * 16 <= SMALL.memory_mb + SMALL.disk_mb
    assert alone(workspace)


def test_memory_bomb_of_many_processes(workspace: LocalWorkspace) -> None:
    """Each stays below the limit of one process; together they are far above what the sandbox may have."""
    program = """
full, living = set(), set()
read, write = os.pipe()
os.set_blocking(read, False)
for n in range(200):
    if n < 16:
        child = os.fork()
        if child == 0:
            kept = bytearray(b'x') * (150 << 20)
            os.write(write, os.getpid().to_bytes(4, 'big'))
            time.sleep(60)
            os._exit(0)
        living.add(child)
    time.sleep(0.02)
    try:
        while data := os.read(read, 4):
            full.add(int.from_bytes(data, 'big'))
    except BlockingIOError:
        pass
    try:
        while (dead := os.waitpid(-1, os.WNOHANG)[0]):
            living.discard(dead)
    except ChildProcessError:
        pass
    os.write(1, f'{len(full & living)} '.encode())
"""
    result = inside(workspace, program, timeout_s=60)
    together = [int(word) for word in result.stdout.split()]
    assert max(together) >= 1 or result.exit_code == 128 + signal.SIGKILL, "nothing was ever used"
    assert max(together) * 150 <= SMALL.memory_mb + SMALL.disk_mb + 150  # a guard that looks may see one too many
    assert alone(workspace)


@pytest.mark.parametrize("place", ["/workspace", "/tmp", "/dev/shm"])
def test_disk_fill(workspace: LocalWorkspace, place: str) -> None:
    program = f"""
written, last = 0, ''
for n in range(400):
    name = {place!r} + f'/fill{{n}}'
    try:
        with open(name, 'wb') as file:
            written += file.write(b'x' * (1 << 20))
            file.flush()
    except OSError as error:
        last = errno.errorcode[error.errno]
        break
answer([written >> 20, last])
"""
    free = shutil.disk_usage("/").free
    written, last = ask(workspace, program)
    assert last == "ENOSPC"
    assert written <= SMALL.disk_mb
    assert shutil.disk_usage("/").free > free - (512 << 20)
    assert alone(workspace)


def test_inode_fill(workspace: LocalWorkspace) -> None:
    program = """
made, last = 0, ''
os.mkdir('many')
for n in range(20000):
    got = attempt(os.mknod, f'many/{n}')
    if got[0] != 'OK':
        last = got[0]
        break
    made += 1
answer([made, last])
"""
    made, last = ask(workspace, program)
    assert last == "ENOSPC"
    assert made <= SMALL.inodes
    assert alone(workspace)


def test_one_huge_file(workspace: LocalWorkspace) -> None:
    program = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = open('huge', 'wb')
answer([attempt(os.truncate, 'huge', 1 << 40)[0], attempt(os.posix_fallocate, file.fileno(), 0, 1 << 30)[0]])
"""
    assert set(ask(workspace, program)) == {"EFBIG"}


def test_places_without_a_bound_are_read_only(shared: LocalWorkspace) -> None:
    """Whatever is writable must lie on the sized file system."""
    program = """
writable = []
for line in open('/proc/mounts'):
    place = line.split()[1]
    if not place.startswith(('/proc', '/dev/pts')) and os.access(place, os.W_OK) and os.path.isdir(place):
        writable.append(place)
answer([sorted(writable), len({os.statvfs(p).f_blocks for p in writable})])
"""
    assert ask(shared, program) == [["/dev/shm", "/tmp", "/workspace"], 1]


def test_output_flood(workspace: LocalWorkspace) -> None:
    result = workspace.run(("sh", "-c", "yes & yes >&2"), timeout_s=1.5)
    assert result.timed_out
    assert result.truncated
    assert len(result.stdout) + len(result.stderr) == SMALL.output_mb << 20
    assert alone(workspace)


def test_endless_line_without_a_newline(workspace: LocalWorkspace) -> None:
    result = inside(workspace, "while True: os.write(1, b'x' * 65536)", timeout_s=1)
    assert (result.timed_out, result.truncated) == (True, True)
    assert len(result.stdout) == SMALL.output_mb << 20


def test_hang(workspace: LocalWorkspace) -> None:
    result = workspace.run(("sleep", "1000"), timeout_s=0.5)
    assert result.timed_out
    assert result.exit_code == 128 + signal.SIGKILL
    assert alone(workspace)


def test_deaf_to_signals(workspace: LocalWorkspace) -> None:
    program = "[signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 19)]\nwhile True: pass"
    assert inside(workspace, program, timeout_s=1).timed_out
    assert alone(workspace)


def test_input_that_is_never_read(workspace: LocalWorkspace) -> None:
    assert workspace.run(("true",), stdin=b"x" * (8 << 20)).exit_code == 0
    assert workspace.run(("wc", "-c"), stdin=b"x" * (3 << 20)).stdout.strip() == str(3 << 20).encode()


def test_processor_time_of_one_process(home: Path, repository: tuple[Path, str]) -> None:
    settings = SMALL.__class__(cpu_s=1, command_timeout_s=60)
    with LocalWorkspaces(home, settings).open(str(repository[0]), repository[1], record=ListTrail()) as workspace:
        result = inside(workspace, "while True: pass")
    assert not result.timed_out
    assert result.exit_code in (128 + signal.SIGXCPU, 128 + signal.SIGKILL)


def test_limits_cannot_be_raised(shared: LocalWorkspace) -> None:
    program = """
import resource
names = ['RLIMIT_CPU', 'RLIMIT_FSIZE', 'RLIMIT_NPROC', 'RLIMIT_NOFILE', 'RLIMIT_CORE', 'RLIMIT_STACK']
def more(name):
    hard = resource.getrlimit(getattr(resource, name))[1]
    resource.setrlimit(getattr(resource, name), (hard + 1, hard + 1))
def tried(name):
    try:
        more(name)
    except (ValueError, OSError):
        return 'refused'
    return 'raised'
answer([tried(name) for name in names])
"""
    assert set(ask(shared, program)) == {"refused"}


# Outliving the command


def test_a_daemon_does_not_survive_its_command(workspace: LocalWorkspace) -> None:
    program = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for n in (0, 1, 2):
            os.close(n)
        while True:
            open('/tmp/{CANARY}', 'a').write('alive')
            time.sleep(0.01)
    os._exit(0)
time.sleep(0.3)
answer(os.path.exists('/tmp/{CANARY}'))
"""
    assert ask(workspace, program) is True, "the daemon never ran"
    assert alone(workspace)
    sizes = [ask(workspace, f"answer(os.path.getsize('/tmp/{CANARY}'))") for _ in range(2)]
    assert sizes[0] == sizes[1]


def test_a_stopped_process_does_not_survive(workspace: LocalWorkspace) -> None:
    program = """
child = os.fork()
if child == 0:
    os.setsid()
    os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(0.2)
answer(child)
"""
    assert ask(workspace, program) > 1
    assert alone(workspace)


def test_an_output_pipe_held_open_does_not_delay_the_answer(workspace: LocalWorkspace) -> None:
    result = workspace.run(("sh", "-c", "sleep 60 & echo done"), timeout_s=20)
    assert result.stdout == b"done\n"
    assert not result.timed_out


def test_signals_to_the_guest(workspace: LocalWorkspace) -> None:
    program = "answer([attempt(os.kill, 1, n)[0] for n in (9, 15, 19, 11, 6, 3)] + [attempt(os.kill, -1, 18)[0]])"
    assert len(ask(workspace, program)) == 7
    assert alone(workspace)


def test_signals_to_the_host(shared: LocalWorkspace) -> None:
    victim = subprocess.Popen(["sleep", "60"])
    try:
        answered = ask(shared, f"answer([attempt(os.kill, p, 9)[0] for p in ({victim.pid}, {os.getpid()})])")
        assert answered == ["ESRCH", "ESRCH"]
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def test_a_killed_guest_is_reported_and_leaves_nothing(workspace: LocalWorkspace) -> None:
    box = workspace.box
    assert isinstance(box, Sandbox)
    assert box._guest is not None
    signal.pidfd_send_signal(box._guest, signal.SIGKILL)
    with pytest.raises(InfrastructureFailure):
        workspace.run(("true",))
    with pytest.raises(InfrastructureFailure):
        workspace.run(("true",))


def test_cancelling_ends_a_running_command(workspace: LocalWorkspace) -> None:
    import threading

    timer = threading.Timer(0.5, workspace.cancel)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(RunCancelled):
        workspace.run(("sh", "-c", f"sleep 987654; : {CANARY}-cancel"), timeout_s=100)
    assert time.monotonic() - begun < 60
    timer.join()
    with pytest.raises(RunCancelled):
        workspace.run(("true",))
    for _ in range(200):
        if not host_processes(f"{CANARY}-cancel"):
            break
        time.sleep(0.02)
    assert not host_processes(f"{CANARY}-cancel")


def test_kill_9_of_the_host_process_leaves_nothing(home: Path, repository: tuple[Path, str]) -> None:
    marker = f"{CANARY}-orphan-{os.getpid()}"
    program = textwrap.dedent(
        f"""
        import os, sys, threading, time
        from pathlib import Path
        from abuse_support import SMALL, ListTrail
        from karkhana.workspace.local import LocalWorkspaces
        spaces = LocalWorkspaces(Path({str(home)!r}), SMALL)
        with spaces.open({str(repository[0])!r}, {repository[1]!r}, record=ListTrail()) as workspace:
            print(*workspace.box.group.folders, flush=True)
            workspace.run(("sh", "-c", "sleep 987654; : {marker}"), timeout_s=1000)
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert host.stdout is not None
    groups = [Path(word) for word in host.stdout.readline().split()]
    for _ in range(500):
        if len(host_processes(marker)) >= 2:
            break
        time.sleep(0.02)
    assert len(host_processes(marker)) >= 2, "the command never ran"
    host.kill()
    host.wait()
    host.stdout.close()
    for _ in range(500):
        if not host_processes(marker):
            break
        time.sleep(0.02)
    assert not host_processes(marker)
    mounted = Path("/proc/self/mounts").read_text()
    assert str(home) not in mounted
    for _ in range(500):  # a process leaves its group a little after it is gone
        if not any(group.exists() and (group / "cgroup.procs").read_text() for group in groups):
            break
        time.sleep(0.02)
    with LocalWorkspaces(home, SMALL).open(str(repository[0]), repository[1], record=ListTrail()):
        assert not [group for group in groups if group.exists()], "the next start did not sweep"
    assert list((home / "tmp").iterdir()) == []


# Privileges by system calls

X86 = platform.machine() == "x86_64"
NUMBERS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "setns": (308, 268),
    "unshare": (272, 97),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "acct": (163, 89),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "quotactl": (179, 60),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_refused_system_call(shared: LocalWorkspace, name: str) -> None:
    number = NUMBERS[name][0 if X86 else 1]
    assert ask(shared, f"answer(syscall({number}, 0, 0, 0, 0, 0))") == "EPERM"


def test_mounting_with_real_arguments(shared: LocalWorkspace) -> None:
    program = """
def tried(*arguments):
    ctypes.set_errno(0)
    return errno.errorcode.get(ctypes.get_errno(), 'OK') if libc.mount(*arguments) else 'OK'
os.makedirs('/tmp/m', exist_ok=True)
answer([
    tried(b'none', b'/tmp/m', b'tmpfs', 0, None),
    tried(b'none', b'/', None, 32 | 0, None),
    tried(b'/workspace', b'/tmp/m', None, 4096, None),
    'OK' if libc.umount2(b'/proc/sys', 2) == 0 else errno.errorcode[ctypes.get_errno()],
])
"""
    assert ask(shared, program) == ["EPERM"] * 4


def test_a_process_cannot_be_traced(shared: LocalWorkspace) -> None:
    program = f"""
number = {NUMBERS["ptrace"][0 if X86 else 1]}
child = os.fork()
if child == 0:
    time.sleep(5)
    os._exit(0)
answer([syscall(number, 16, 1, 0, 0), syscall(number, 16, child, 0, 0), syscall(number, 0, 0, 0, 0)])
"""
    assert ask(shared, program) == ["EPERM"] * 3


@pytest.mark.parametrize("flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
def test_a_new_namespace_by_clone(shared: LocalWorkspace, flag: int) -> None:
    number = 56 if X86 else 220
    program = f"""
ctypes.set_errno(0)
got = libc.syscall(ctypes.c_long({number}), ctypes.c_long({flag} | 17), 0, 0, 0, 0)
if got == 0:
    os._exit(0)
answer(errno.errorcode[ctypes.get_errno()] if got == -1 else 'OK')
"""
    assert ask(shared, program) == "EPERM"


def test_a_new_namespace_by_clone3(shared: LocalWorkspace) -> None:
    assert ask(shared, "answer(syscall(435, ctypes.create_string_buffer(88), 88))") == "ENOSYS"


ALLOW_ALL = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)


def test_namespaces_and_mounts_stay_forbidden_without_the_filter(home: Path) -> None:
    """The second wall: what the kernel itself refuses when the list of system calls is gone."""
    program = """
flags = [0x10000000, 0x20000, 0x10020000, 0x40000000]
own = attempt(os.open, '/proc/1/ns/mnt', os.O_RDONLY)[0]
answer([[errno.errorcode[ctypes.get_errno()] if libc.unshare(f) else 'OK' for f in flags],
        syscall(165 if os.uname().machine == 'x86_64' else 40, b'x', b'/tmp', b'tmpfs', 0, 0), own])
"""
    with Sandbox(SandboxSpec(home=home, settings=SMALL), rules=ALLOW_ALL) as sandbox:
        unshared, mounted, own = json.loads(inside(sandbox, program).stdout)
    assert set(unshared) <= {"EPERM", "ENOSPC", "EUSERS"}
    assert mounted == "EPERM"
    assert own == "EACCES"


def test_the_filter_is_what_refuses(home: Path) -> None:
    """Without it some of these calls work: the tests above would fail."""
    with Sandbox(SandboxSpec(home=home, settings=SMALL), rules=ALLOW_ALL) as sandbox:
        program = "answer([attempt(socket.socket, 16, 2)[0], syscall(%d, 0x0040000), attempt(os.mkfifo, 'f')[0]])"
        answered = json.loads(inside(sandbox, program % (135 if X86 else 92)).stdout)
        tried = json.loads(inside(sandbox, "answer(attempt(os.open, 'm', os.O_CREAT | os.O_WRONLY, 0o4755)[0])").stdout)
    assert answered == ["OK", "OK", "OK"]
    assert tried == "OK"


def test_joining_a_namespace(shared: LocalWorkspace) -> None:
    kinds = ["mnt", "net", "pid", "user", "ipc", "uts", "cgroup"]
    program = f"""
def join(kind):
    descriptor = os.open('/proc/self/ns/' + kind, os.O_RDONLY)
    return syscall({NUMBERS["setns"][0 if X86 else 1]}, descriptor, 0)
answer([join(kind) for kind in {kinds}])
"""
    assert set(ask(shared, program)) == {"EPERM"}


def test_devices_cannot_be_made(shared: LocalWorkspace) -> None:
    program = """
import stat
kinds = [(stat.S_IFCHR, 1, 1), (stat.S_IFBLK, 8, 0), (stat.S_IFCHR, 0, 0)]
answer([attempt(os.mknod, f'/{place}/dev', kind | 0o666, os.makedev(a, b))[0]
        for kind, a, b in kinds for place in ('tmp', 'workspace')])
"""
    assert set(ask(shared, program)) == {"EPERM"}


def test_set_user_bits_cannot_be_left_behind(workspace: LocalWorkspace) -> None:
    program = """
open('plain', 'w').close()
tried = [
    attempt(os.chmod, 'plain', 0o4755)[0],
    attempt(os.chmod, 'plain', 0o2755)[0],
    attempt(lambda: os.fchmod(os.open('plain', os.O_RDONLY), 0o6755))[0],
    attempt(os.open, 'made', os.O_CREAT | os.O_WRONLY, 0o4755)[0],
    attempt(os.mknod, 'node', 0o104755)[0],
    attempt(os.open, '.', os.O_TMPFILE | os.O_WRONLY, 0o4755)[0],
]
answer([tried, syscall(437, -100, b'x', 0, 24), syscall(452, -100, b'plain', 0o4755, 0), oct(os.stat('plain').st_mode)])
"""
    tried, openat2, fchmodat2, mode = ask(workspace, program)
    assert set(tried) == {"EPERM"}
    assert (openat2, fchmodat2) == ("ENOSYS", "ENOSYS")
    assert mode == "0o100644"


def test_ordinary_modes_still_work(workspace: LocalWorkspace) -> None:
    program = """
open('plain', 'w').close()
os.chmod('plain', 0o755)
os.close(os.open('made', os.O_CREAT | os.O_WRONLY, 0o600))
answer([oct(os.stat(n).st_mode) for n in ('plain', 'made')])
"""
    assert ask(workspace, program) == ["0o100755", "0o100600"]


def test_other_execution_domains(shared: LocalWorkspace) -> None:
    number = 135 if X86 else 92
    program = f"answer([syscall({number}, n) for n in (8, 0x0040000, 0)])"
    assert ask(shared, program) == ["EPERM", "EPERM", "OK"]


@pytest.mark.skipif(not X86, reason="other machines have one set of system calls")
@pytest.mark.parametrize("way", ["x32", "i386"])
def test_system_calls_of_another_architecture(shared: LocalWorkspace, way: str) -> None:
    program = {
        "x32": "libc.syscall(ctypes.c_long(0x40000000 + 39))",
        "i386": """
import mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex('b814000000cd80c3'))  # mov eax, 20 (getpid); int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
""",
    }[way]
    result = inside(shared, program + "\nanswer('survived')")
    assert b"survived" not in result.stdout
    assert result.exit_code in (128 + signal.SIGSYS, 128 + signal.SIGSEGV)


def test_escape_by_chroot_and_dotdot(shared: LocalWorkspace) -> None:
    program = """
os.makedirs('/tmp/jail', exist_ok=True)
tried = [attempt(os.chroot, '/tmp/jail')[0]]
for _ in range(50):
    os.chdir('..')
answer([tried, sorted(os.listdir('.')) == sorted(os.listdir('/'))])
"""
    assert ask(shared, program) == [["EPERM"], True]
