"""The tool interface and test running over the real sandbox and a real environment."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from abuse_support import SMALL, ListTrail

from karkhana.domain.errors import ToolRefused
from karkhana.domain.events import ToolReturned
from karkhana.domain.tasks import Budget
from karkhana.domain.tools import EditFile, PushChanges, ReviewDiff, RunCommand, RunTests, Search, WriteFile
from karkhana.git import Repository
from karkhana.workspace.environment import Environments
from karkhana.workspace.local import LocalWorkspace, LocalWorkspaces
from karkhana.workspace.testing import detect, run_tests
from karkhana.workspace.testing_report import SESSION
from karkhana.workspace.toolbox import Toolbox

FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": "def total(prices):\n    return sum(prices) + 1\n",
    "tests/test_cart.py": (
        "from shop.cart import total\n\n\n"
        "def test_total():\n    open('litter', 'w').write('x')\n    assert total([1, 2]) == 3\n"
    ),
    "tests/test_odd.py": (
        "import os, time, pytest\n"
        "def test_hang(): time.sleep(99)\n"
        "def test_kill(): os.kill(os.getpid(), 9)\n"
        "def test_memory(): bytearray(3 << 30)\n"
        "def test_network():\n"
        "    import socket\n"
        "    with pytest.raises(OSError): socket.create_connection(('192.0.2.1', 80), 1)\n"
        "def test_output(): print('x' * 3_000_000)\n"
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git = ("git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x")):
        subprocess.run([*git, *words], check=True, capture_output=True)
    return folder


@pytest.fixture
def workspace(home: Path, place: Path) -> Iterator[LocalWorkspace]:
    opener = LocalWorkspaces(home, SMALL, environments=Environments(home, sandbox=SMALL))
    with opener.open(str(place), Repository.open(str(place)).head(), record=ListTrail()) as opened:
        yield opened


def test_a_bug_is_found_mended_and_handed_over(workspace: LocalWorkspace) -> None:
    trail = ListTrail()
    tools = Toolbox(workspace, trail, budget=Budget(), test_command=detect(workspace))
    chosen = ("tests/test_cart.py::test_total",)
    assert tools.call(RunTests(tests=chosen)).failing == chosen
    assert tools.call(Search(pattern=r"sum\(")).matches[0].path == "shop/cart.py"
    with pytest.raises(ToolRefused, match="Undefined name"):
        tools.call(EditFile(path="shop/cart.py", old="prices) + 1", new="price)"))
    tools.call(EditFile(path="shop/cart.py", old="sum(prices) + 1", new="sum(prices)"))
    assert tools.call(RunTests(tests=chosen)).passed == chosen
    diff = tools.call(ReviewDiff())
    assert diff.paths == ("shop/cart.py",)
    assert "-    return sum(prices) + 1\n+    return sum(prices)\n" in diff.patch
    assert tools.call(PushChanges(title="Count right", summary="One was added.")).accepted
    changed = [e.changed for e in trail.events if isinstance(e, ToolReturned) and e.changed]
    assert [[c.path for c in each] for each in changed] == [["shop/cart.py"]]


def test_what_a_command_does_is_known_exactly_and_can_be_undone(workspace: LocalWorkspace) -> None:
    trail = ListTrail()
    tools = Toolbox(workspace, trail, budget=Budget())
    tools.call(WriteFile(path="notes.txt", content="a\n"))
    script = "rm -r tests; echo x > notes.txt; ln -s shop link; mkdir -p tests/test_cart.py; touch tests/test_cart.py/y"
    tools.call(RunCommand(argv=("sh", "-c", script), discard=True))
    assert [row[0].path for row in workspace.changes()] == ["notes.txt"]
    assert workspace.read("notes.txt") == b"a\n"
    tools.call(
        RunCommand(argv=("sh", "-c", "rm -r tests; mv shop/cart.py shop/basket.py; ln -s basket.py shop/link.py"))
    )
    event = trail.events[-1]
    assert isinstance(event, ToolReturned)
    assert [c.path for c in event.changed] == [
        "shop/basket.py",
        "shop/cart.py",
        "shop/link.py",
        "tests/test_cart.py",
        "tests/test_odd.py",
    ]


@pytest.mark.parametrize(
    ("test", "message"),
    [("test_hang", "time limit"), ("test_kill", "signal 9"), ("test_memory", "")],
)
def test_tests_that_misbehave_are_named(workspace: LocalWorkspace, test: str, message: str) -> None:
    name = f"tests/test_odd.py::{test}"
    report = run_tests(workspace, ("pytest", "-q"), (name,), timeout_s=8)
    assert report.failing[-1] in (name, SESSION)
    assert name in report.failing
    assert message in report.results[-1].message
    assert run_tests(workspace, ("pytest",), ("tests/test_odd.py::test_network",), timeout_s=30).green


def test_output_past_the_bound_does_not_hide_the_results(workspace: LocalWorkspace) -> None:
    report = run_tests(workspace, ("pytest", "-s"), ("tests/test_odd.py::test_output",), timeout_s=30)
    assert report.passed == ("tests/test_odd.py::test_output",)
    assert len(report.output) < 30_000


def test_the_environment_tells_its_version(workspace: LocalWorkspace) -> None:
    answer = workspace.run(("python", "-c", "import sys; print(*sys.version_info[:2])")).stdout
    assert tuple(map(int, answer.split())) == workspace.python_version
