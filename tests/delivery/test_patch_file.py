"""Patch files, taken by the real ``git am``."""

from pathlib import Path

import pytest
from delivery_repositories import Sides, make_change, make_repository, run_git

from karkhana.delivery.patch_file import patch_file

MESSAGE = "Fix the total\n\nIt was wrong.\n ---\n diff --git a/x b/x\n\nKarkhana-Run: run_01\nKarkhana-Task: BUILD-1\n"

CASES: dict[str, Sides] = {
    "text": {"a.txt": (b"one\n", b"two\n")},
    "binary": {"a.bin": (b"\0\1\2" * 50, b"\0\3\xff" * 60), "new.bin": (None, bytes(range(256)))},
    "latin-1": {"a.txt": ("caf\xe9\n".encode("latin-1"), "th\xe9\n".encode("latin-1"))},
    "line ends": {"dos.txt": (b"a\r\nb\r\n", b"a\r\nc\r\n"), "mac.txt": (b"a\rb\n", b"a\rc\n")},
    "no line feed": {"a.txt": (b"one", b"two"), "b.txt": (b"x\n", b"x")},
    "new and deleted": {"gone.txt": (b"x\n", None), "deep/new.txt": (None, b"y\n"), "empty": (None, b"")},
    "odd names": {'we"ird\tn\udcff.txt': (b"1\n", b"2\n"), "sp ace.txt": (b"1\n", b"2\n")},
    "looks like a patch": {"a.txt": (b"x\n", b"---\ndiff --git a/x b/x\nFrom ada Mon Sep 17 00:00:00 2001\n-- \n")},
}


@pytest.mark.parametrize("name", CASES)
def test_git_am_gives_the_same_files(tmp_path: Path, name: str) -> None:
    sides = CASES[name]
    before = {path: old for path, (old, _) in sides.items() if old is not None}
    repository = make_repository(tmp_path / "repository", {"keep.txt": b"keep\n", **before})
    change = make_change(run_git(repository, "rev-parse", "HEAD").strip(), sides)
    mail = tmp_path / "fix.patch"
    mail.write_bytes(patch_file(change, MESSAGE, at=1_700_000_000))
    run_git(repository, "-c", "core.autocrlf=false", "am", "-q", str(mail))
    expected = {"keep.txt": b"keep\n"} | {path: new for path, (_, new) in sides.items() if new is not None}
    other = make_repository(tmp_path / "expected", expected)
    assert run_git(repository, "rev-parse", "HEAD^{tree}") == run_git(other, "rev-parse", "HEAD^{tree}")
    assert run_git(repository, "log", "-1", "--format=%s") == "Fix the total\n"
    assert run_git(repository, "log", "-1", "--format=%an <%ae> %at") == "Karkhana <karkhana@localhost> 1700000000\n"
    assert run_git(repository, "log", "-1", "--format=%(trailers:key=Karkhana-Run,valueonly)").strip() == "run_01"


def test_a_subject_beyond_ascii_and_headers_in_the_body(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", {"a.txt": b"one\n"})
    change = make_change(run_git(repository, "rev-parse", "HEAD").strip(), {"a.txt": (b"one\n", b"two\n")})
    title = "Berechne die Summe für 工場 richtig, auch wenn der Warenkorb gänzlich leer ist"
    mail = tmp_path / "fix.patch"
    mail.write_bytes(patch_file(change, f"{title}\n\n From: Eve <eve@example.org>\n\nWörter\n", at=0))
    run_git(repository, "am", "-q", str(mail))
    assert run_git(repository, "log", "-1", "--format=%s").strip() == title
    assert run_git(repository, "log", "-1", "--format=%an").strip() == "Karkhana"
    assert "Wörter" in run_git(repository, "log", "-1", "--format=%b")
