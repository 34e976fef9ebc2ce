"""Attacks that plant something in the workspace for the host to trip over."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from abuse_support import CANARY, SMALL, ListTrail, ask, inside

from karkhana.domain.changes import SYMLINK
from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.domain.events import Noted
from karkhana.git import make_patch
from karkhana.workspace.local import LocalWorkspace, LocalWorkspaces
from karkhana.workspace.sandbox import Sandbox
from karkhana.workspace.scan import MOST_FILES

# Races

AT_LEAST = 2500
AT_MOST = 100_000


def racing(workspace: LocalWorkspace, program: str) -> threading.Thread:
    thread = threading.Thread(target=inside, args=(workspace, program), kwargs={"timeout_s": 120})
    thread.start()
    for _ in range(1000):
        if workspace.read("racing") is not None:
            return thread
        time.sleep(0.01)
    raise AssertionError("the race never began")


def tries(met: Callable[[], bool]) -> Iterator[int]:
    """Numbers, until the race was met from both sides; bounded."""
    for number in range(AT_MOST):
        if number >= AT_LEAST and met():
            return
        yield number


def stop(workspace: LocalWorkspace, thread: threading.Thread) -> int:
    """End the race; how many swaps were made."""
    workspace.write("stop", b"")
    thread.join()
    count = workspace.read("swaps")
    assert count is not None
    return int(count)


SWAP = """
EXCHANGE = 316 if os.uname().machine == 'x86_64' else 276  # renameat2
open('racing', 'w').close()
swaps = 0
while not os.path.exists('stop'):
    if syscall(EXCHANGE, -100, {name!r}, -100, b'link', 2) == 'OK':
        swaps += 1
    if not os.path.islink('link') and not os.path.islink({name!r}):  # the host replaced the link
        os.symlink({target!r}, 'fresh')
        os.rename('fresh', 'link')
    time.sleep(0.0001 * (swaps % 3))  # so that the host meets each of them
open('swaps', 'w').write(str(swaps))
"""

SWAP_FOLDER = """
os.makedirs('d', exist_ok=True)
os.symlink({target!r}, 'link')
""" + SWAP.replace("{name!r}", "b'd'")

SWAP_FILE = """
open('victim', 'w').close()
os.symlink({target!r}, 'link')
""" + SWAP.replace("{name!r}", "b'victim'")


def test_a_folder_swapped_for_a_link_while_the_host_writes(workspace: LocalWorkspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    thread = racing(workspace, SWAP_FOLDER.format(target=str(outside)))
    outcomes = {"written": 0, "refused": 0}
    for _ in tries(lambda: all(outcomes.values())):
        try:
            workspace.write("d/file.txt", b"content")
            outcomes["written"] += 1
        except ToolRefused:
            outcomes["refused"] += 1
    assert stop(workspace, thread) > 10
    assert list(outside.iterdir()) == [], "a write escaped"
    assert outcomes["written"] > 0
    assert outcomes["refused"] > 0, "the race was never met"


def test_a_folder_swapped_for_a_link_while_the_host_reads(workspace: LocalWorkspace, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file.txt").write_text(CANARY)
    workspace.write("d/file.txt", b"content")
    thread = racing(workspace, SWAP_FOLDER.format(target=str(tmp_path / "secret")))
    seen: set[bytes | None] = set()
    outcomes = {"read": 0, "refused": 0}
    for _ in tries(lambda: all(outcomes.values())):
        try:
            content = workspace.read("d/file.txt")
            seen.add(content)
            outcomes["read"] += content is not None
        except ToolRefused:
            outcomes["refused"] += 1
    assert stop(workspace, thread) > 10
    assert seen <= {b"content", None}
    assert b"content" in seen
    assert outcomes["refused"] > 0, "the race was never met"


def test_a_file_swapped_for_a_link_while_the_host_writes(workspace: LocalWorkspace, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    target.chmod(0o666)
    thread = racing(workspace, SWAP_FILE.format(target=str(target)))
    outcomes = {"written": 0, "refused": 0}
    for _ in tries(lambda: all(outcomes.values())):
        try:
            workspace.write("victim", b"escaped")
            outcomes["written"] += 1
        except ToolRefused:
            outcomes["refused"] += 1
    assert stop(workspace, thread) > 10
    assert outcomes["written"] > 0
    assert outcomes["refused"] > 0, "the race was never met"
    assert target.read_text() == "untouched"


def test_the_tree_swapped_while_the_host_looks_for_changes(workspace: LocalWorkspace, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text(CANARY)
    workspace.write("d/file.txt", b"content")
    thread = racing(workspace, SWAP_FOLDER.format(target=str(tmp_path)))
    for _ in range(300):
        for change, _, after in workspace.changes():
            assert after is None or CANARY.encode() not in after, change.path
    assert stop(workspace, thread) > 10


# Links, pipes, devices, sizes


def test_links_out_of_the_workspace(workspace: LocalWorkspace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    tmp_path.chmod(0o777)
    program = f"""
