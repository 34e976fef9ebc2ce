import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.workspace import finding
from karkhana.workspace.finding import find_files, find_lines, glob_pattern
from karkhana.workspace.memory import TemporaryWorkspace

FILES: dict[str, str | bytes] = {
    "a.py": "import os\nprint('x')\r\n",
    "src/b.py": "# x\n",
    "src/deep/c.py": "",
    "src/deep/c.txt": "an x\n",
    "[odd].py": "",
    "data.bin": b"x\0x\n",
    ".hidden": "x\n",
}


@pytest.fixture
def workspace() -> Iterator[TemporaryWorkspace]:
    with TemporaryWorkspace(FILES) as opened:
        yield opened


@pytest.mark.parametrize(
    ("glob", "paths"),
    [
        ("**", sorted(FILES)),
        ("*.py", ["[odd].py", "a.py", "src/b.py", "src/deep/c.py"]),
        ("src/*.py", ["src/b.py"]),
        ("src/**", ["src/b.py", "src/deep/c.py", "src/deep/c.txt"]),
        ("**/c.*", ["src/deep/c.py", "src/deep/c.txt"]),
        ("./a.py", ["a.py"]),
        ("?.py", ["a.py", "src/b.py", "src/deep/c.py"]),
        ("[ab].py", ["a.py", "src/b.py"]),
        ("[!a].py", ["src/b.py", "src/deep/c.py"]),
        ("[[]odd].py", ["[odd].py"]),
        ("src", []),
    ],
)
def test_globs(workspace: TemporaryWorkspace, glob: str, paths: list[str]) -> None:
    assert find_files(workspace, glob) == (tuple(paths), False)


def test_the_number_of_answers_is_bounded(workspace: TemporaryWorkspace) -> None:
    assert find_files(workspace, "**", 2) == ((".hidden", "[odd].py"), True)
    matches, more = find_lines(workspace, "x", "**", 1)
    assert (len(matches), more) == (1, True)


def test_lines_are_found_in_text_only(workspace: TemporaryWorkspace) -> None:
    matches, more = find_lines(workspace, r"x'?\)?$", "**", 10)
    found = [(m.path, m.line, m.text) for m in matches]
    assert found == [
        (".hidden", 1, "x"),
        ("a.py", 2, "print('x')"),
        ("src/b.py", 1, "# x"),
        ("src/deep/c.txt", 1, "an x"),
    ]
    assert not more


def test_caches_and_git_are_left_out(workspace: TemporaryWorkspace) -> None:
    folder = Path(workspace.root)
    for name in (".git/config", "__pycache__/a.pyc", "sub/.git", ".pytest_cache/x"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text("x")
    assert find_files(workspace)[0] == tuple(sorted(FILES))


def test_links_and_special_files_are_not_opened(workspace: TemporaryWorkspace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    folder = Path(workspace.root)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    assert find_lines(workspace, "canary", "**", 10) == ((), False)
    assert "folder/secret" not in find_files(workspace)[0]


def test_a_catastrophic_pattern_is_given_up(workspace: TemporaryWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "TIME_LIMIT_S", 2.0)
    workspace.write("trap.txt", b"a" * 60 + b"!\n")
    with pytest.raises(ToolRefused, match="longer than 2 s"):
        find_lines(workspace, r"(a+)+$", "trap.txt", 10)


def test_names_that_are_no_unicode_are_told(workspace: TemporaryWorkspace) -> None:
    Path(os.fsdecode(os.fsencode(workspace.root) + b"/\xff\n.py")).write_text("x")
    paths, _ = find_files(workspace, "*.py")
    assert "\udcff\n.py" in paths


def test_a_sandbox_without_python_is_broken_not_wrong(tmp_path: Path) -> None:
    with TemporaryWorkspace(FILES, python=str(tmp_path / "bin/python")) as workspace:
        workspace._environment = lambda: {"PATH": "/nonexistent"}  # type: ignore[method-assign]
        with pytest.raises(InfrastructureFailure):
            find_files(workspace)


@pytest.mark.parametrize("glob", ["/etc/*", "../x", "a/../../x", "\0", "x" * 600])
def test_globs_that_leave_the_workspace_are_refused(glob: str) -> None:
    with pytest.raises(ToolRefused):
        glob_pattern(glob)


@pytest.mark.parametrize("glob", ["a[z-a]b", "*" * 400, "[", "a{b,c}", "(x|y)", "a^b$"])
def test_odd_globs_are_plain_text_or_refused(glob: str) -> None:
    try:
        pattern = glob_pattern(glob)
    except ToolRefused:
        return
    assert re.fullmatch(pattern, "etc/passwd") is None or set(glob) == {"*"}
