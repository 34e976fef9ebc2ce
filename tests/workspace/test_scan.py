import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from abuse_support import SMALL, ListTrail, make_repository

from karkhana.domain.changes import EXECUTABLE, REGULAR, SYMLINK
from karkhana.domain.events import Noted
from karkhana.workspace.base import Base
from karkhana.workspace.ignored import IgnoreRules
from karkhana.workspace.local import LocalWorkspace, LocalWorkspaces
from karkhana.workspace.sandbox import Sandbox, SandboxSpec
from karkhana.workspace.scan import Changed, Scan

FILES = {
    "cart.py": "cart\n",
    "run.sh": "run\n",
    "src/shop/one.py": "1\n",
    "src/shop/two.py": "2\n",
    "docs/a/b/deep.txt": "deep\n",
    ".gitignore": "build/\n*.log\nkept.log\n",
    "tracked.log": "tracked although ignored\n",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("scan") / "repository"
    make_repository(folder, dict(FILES))
    (folder / "link").symlink_to("cart.py")
    (folder / "broken").symlink_to("/nonexistent/target")
    git = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for command in (("add", "-Af", "."), ("commit", "-qm", "links and an ignored file")):
        subprocess.run([*git, *command], cwd=folder, check=True)
    answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return folder, answer.stdout.strip()


class Copied:
    """A sandbox over a copy, as on hosts without overlays, with what a workspace has."""

    def __init__(self, sandbox: Sandbox, scan: Scan) -> None:
        self.run, self.write, self.read = sandbox.run, sandbox.tree.write, sandbox.tree.read
        self.changes = scan.changes


Opened = LocalWorkspace | Copied


@pytest.fixture(params=["overlay", "copy", "none"])
def workspace(request: pytest.FixtureRequest, home: Path, place: tuple[Path, str]) -> Iterator[Opened]:
    folder, commit = place
    kind = "none" if request.param == "none" else "bubblewrap"
    with LocalWorkspaces(home, SMALL, kind=kind).open(str(folder), commit, record=ListTrail()) as opened:
        if request.param != "copy":
            yield opened
            return
    checkout = home / "checkouts" / commit
    base = Base(checkout)
    with Sandbox(SandboxSpec(home=home, settings=SMALL, checkout=checkout, overlay=False)) as sandbox:
        yield Copied(sandbox, Scan(sandbox.tree.folder, base, IgnoreRules(home, checkout), whole=True))
    base.close()


def shell(workspace: Opened, script: str) -> None:
    result = workspace.run(("sh", "-ec", script))
    assert result.exit_code == 0, result.stderr.decode()


def told(changes: tuple[Changed, ...]) -> dict[str, tuple[int | None, int | None, bytes | None, bytes | None]]:
    assert [c.path for c, _, _ in changes] == sorted(c.path for c, _, _ in changes)
    return {
        c.path: (c.before.mode if c.before else None, c.after.mode if c.after else None, before, after)
        for c, before, after in changes
    }


CASES: dict[str, tuple[str, dict[str, tuple[int | None, int | None, bytes | None, bytes | None]]]] = {
    "nothing": ("true", {}),
    "modified": ("echo new > cart.py", {"cart.py": (REGULAR, REGULAR, b"cart\n", b"new\n")}),
    "only touched": ("touch -d '2001-01-01' cart.py src/shop/one.py", {}),
    "written and restored": ("echo x > cart.py; echo cart > cart.py", {}),
    "replaced by rename": ("echo new > t; mv t cart.py", {"cart.py": (REGULAR, REGULAR, b"cart\n", b"new\n")}),
    "new": ("mkdir -p n/e; echo w > n/e/w", {"n/e/w": (None, REGULAR, None, b"w\n")}),
    "new executable": ("echo x > x; chmod +x x", {"x": (None, EXECUTABLE, None, b"x\n")}),
    "made executable": ("chmod +x cart.py", {"cart.py": (REGULAR, EXECUTABLE, b"cart\n", b"cart\n")}),
    "no longer executable": ("chmod 644 run.sh", {"run.sh": (EXECUTABLE, REGULAR, b"run\n", b"run\n")}),
    "other permissions only": ("chmod 600 cart.py; chmod 700 src", {}),
    "deleted": ("rm cart.py", {"cart.py": (REGULAR, None, b"cart\n", None)}),
    "deleted and made again": ("rm cart.py; echo cart > cart.py", {}),
    "folder deleted": ("rm -r docs", {"docs/a/b/deep.txt": (REGULAR, None, b"deep\n", None)}),
    "folder emptied and filled": (
        "rm -r src/shop; mkdir src/shop; echo 1 > src/shop/one.py; echo 3 > src/shop/three.py",
        {
            "src/shop/three.py": (None, REGULAR, None, b"3\n"),
            "src/shop/two.py": (REGULAR, None, b"2\n", None),
        },
    ),
    "folder renamed": (
        "mv docs papers",
        {
            "docs/a/b/deep.txt": (REGULAR, None, b"deep\n", None),
            "papers/a/b/deep.txt": (None, REGULAR, None, b"deep\n"),
        },
    ),
    "folder moved there and back": ("mv docs papers; mv papers docs", {}),
    "file becomes folder": (
        "rm cart.py; mkdir cart.py; echo i > cart.py/i",
        {"cart.py": (REGULAR, None, b"cart\n", None), "cart.py/i": (None, REGULAR, None, b"i\n")},
    ),
    "folder becomes file": (
        "rm -r docs; echo f > docs",
        {"docs": (None, REGULAR, None, b"f\n"), "docs/a/b/deep.txt": (REGULAR, None, b"deep\n", None)},
    ),
    "folder becomes link": (
        "mv docs t; ln -s src docs; rm -r t",
        {"docs": (None, SYMLINK, None, b"src"), "docs/a/b/deep.txt": (REGULAR, None, b"deep\n", None)},
    ),
    "file becomes link": (
        "ln -sf /etc/passwd cart.py",
        {"cart.py": (REGULAR, SYMLINK, b"cart\n", b"/etc/passwd")},
    ),
    "link becomes file": ("rm link; echo l > link", {"link": (SYMLINK, REGULAR, b"cart.py", b"l\n")}),
    "link changed": ("ln -sfn other link", {"link": (SYMLINK, SYMLINK, b"cart.py", b"other")}),
    "link kept": ("mv link t; mv t link; mv broken t; mv t broken", {}),
    "empty folder": ("mkdir -p empty/very", {}),
    "ignored": ("mkdir -p build/x a/build; touch build/x/y a/build/z b.log a/c.log", {}),
    "not ignored": ("mkdir a; touch a/builds a/log", dict.fromkeys(("a/builds", "a/log"), (None, REGULAR, None, b""))),
    "tracked although ignored": (
        "echo x > tracked.log",
        {"tracked.log": (REGULAR, REGULAR, b"tracked although ignored\n", b"x\n")},
    ),
    "litter": ("mkdir -p __pycache__ a/.pytest_cache .git; touch __pycache__/x a/.pytest_cache/y .git/config", {}),
    "a new ignore file rules nothing": (
        "echo '*' > .gitignore; touch seen",
        {
            ".gitignore": (REGULAR, REGULAR, FILES[".gitignore"].encode(), b"*\n"),
            "seen": (None, REGULAR, None, b""),
        },
    ),
    "hard links": (
        "ln cart.py twin; echo more >> twin",
        {
            "cart.py": (REGULAR, REGULAR, b"cart\n", b"cart\nmore\n"),
            "twin": (None, REGULAR, None, b"cart\nmore\n"),
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_changed(workspace: Opened, case: str) -> None:
    script, expected = CASES[case]
    shell(workspace, script)
    assert told(workspace.changes()) == expected
    assert told(workspace.changes()) == expected  # from what was remembered


def test_hashes_are_those_of_the_bytes(workspace: Opened) -> None:
    workspace.write("cart.py", b"new")
    ((change, before, after),) = workspace.changes()
    assert change.before is not None
    assert change.after is not None
    assert change.before.sha256 == hashlib.sha256(before or b"").hexdigest()
    assert change.after.sha256 == hashlib.sha256(b"new").hexdigest() == hashlib.sha256(after or b"").hexdigest()


def test_quick_rewrites_of_the_same_size_are_never_missed(workspace: Opened) -> None:
    for number in range(300):
        content = f"{number:05}".encode()
        workspace.write("cart.py", content)
        ((_, _, after),) = workspace.changes()
        assert after == content


def test_every_state_between_is_seen(workspace: Opened) -> None:
    steps: list[tuple[Callable[[], None], set[str]]] = [
        (lambda: workspace.write("a.txt", b"1"), {"a.txt"}),
        (lambda: workspace.write("cart.py", b"2"), {"a.txt", "cart.py"}),
        (lambda: workspace.write("a.txt", None), {"cart.py"}),
        (lambda: workspace.write("src/shop/one.py", None), {"cart.py", "src/shop/one.py"}),
        (lambda: workspace.write("src/shop/one.py", b"1\n"), {"cart.py"}),
        (lambda: workspace.write("cart.py", b"cart\n"), set()),
    ]
    for step, expected in steps:
        step()
        assert {change.path for change, _, _ in workspace.changes()} == expected


def test_a_large_new_file_is_left_out_with_a_note(home: Path, place: tuple[Path, str]) -> None:
    trail = ListTrail()
    settings = SMALL.__class__(file_mb=64, disk_mb=256)
    with LocalWorkspaces(home, settings).open(str(place[0]), place[1], record=trail) as workspace:
        shell(workspace, "truncate -s 40M dump; echo x > cart.py")
        for _ in range(2):
            assert [change.path for change, _, _ in workspace.changes()] == ["cart.py"]
    (note,) = [event.text for event in trail.events if isinstance(event, Noted)]
    assert "'dump'" in note
    assert "32 MiB" in note