os.symlink({str(tmp_path)!r}, 'out')
os.symlink({str(tmp_path / "secret")!r}, 'secret')
os.symlink('/proc/self/root', 'magic')
os.symlink('..', 'up')
answer('planted')
"""
    assert ask(workspace, program) == "planted"
    for path in ("out/secret", "secret", f"magic{tmp_path}/secret", "up/etc/passwd", "magic/etc/hostname"):
        with pytest.raises(ToolRefused):
            workspace.read(path)
        with pytest.raises(ToolRefused):
            workspace.write(path, b"escaped")
        with pytest.raises(ToolRefused):
            workspace.write(path, None)
    assert (tmp_path / "secret").read_text() == CANARY
    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret"]
    links = {change.path: after for change, _, after in workspace.changes()}
    assert links["secret"] == os.fsencode(tmp_path / "secret")  # the link itself, never what it points to
    assert {change.after.mode for change, _, _ in workspace.changes() if change.after} == {SYMLINK}


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", "", ".", "a//b", "a/./b", "x\0y", ".git/config", "a/.GIT/hooks/x"]
)
def test_paths_that_lead_out(shared: LocalWorkspace, path: str) -> None:
    with pytest.raises(ToolRefused):
        shared.read(path)
    with pytest.raises(ToolRefused):
        shared.write(path, b"x")


def test_a_pipe_and_a_socket_in_the_place_of_files(home: Path, repository: tuple[Path, str]) -> None:
    trail = ListTrail()
    with LocalWorkspaces(home, SMALL).open(str(repository[0]), repository[1], record=trail) as workspace:
        program = """
os.mkfifo('pipe')
os.unlink('cart.py'); os.mkfifo('cart.py')
socket.socket(socket.AF_UNIX).bind('sock')
answer('planted')
"""
        assert ask(workspace, program) == "planted"
        begun = time.monotonic()
        for path in ("pipe", "cart.py", "sock", "src"):
            with pytest.raises(ToolRefused):
                workspace.read(path)
            with pytest.raises(ToolRefused):
                workspace.write(path, b"x")
        changes = {change.path: after for change, _, after in workspace.changes()}
        assert time.monotonic() - begun < 30, "a pipe held the host up"
    assert changes == {"cart.py": None}
    notes = [event.text for event in trail.events if isinstance(event, Noted)]
    assert len(notes) == 3
    assert any("'pipe'" in note and "named pipe" in note for note in notes)


def test_huge_sparse_files(workspace: LocalWorkspace) -> None:
    limit = SMALL.file_mb << 20
    made = ask(workspace, f"open('sparse', 'w').truncate({limit})\nanswer(os.path.getsize('sparse'))")
    assert made == limit
    assert len(workspace.read("sparse") or b"") == limit  # up to the bound, and no further
    program = f"""
for n in range(300):
    open(f'sparse{{n}}', 'w').truncate({limit})
answer('planted')
"""
    assert ask(workspace, program) == "planted"
    with pytest.raises(ToolRefused, match="MiB"):
        workspace.changes()
    assert ask(workspace, "[os.unlink(n) for n in os.listdir('.') if 'sparse' in n]\nanswer('removed')") == "removed"
    assert workspace.changes() == ()


def test_a_hundred_thousand_files(home: Path, repository: tuple[Path, str]) -> None:
    settings = SMALL.__class__(disk_mb=512, memory_mb=1024)
    with LocalWorkspaces(home, settings).open(str(repository[0]), repository[1], record=ListTrail()) as workspace:
        program = """
for place in ('build', 'many'):
    os.mkdir(place)
    for n in range({files}):
        os.close(os.open(f'{{place}}/{{n}}', os.O_CREAT | os.O_WRONLY))
answer(len(os.listdir('many')))
"""
        assert ask(workspace, program.format(files=100_000 // 2), timeout_s=120) == 50_000
        with pytest.raises(ToolRefused, match=str(MOST_FILES)):
            workspace.changes()
        ask(workspace, "import shutil\nshutil.rmtree('many')\nanswer(1)", timeout_s=120)
        assert workspace.changes() == ()  # the ignored folder is not even looked into


def test_a_very_deep_tree(workspace: LocalWorkspace) -> None:
    program = """
