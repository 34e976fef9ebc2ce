import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from karkhana.domain.changes import EXECUTABLE, REGULAR
from karkhana.domain.errors import BudgetExhausted, InfrastructureFailure, RunCancelled, ToolRefused
from karkhana.domain.events import AnyEvent, ToolCalled, ToolReturned
from karkhana.domain.tasks import Budget
from karkhana.domain.tools import (
    EditFile,
    ListFiles,
    PushChanges,
    ReadFile,
    ReviewDiff,
    RunCommand,
    RunTests,
    Search,
    ToolCall,
    WriteFile,
)
from karkhana.git import make_patch
from karkhana.ports import Workspace
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import TOOLS, Toolbox

CART = """\
def total(prices):
    result = sum(prices)
    return result


def count(prices):
    result = len(prices)
    return result
"""
LITTERING_TEST = """\
import cart


def test_total():
    open('litter.txt', 'w').write('x')
    open('README', 'w').write('y')
    assert cart.total([1, 2]) == 3
"""
FILES: dict[str, str | bytes] = {
    "cart.py": CART,
    "tests/test_cart.py": LITTERING_TEST,
    "README": "A shop.\n",
    "logo.png": b"\x89PNG\0\0",
    "menu.txt": "Crème\n".encode("latin-1"),
    "dos.txt": "one\r\ntwo\r\nthree\r\n",
    "run.sh": "#!/bin/sh\necho hi\n",
}


