import json
import os
import sys

import pytest

from karkhana.cli.output import print_json, print_patch

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


def test_json_cannot_drive_the_terminal_and_says_the_same(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    text = "a\x1b[2J\x7f\x9b2J\x85 caf\xe9 \u00a9 \u0442"
    print_json({"text": text})
    out = capfdbinary.readouterr().out
    assert json.loads(out) == {"text": text}
    assert all(c == "\n" or (ord(c) > 31 and not 0x7F <= ord(c) <= 0x9F) for c in out.decode())
