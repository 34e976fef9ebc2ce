import os
import subprocess
import sys

from karkhana.workspace.processes import started


def test_a_process_is_told_from_another() -> None:
    assert started(os.getpid()) == started(os.getpid()) > 0
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert started(child.pid) >= started(os.getpid())
    child.communicate(b"\n")
    assert started(child.pid) == -1