class Ledger:
    """A trail in memory, with the content that it was asked to keep."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.kept: dict[str, bytes] = {}

    def record(self, event: AnyEvent) -> None:
        self.events.append(event)

    def keep(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        self.kept[name] = content
        return name

    @property
    def returned(self) -> ToolReturned:
        event = self.events[-1]
        assert isinstance(event, ToolReturned)
        return event


@pytest.fixture
def workspace() -> Iterator[TemporaryWorkspace]:
    with TemporaryWorkspace(FILES, executable=frozenset({"run.sh"})) as opened:
        yield opened


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def tools(workspace: TemporaryWorkspace, ledger: Ledger) -> Toolbox:
    return Toolbox(workspace, ledger, budget=Budget(turns=50), test_command=("python", "-m", "pytest"))


def refusal(tools: Toolbox, call: ToolCall[Any]) -> str:
    with pytest.raises(ToolRefused) as caught:
        tools.call(call)
    assert caught.value.next
    return f"{caught.value.message}\n{caught.value.next}"


def test_every_call_is_logged_before_and_after_with_its_turn(tools: Toolbox, ledger: Ledger) -> None:
    tools.call(ReadFile(path="README"))
    called, returned = ledger.events
    assert called == ToolCalled(turn=1, call={"tool": "read_file", "path": "README", "start": 1, "end": None})
    assert isinstance(returned, ToolReturned)
    assert (returned.turn, returned.error, returned.changed) == (1, None, ())
    assert returned.result.text == "A shop.\n"


def test_a_refusal_is_logged_and_counts_as_a_turn(tools: Toolbox, ledger: Ledger) -> None:
    refusal(tools, ReadFile(path="nothing.py"))
    assert "nothing.py does not exist" in (ledger.returned.error or "")
    assert tools.turns == 1


def test_every_tool_of_the_interface_is_there() -> None:
    assert {tool.__struct_config__.tag for tool in TOOLS} == {
        *("list_files", "read_file", "search", "edit_file", "write_file"),
        *("run_tests", "run_command", "review_diff", "call_foreign", "push_changes"),
    }


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (1, None, CART),
        (2, 3, "    result = sum(prices)\n    return result\n"),
        (8, 99, "    return result\n"),
    ],
)
def test_read_file_gives_a_window_of_lines(tools: Toolbox, start: int, end: int | None, text: str) -> None:
    found = tools.call(ReadFile(path="cart.py", start=start, end=end))
    assert (found.text, found.total_lines, found.truncated) == (text, 8, False)


def test_read_file_truncates_a_huge_file(tools: Toolbox, workspace: TemporaryWorkspace) -> None:
    workspace.write("huge.txt", b"x" * 300_000)
    found = tools.call(ReadFile(path="huge.txt"))
    assert found.truncated
    assert len(found.text) == 200_000


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (ReadFile(path="logo.png"), "binary file of 6 bytes"),
        (ReadFile(path="menu.txt"), "not UTF-8: byte 0xe8 at offset 2"),
        (ReadFile(path="cart.py", start=9), "has 8 lines"),
        (ReadFile(path="cart.py", start=3, end=2), "no range"),
        (ReadFile(path="/etc/passwd"), "no path in the repository"),
        (ReadFile(path="../secret"), "no plain path"),
        (ReadFile(path="a//b"), "no plain path"),
        (ReadFile(path=".git/config"), "belongs to git"),
        (ReadFile(path="sub/.GIT/config"), "belongs to git"),
        (ReadFile(path="a\nb"), "no path in the repository"),
        (ReadFile(path="tests"), "folder"),
        (WriteFile(path="../x", content=""), "no plain path"),
        (WriteFile(path="x", content="\ud800"), "cannot be encoded"),
        (WriteFile(path="x", content="x" * 3_000_000), "3000000 bytes"),
        (EditFile(path="cart.py", old="", new="x"), "empty"),
        (EditFile(path="cart.py", old="x", new="x"), "the same"),
        (ListFiles(glob="../*"), "no glob"),
        (ListFiles(limit=0), "out of range"),
        (Search(pattern="("), "no regular expression"),
        (Search(pattern="x" * 3000), "3000 characters"),
        (RunCommand(argv=()), "no program"),
        (RunCommand(argv=("a\0b",)), "NUL"),
        (RunCommand(argv=("true",), timeout_s=-1.0), "makes no sense"),
        (RunCommand(argv=("echo", "x" * 200_000)), "too long"),
        (PushChanges(title="", summary="x"), "needs a title"),
        (PushChanges(title="a\nb", summary="x"), "too long"),
        (PushChanges(title="x", summary="y"), "nothing differs"),
    ],
)
def test_calls_that_make_no_sense_are_refused_with_the_reason(tools: Toolbox, call: ToolCall[Any], reason: str) -> None:
    assert reason in refusal(tools, call)


def test_edit_file_replaces_the_one_occurrence(tools: Toolbox, workspace: TemporaryWorkspace, ledger: Ledger) -> None:
    result = tools.call(EditFile(path="cart.py", old="sum(prices)", new="sum(prices) + 1"))
    assert "-    result = sum(prices)\n+    result = sum(prices) + 1\n" in result.diff
    (change,) = ledger.returned.changed
    assert change.path == "cart.py"
    assert change.before is not None
    assert change.after is not None
    assert ledger.kept[change.before.sha256] == CART.encode()
    assert ledger.kept[change.after.sha256] == workspace.read("cart.py")


def test_a_second_edit_is_told_from_the_first(tools: Toolbox, ledger: Ledger) -> None:
    tools.call(EditFile(path="cart.py", old="sum(prices)", new="sum(prices) + 1"))
    first = ledger.returned.changed[0].after
    tools.call(EditFile(path="cart.py", old="sum(prices) + 1", new="sum(prices) + 2"))
    assert ledger.returned.changed[0].before == first


def test_several_occurrences_are_refused_with_their_lines(tools: Toolbox) -> None:
    assert "at lines 3, 8" in refusal(tools, EditFile(path="cart.py", old="return result", new="return 1"))


def test_a_miss_shows_the_nearest_lines(tools: Toolbox) -> None:
    text = refusal(tools, EditFile(path="cart.py", old="    result = sum(price)\n", new="x"))
    assert "the nearest lines are 2-2:\n2|    result = sum(prices)" in text


def test_a_miss_by_white_space_says_so(tools: Toolbox) -> None:
    text = refusal(tools, EditFile(path="cart.py", old="def count(prices):\n\tresult = len(prices)", new="x"))
    assert "other white space, at lines 6-7" in text


def test_line_ends_of_the_file_are_kept(tools: Toolbox, workspace: TemporaryWorkspace) -> None:
    tools.call(EditFile(path="dos.txt", old="one\ntwo", new="1\n2"))
    assert workspace.read("dos.txt") == b"1\r\n2\r\nthree\r\n"


def test_an_edit_that_breaks_python_is_refused_and_changes_nothing(
    tools: Toolbox, workspace: TemporaryWorkspace
) -> None:
    text = refusal(tools, EditFile(path="cart.py", old="sum(prices)", new="sum(price)"))
    assert "cart.py:2: Undefined name `price`" in text
    assert workspace.changes() == ()


def test_write_file_creates_and_replaces_and_keeps_the_mode(tools: Toolbox, ledger: Ledger) -> None:
    tools.call(WriteFile(path="new/deep/file.txt", content="x\n"))
    assert ledger.returned.changed[0].before is None
    tools.call(WriteFile(path="run.sh", content="#!/bin/sh\necho bye\n"))
    (change,) = ledger.returned.changed
    assert change.after is not None
    assert change.after.mode == EXECUTABLE


def test_run_command_reports_and_logs_what_it_changed(tools: Toolbox, ledger: Ledger) -> None:
    script = "rm README; echo new > new.txt; chmod +x cart.py; echo out; echo err >&2; exit 3"
    result = tools.call(RunCommand(argv=("sh", "-c", script)))
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"out\n", b"err\n")
    changed = {c.path: (c.before and c.before.mode, c.after and c.after.mode) for c in ledger.returned.changed}
    assert changed == {"README": (REGULAR, None), "cart.py": (REGULAR, EXECUTABLE), "new.txt": (None, REGULAR)}
    assert ledger.returned.result["stdout"] == "out\n"


def test_output_that_is_no_text_can_be_logged(tools: Toolbox, ledger: Ledger) -> None:
    result = tools.call(RunCommand(argv=("printf", r"\377")))
    assert result.stdout == b"\xff"
    assert ledger.returned.result["stdout"] == "\ufffd"


def test_what_a_discarding_command_changed_is_undone(
    tools: Toolbox, workspace: TemporaryWorkspace, ledger: Ledger
) -> None:
    tools.call(EditFile(path="README", old="A shop.", new="My shop."))
    script = "echo x > README; rm cart.py; mkdir -p a/b; echo y > a/b/c; ln -s cart.py link; chmod -x run.sh"
    tools.call(RunCommand(argv=("sh", "-c", script), discard=True))
    assert ledger.returned.changed == ()
    assert workspace.read("README") == b"My shop.\n"
    assert [row[0].path for row in workspace.changes()] == ["README"]


def test_a_folder_in_place_of_a_file_is_undone(tools: Toolbox, workspace: TemporaryWorkspace) -> None:
    tools.call(RunCommand(argv=("sh", "-c", "rm README; mkdir README; echo x > README/y"), discard=True))
    assert workspace.changes() == ()


def test_run_tests_reports_per_test_and_leaves_no_litter(tools: Toolbox, workspace: TemporaryWorkspace) -> None:
    report = tools.call(RunTests())
    assert report.passed == ("tests/test_cart.py::test_total",)
    assert workspace.changes() == ()


def test_run_tests_needs_a_command(workspace: TemporaryWorkspace, ledger: Ledger) -> None:
    assert "no test command" in refusal(Toolbox(workspace, ledger, budget=Budget()), RunTests())


def test_search_and_list(tools: Toolbox) -> None:
    found = tools.call(Search(pattern=r"def \w+\(", glob="*.py"))
    assert [(m.path, m.line) for m in found.matches] == [("cart.py", 1), ("cart.py", 6), ("tests/test_cart.py", 4)]
    assert tools.call(ListFiles(glob="tests/**")).paths == ("tests/test_cart.py",)


def test_searches_that_were_foreseen_are_logged_and_answered_one_after_the_other(
    tools: Toolbox, ledger: Ledger
) -> None:
    calls: list[ToolCall[Any]] = [Search(pattern="total", glob="cart.py"), Search(pattern="("), ListFiles(glob="*.md")]
    tools.foresee(calls)
    assert tools.call(calls[0]).matches[0].line == 1
    assert "no regular expression" in refusal(tools, calls[1])
    assert tools.call(calls[2]).paths == ()
    assert [type(event) for event in ledger.events] == [ToolCalled, ToolReturned] * 3
    assert [event.turn for event in ledger.events] == [1, 1, 2, 2, 3, 3]


def test_what_was_foreseen_counts_no_more_after_a_change(tools: Toolbox) -> None:
    looks = [Search(pattern="needle"), Search(pattern="haystack")]
    tools.foresee(looks)
    assert tools.call(looks[0]).matches == ()
    tools.call(WriteFile(path="new.txt", content="needle in haystack"))
    assert [match.path for match in tools.call(looks[1]).matches] == ["new.txt"]


def test_review_and_push(tools: Toolbox) -> None:
    tools.call(WriteFile(path="README", content="Another shop.\n"))
    diff = tools.call(ReviewDiff())
    assert diff.paths == ("README",)
    assert "-A shop.\n+Another shop.\n" in diff.patch
    assert tools.call(PushChanges(title="Say more", summary="The README said little.")).accepted
    assert tools.handed_over
    assert "handed over already" in refusal(tools, ReadFile(path="README"))


def test_the_final_patch_can_be_rebuilt_from_the_trail_alone(tools: Toolbox, ledger: Ledger) -> None:
    tools.call(EditFile(path="cart.py", old="sum(prices)", new="sum(prices) + 1"))
    tools.call(RunCommand(argv=("sh", "-c", r"rm README; printf '\000\377' > b.bin; chmod +x cart.py; ln -s a l")))
    tools.call(RunTests())
    tools.call(EditFile(path="cart.py", old="sum(prices) + 1", new="sum(prices) + 2"))
    tools.call(RunCommand(argv=("sh", "-c", "rm b.bin; printf 'no newline' > c.txt")))
    patch = tools.call(ReviewDiff()).patch
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for event in ledger.events:
        for change in event.changed if isinstance(event, ToolReturned) else ():
            first.setdefault(change.path, change.before)
            last[change.path] = change.after

    def file(state: Any) -> tuple[int, bytes] | None:
        return None if state is None else (state.mode, ledger.kept[state.sha256])

    assert patch == make_patch({path: (file(first[path]), file(last[path])) for path in last})
    assert "new mode 100755" in patch


def test_turns_are_budgeted(workspace: TemporaryWorkspace, ledger: Ledger) -> None:
    tools = Toolbox(workspace, ledger, budget=Budget(turns=1))
    tools.call(ReadFile(path="README"))
    with pytest.raises(BudgetExhausted, match="all 1 tool calls"):
        tools.call(ReadFile(path="README"))
    assert len(ledger.events) == 2


def test_seconds_are_budgeted_and_shorten_a_command(workspace: TemporaryWorkspace, ledger: Ledger) -> None:
    now = [0.0]
    tools = Toolbox(workspace, ledger, budget=Budget(seconds=10.0), clock=lambda: now[0])
    now[0] = 9.5
    assert tools.call(RunCommand(argv=("sleep", "30"))).timed_out
    now[0] = 10.0
    with pytest.raises(BudgetExhausted, match="10 s"):
        tools.call(ReadFile(path="README"))


def test_cancellation_is_seen_before_and_after_a_call(workspace: TemporaryWorkspace, ledger: Ledger) -> None:
    answers = iter([False, True, True])
    tools = Toolbox(workspace, ledger, budget=Budget(), cancelled=lambda: next(answers))
    with pytest.raises(RunCancelled):
        tools.call(ReadFile(path="README"))
    assert isinstance(ledger.events[-1], ToolReturned)
    with pytest.raises(RunCancelled):
        tools.call(ReadFile(path="README"))
    assert len(ledger.events) == 2


class Broken(TemporaryWorkspace):
    """A workspace whose sandbox is gone."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        raise InfrastructureFailure("the sandbox is gone")


