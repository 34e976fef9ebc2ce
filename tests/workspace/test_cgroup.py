import os
import subprocess
import sys
from pathlib import Path

import pytest

from karkhana.domain.settings import SandboxSettings
from karkhana.workspace import cgroup
from karkhana.workspace.cgroup import ControlGroup, parents, values


def process(tmp_path: Path, mounts: str, groups: str) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "mounts").write_text(mounts)
    (folder / "cgroup").write_text(groups)
    return folder


def test_version_2_passes_on_what_its_parent_delegates(tmp_path: Path) -> None:
    tree = tmp_path / "unified"
    (tree / "user.slice" / "session.scope").mkdir(parents=True)
    (tree / "user.slice" / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (tree / "user.slice" / "session.scope" / "cgroup.subtree_control").write_text("")
    proc = process(tmp_path, f"cgroup2 {tree} cgroup2 rw,nosuid 0 0\n", "0::/user.slice/session.scope\n")
    assert list(parents(proc)) == [(frozenset({"memory", "pids"}), tree / "user.slice", 2)]


def test_version_2_prefers_the_own_group_when_it_delegates(tmp_path: Path) -> None:
    tree = tmp_path / "unified"
    (tree / "own").mkdir(parents=True)
    (tree / "own" / "cgroup.subtree_control").write_text("pids\n")
    proc = process(tmp_path, f"cgroup2 {tree} cgroup2 rw 0 0\n", "0::/own\n")
    assert list(parents(proc)) == [(frozenset({"pids"}), tree / "own", 2)]


def test_version_2_without_delegation_gives_nothing(tmp_path: Path) -> None:
    tree = tmp_path / "unified"
    tree.mkdir()
    (tree / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids")  # above the mount: not ours to use
    proc = process(tmp_path, f"cgroup2 {tree} cgroup2 rw 0 0\n", "0::/\n")
    assert list(parents(proc)) == []


def test_version_1_uses_each_hierarchy(tmp_path: Path) -> None:
    for name in ("memory/a", "pids", "cpu,cpuacct"):
        (tmp_path / name).mkdir(parents=True)
    mounts = "".join(f"cgroup {tmp_path / n} cgroup rw,relatime,{n} 0 0\n" for n in ("memory", "pids", "cpu,cpuacct"))
    proc = process(tmp_path, mounts, "9:name=systemd:/\n8:pids:/\n4:memory:/a\n2:cpu,cpuacct:/\n0::/\n")
    assert list(parents(proc)) == [
        (frozenset({"pids"}), tmp_path / "pids", 1),
        (frozenset({"memory"}), tmp_path / "memory" / "a", 1),
    ]


def test_the_values_of_both_versions() -> None:
    settings = SandboxSettings(memory_mb=100, disk_mb=28, processes=10)
    both = frozenset({"memory", "pids"})
    assert values(both, 2, settings)["memory"] == {"memory.max": str(128 << 20), "memory.swap.max": "0"}
    assert values(both, 1, settings)["memory"]["memory.limit_in_bytes"] == str(128 << 20)
    assert values(both, 2, settings)["pids"] == values(both, 1, settings)["pids"] == {"pids.max": "18"}
    assert values(frozenset({"pids"}), 2, settings).keys() == {"pids"}


@pytest.mark.skipif(not list(parents()), reason="this host delegates no control group to this user")
def test_a_real_group_bounds_and_goes(tmp_path: Path) -> None:
    group = ControlGroup.create(SandboxSettings(memory_mb=64, disk_mb=1), tmp_path / "records")
    assert group.limits
    assert group.out_of_memory() == 0
    bomb = "import sys; sys.stdin.read(1); x = bytearray(b'x') * (200 << 20); print(len(x))"
    child = subprocess.Popen([sys.executable, "-c", bomb], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    group.add(child.pid)
    out, _ = child.communicate(b"x")
    if "memory" in group.limits:
        assert out == b""
        assert child.returncode == -9
        assert group.out_of_memory() >= 1
    folders = group.folders
    group.remove()
    group.remove()
    assert not [folder for folder in folders if folder.exists()]
    assert list((tmp_path / "records").iterdir()) == []


@pytest.mark.skipif(not list(parents()), reason="this host delegates no control group to this user")
def test_groups_of_dead_processes_are_swept_and_others_are_not(tmp_path: Path) -> None:
    mine = ControlGroup.create(SandboxSettings(), tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (_, parent, _), *_ = parents()
    left = parent / f"karkhana-{dead.pid}-1-abcd"
    left.mkdir()
    (tmp_path / left.name).write_text(f"{left}\n/tmp\n")
    cgroup.sweep(tmp_path)
    assert not left.exists()
    assert not (tmp_path / left.name).exists()
    assert Path("/tmp").exists()
    assert all(folder.exists() for folder in mine.folders)
    assert str(os.getpid()) in mine.folders[0].name
    mine.remove()
