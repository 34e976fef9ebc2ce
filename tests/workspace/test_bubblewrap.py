from pathlib import Path

import pytest

from karkhana.domain.errors import SandboxUnavailable
from karkhana.workspace.bubblewrap import MINIMUM, Bubblewrap, best, examine, find


def script(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_one_that_is_found_is_new_enough() -> None:
    assert find().version >= MINIMUM


def test_versions_are_read(tmp_path: Path) -> None:
    found = examine(script(tmp_path, "bwrap", "echo bubblewrap 0.9.12"))
    assert found is not None
    assert found.version == (0, 9, 12)


@pytest.mark.parametrize("text", ["exit 1", "echo nothing", "exec sleep 0"])
def test_what_is_no_bubblewrap_is_none(tmp_path: Path, text: str) -> None:
    assert examine(script(tmp_path, "bwrap", text)) is None
    assert examine(tmp_path / "missing") is None


def test_old_ones_are_passed_over() -> None:
    old = Bubblewrap(Path("/usr/bin/bwrap"), (0, 4, 1))
    new = Bubblewrap(Path("/packaged"), (0, 11, 0))
    assert best([old, new]) is new
    assert best([new, old]) is new
    with pytest.raises(SandboxUnavailable, match=r"too old: 0\.4\.1") as caught:
        best([old])
    assert "apt-get install bubblewrap" in caught.value.next
    with pytest.raises(SandboxUnavailable, match="not installed"):
        best([])