@pytest.mark.parametrize(("cancelled", "error"), [(False, InfrastructureFailure), (True, RunCancelled)])
def test_a_broken_sandbox_is_a_cancellation_only_when_one_was_asked_for(
    ledger: Ledger, cancelled: bool, error: type[BaseException]
) -> None:
    asked: list[bool] = []

    def ask() -> bool:
        asked.append(True)
        return cancelled and len(asked) > 1

    with Broken(FILES) as workspace:
        tools = Toolbox(workspace, ledger, budget=Budget(), cancelled=ask)
        with pytest.raises(error):
            tools.call(RunCommand(argv=("true",)))


def test_work_per_call_does_not_grow_with_the_number_of_calls(workspace: TemporaryWorkspace, ledger: Ledger) -> None:
    """Counted in calls of the workspace, not in time."""
    counted = Counting(workspace)
    tools = Toolbox(counted, ledger, budget=Budget(turns=100))
    per_turn = []
    for _ in range(30):
        before = counted.calls
        tools.call(RunCommand(argv=("true",)))
        per_turn.append(counted.calls - before)
    assert set(per_turn) == {2}
    assert len(ledger.events) == 60


class Counting:
    """Passes everything on and counts it."""

    def __init__(self, workspace: Workspace) -> None:
        self.calls = 0
        self._workspace = workspace

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._workspace, name)
        return self._count(value) if callable(value) else value

    def _count(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return function(*args, **kwargs)

        return counted


def test_nothing_escapes_through_a_planted_link(tools: Toolbox, workspace: TemporaryWorkspace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    tools.call(RunCommand(argv=("ln", "-s", str(tmp_path), "out")))
    assert "symbolic link" in refusal(tools, ReadFile(path="out/secret"))
    assert "symbolic link" in refusal(tools, WriteFile(path="out/secret", content="x"))
    assert tools.call(Search(pattern="canary")).matches == ()
    assert (tmp_path / "secret").read_text() == "canary"


def test_a_command_is_told_to_have_changed_what_it_changed(tools: Toolbox) -> None:
    touched = tools.call(RunCommand(argv=("sh", "-c", "echo x > new.txt; echo y >> README")))
    assert touched.changed == ("README", "new.txt")
    assert tools.call(RunCommand(argv=("cat", "README"))).changed == ()
    assert tools.call(RunCommand(argv=("sh", "-c", "echo z >> README"), discard=True)).changed == ()