depth = 0
os.chdir('/workspace')
for depth in range(1500):
    if attempt(os.mkdir, 'deep' * 5)[0] != 'OK':
        break
    os.chdir('deep' * 5)
open('bottom', 'w').write('x')
answer(depth)
"""
    assert ask(workspace, program) > 1000
    assert workspace.changes() == ()


def test_odd_names(workspace: LocalWorkspace) -> None:
    program = """
for name in (b'new\\nline', b'-rf', b'\\xff\\xfe', b' ', b'"quoted"', b'a\\\\b', b':(top)x', b'!x', b'#x'):
    open(b'/workspace/' + name, 'w').write('x')
answer('planted')
"""
    assert ask(workspace, program) == "planted"
    paths = {change.path for change, _, _ in workspace.changes()}
    assert paths == {"new\nline", "-rf", "\udcff\udcfe", " ", '"quoted"', "a\\b", ":(top)x", "!x", "#x"}
    for path in paths:
        assert workspace.read(path) == b"x"
        workspace.write(path, None)
    assert workspace.changes() == ()


def test_files_whose_permissions_were_taken_away(workspace: LocalWorkspace) -> None:
    program = """
os.makedirs('closed/in')
open('closed/in/file', 'w').write('new')
open('cart.py', 'w').write('changed')
os.chmod('cart.py', 0)
os.chmod('closed/in/file', 0); os.chmod('closed/in', 0); os.chmod('closed', 0)
answer('planted')
"""
    assert ask(workspace, program) == "planted"
    changes = {change.path: after for change, _, after in workspace.changes()}
    assert changes == {"cart.py": b"changed", "closed/in/file": b"new"}
    assert workspace.read("cart.py") == b"changed"
    workspace.write("cart.py", b"again")
    assert workspace.read("cart.py") == b"again"


def test_a_full_disk_is_refused_not_broken(workspace: LocalWorkspace) -> None:
    workspace.run(("sh", "-c", "for n in 1 2 3 4; do head -c 15000000 /dev/zero > fill$n; done"))
    with pytest.raises(ToolRefused, match="full"):
        workspace.write("cart.py", b"x" * (1 << 20))
    assert workspace.read("cart.py") == b"def total(items):\n    return sum(items)\n"
    workspace.run(("sh", "-c", "rm fill*"))
    workspace.write("cart.py", b"x" * (1 << 20))
    assert {change.path for change, _, _ in workspace.changes()} == {"cart.py"}


def test_the_workspace_emptied(workspace: LocalWorkspace) -> None:
    ask(
        workspace,
        "import shutil\n[shutil.rmtree(n) if os.path.isdir(n) else os.unlink(n) for n in os.listdir('.')]\nanswer(1)",
    )
    assert {change.after for change, _, _ in workspace.changes()} == {None}
    workspace.write("src/shop/tax.py", b"RATE = 0.2\n")
    assert "src/shop/tax.py" not in {change.path for change, _, _ in workspace.changes()}


# Code for the host to run by mistake


@pytest.fixture
def planted_code(workspace: LocalWorkspace, tmp_path: Path) -> Path:
    """Everything that a tool of the host might execute, each of which would leave a canary on the host."""
    tmp_path.chmod(0o777)
    canary = tmp_path / "executed"
    program = f"""
import shutil
canary = {str(canary)!r}
touch = 'touch ' + canary
code = 'open(' + repr(canary) + ', "w").close()\\n'
os.makedirs('.git/hooks'); os.makedirs('.git/objects'); os.makedirs('.git/refs'); os.makedirs('.git/info')
open('.git/HEAD', 'w').write('ref: refs/heads/main\\n')
config = '''[core]
 fsmonitor = X
 sshCommand = X
 pager = X
 worktree = /
 hooksPath = .git/hooks
[filter "x"]
 clean = X
 smudge = X
 required = true
[diff "x"]
 textconv = X
 command = X
[alias]
 status = !X
[merge "x"]
 driver = X
'''
open('.git/config', 'w').write(config.replace('X', touch))
for hook in ('pre-commit', 'post-checkout', 'post-commit', 'pre-push', 'fsmonitor-watchman', 'post-index-change'):
    open('.git/hooks/' + hook, 'w').write('#!/bin/sh\\n' + touch + '\\n'); os.chmod('.git/hooks/' + hook, 0o755)
