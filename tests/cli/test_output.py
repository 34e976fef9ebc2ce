import os
import sys

import pytest

from karkhana.cli.output import print_patch

HOSTILE = "+a\x1b]0;title\x07\x9b2J\u202e\udce9\n"


def test_a_patch_cannot_drive_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        print_patch(HOSTILE)
        shown = os.read(ours, 4096)
    os.close(ours)
    assert shown == b"+a\\x1b]0;title\\x07\\x9b2J\\x202e\\xdce9\r\n"


def test_a_program_gets_the_exact_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_patch(HOSTILE)
    assert capfdbinary.readouterr().out == HOSTILE.encode("utf-8", "surrogateescape")
