import subprocess
import sys
from pathlib import Path

from abuse_support import SMALL

from karkhana.workspace import guest
from karkhana.workspace.sandbox import Sandbox, SandboxSpec


def test_it_refuses_to_run_outside_of_a_namespace() -> None:
    """It kills every process that it can: on a host that would be a disaster."""
    result = subprocess.run([sys.executable, guest.__file__, "0"], capture_output=True, check=False, text=True)
    assert result.returncode != 0
    assert "PID 1" in result.stderr


def test_memory_in_use_is_about_what_this_process_holds() -> None:
    before = guest.memory_in_use()
    kept = bytearray(b"x") * (64 << 20)
    assert guest.memory_in_use() - before > 32 << 20
    assert guest.exact_memory_in_use() > 32 << 20
    assert len(kept) == 64 << 20


def test_the_guard_looks_only_when_it_has_a_bound() -> None:
    assert not guest.MemoryGuard(0).exceeded()
    assert guest.MemoryGuard(0).wait(5.0) == 5.0
    assert guest.MemoryGuard(1).exceeded()
    assert guest.MemoryGuard(1).wait(5.0) == guest.MemoryGuard.interval
    assert not guest.MemoryGuard(1 << 50).exceeded()


def test_output_is_kept_in_order_and_apart(home: Path) -> None:
    with Sandbox(SandboxSpec(home=home, settings=SMALL)) as sandbox:
        result = sandbox.run(("sh", "-c", "for n in 1 2 3; do echo $n; echo -$n >&2; done"))
        assert result.stdout == b"1\n2\n3\n"
        assert result.stderr == b"-1\n-2\n-3\n"