open('.gitattributes', 'w').write('* filter=x diff=x merge=x\\n')
modules = '[submodule "s"]\\n path = s\\n url = ext::X\\n update = !X\\n'
open('.gitmodules', 'w').write(modules.replace('X', touch))
os.makedirs('s'); open('s/.git', 'w').write('gitdir: ../.git\\n')
for name in ('conftest.py', 'setup.py', 'sitecustomize.py', 'usercustomize.py', 'cart.py', 'noxfile.py', 'json.py',
             'tests/conftest.py', 'src/shop/__init__.py', 'pytest.py', 'msgspec.py', 'evil.pth'):
    open(name, 'w').write(code if not name.endswith('.pth') else 'import os; os.system("' + touch + '")\\n')
open('Makefile', 'w').write('all:\\n\\t' + touch + '\\n')
open('pytest.ini', 'w').write('[pytest]\\naddopts = -p conftest\\n')
answer(os.getcwd())
"""
    assert ask(workspace, program) == "/workspace"
    return canary


def test_planted_git_and_python_code_never_runs_on_the_host(
    workspace: LocalWorkspace, planted_code: Path, repository: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(planted_code.parent)
    changes = workspace.changes()
    paths = {change.path for change, _, _ in changes}
    assert {"conftest.py", "setup.py", ".gitattributes", ".gitmodules"} <= paths
    assert not any(".git" in path.split("/") for path in paths)
    files = {
        change.path: (
            (change.before.mode, before) if change.before and before is not None else None,
            (change.after.mode, after) if change.after and after is not None else None,
        )
        for change, before, after in changes
    }
    patch = make_patch(files)
    assert b"conftest.py" in (patch if isinstance(patch, bytes) else patch.encode("utf-8", "surrogateescape"))
    for path in paths:
        workspace.read(path)
    workspace.write("cart.py", b"x = 1\n")
    workspace.changes()
    subprocess.run(["git", "status"], cwd=repository[0], check=True, capture_output=True)
    assert not planted_code.exists(), "code of the workspace ran on the host"


def test_the_planted_code_does_run_when_it_is_given_the_chance(
    workspace: LocalWorkspace, planted_code: Path, tmp_path: Path
) -> None:
    """The control: the same files on the host's disk do fire, so the test above can fail."""
    place = tmp_path / "copy"
    place.mkdir()
    for change, _, after in workspace.changes():
        if after is not None:
            (place / change.path).parent.mkdir(parents=True, exist_ok=True)
            (place / change.path).write_bytes(after)
    subprocess.run([sys.executable, "setup.py"], cwd=place, check=True)
    assert planted_code.exists()


def test_the_upper_layer_holds_no_set_user_file(workspace: LocalWorkspace) -> None:
    inside(workspace, "open('x', 'w').close(); attempt(os.chmod, 'x', 0o6755); attempt(os.chmod, 'run.sh', 0o6755)")
    box = workspace.box
    assert isinstance(box, Sandbox)
    assert box.upper is not None
    for name in os.listdir(box.upper):  # noqa: PTH208 - a descriptor
        found = os.stat(name, dir_fd=box.upper, follow_symlinks=False)
        assert found.st_mode & 0o6000 == 0
        assert found.st_uid == box.owner.uid


def test_what_the_host_writes_belongs_to_the_sandbox(workspace: LocalWorkspace) -> None:
    workspace.write("new/deep/file.py", b"x", executable=True)
    workspace.write("cart.py", b"y")
    program = """
os.chmod('new/deep/file.py', 0o700); open('new/deep/file.py', 'a').write('z'); open('new/deep/other', 'w').close()
os.rename('new/deep', 'moved'); open('cart.py', 'a').write('z')
answer(sorted(os.listdir('moved')))
"""
    assert ask(workspace, program) == ["file.py", "other"]
    assert workspace.read("moved/file.py") == b"xz"


def test_the_host_socket_is_not_a_file_of_the_workspace(workspace: LocalWorkspace) -> None:
    """A planted socket is never connected to by the host."""
    thread_result: list[str] = []

    def serve() -> None:
        program = """
server = socket.socket(socket.AF_UNIX); server.bind('door'); server.listen(); server.settimeout(3)
open('racing', 'w').close()
answer(attempt(server.accept)[0])
"""
        thread_result.append(ask(workspace, program))

    thread = threading.Thread(target=serve)
    thread.start()
    while workspace.read("racing") is None:
        time.sleep(0.01)
    with pytest.raises(ToolRefused):
        workspace.read("door")
    workspace.changes()
    thread.join()
    assert thread_result != ["OK"]


def test_a_closed_workspace_says_so(home: Path, repository: tuple[Path, str]) -> None:
    with LocalWorkspaces(home, SMALL).open(str(repository[0]), repository[1], record=ListTrail()) as workspace:
        pass
    with pytest.raises(InfrastructureFailure):
        workspace.run(("true",))
