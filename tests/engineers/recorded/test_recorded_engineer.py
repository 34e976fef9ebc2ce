"""Recordings worked through by the real toolbox on a plain folder."""

from karkhana.domain.events import ToolCalled
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import EditFile, ReadFile, WriteFile
from karkhana.engineers.recorded import RecordedEngineer, Recording
from karkhana.engineers.recorded.engineer import anchored
from karkhana.engineers.recorded.recording import Look, Put, Shell, Splice, Step, Submit, Swap, same_patch
from karkhana.factory.changes import patch_of
from karkhana.factory.trails import MemoryTrail
from karkhana.ports import Assignment, Handover
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox

FILES = {"cart.py": "def total(prices):\n    return sum(prices) - 1\n", "old.txt": "x\n"}
PATCH = """diff --git a/cart.py b/cart.py
index 1..2 100644
--- a/cart.py
+++ b/cart.py
@@ -1,2 +1,2 @@
 def total(prices):
-    return sum(prices) - 1
+    return sum(prices)
"""


def work(*steps: Step) -> tuple[Handover, str, RecordedEngineer, MemoryTrail]:
    trail, budget = MemoryTrail(), Budget(turns=50)
    engineer = RecordedEngineer(Recording(name="demo", format="test", steps=steps))
    with TemporaryWorkspace(FILES) as workspace:
        assignment = Assignment(
            ticket=Ticket(text="total() is one too low"),
            baseline=TestReport(command=(), exit_code=0, results=(), duration_s=0.0),
            budget=budget,
            root=workspace.root,
            test_command=(),
        )
        handover = engineer.work(assignment, Toolbox(workspace, trail, budget=budget), trail)
        return handover, patch_of(workspace.changes()), engineer, trail


def test_a_recording_is_reproduced_by_our_tools() -> None:
    handover, patch, engineer, trail = work(
        Look(call=ReadFile(path="cart.py")),
        Put(path="reproduce.py", content="\n"),
        Splice(path="reproduce.py", first=1, last=1, text="import cart\n"),
        Shell(command="rm reproduce.py"),
        Splice(path="cart.py", first=2, last=2, text="    return sum(prices)\n"),
        Submit(),
    )
    assert handover.solved
    assert same_patch(patch, PATCH)
    assert (engineer.refused, engineer.forced) == ([], [])
    tools = [event.call["tool"] for event in trail.events if isinstance(event, ToolCalled)]
    assert [tool for tool in tools if tool != "read_file"] == [
        *("write_file", "edit_file", "run_command", "edit_file", "push_changes"),
    ]


def test_what_cannot_be_done_is_passed_over_and_remembered() -> None:
    handover, patch, engineer, _ = work(
        Swap(path="cart.py", old="not there", new="x"), Splice(path="gone.py", first=1, last=1, text="x\n"), Submit()
    )
    assert not handover.solved
    assert patch == ""
    assert [said.split(":")[0] for said in engineer.refused] == ["Swap", "Splice", "Submit"]


def test_an_edit_that_breaks_a_file_is_made_by_a_command_and_named() -> None:
    handover, patch, engineer, _ = work(Splice(path="cart.py", first=2, last=2, text="    return nowhere\n"), Submit())
    assert handover.solved
    assert "+    return nowhere" in patch
    assert "nowhere" in engineer.forced[0]


def test_a_recording_without_an_end() -> None:
    handover, *_ = work(Put(path="new.txt", content="x\n"))
    assert not handover.solved


def test_anchors_are_unique() -> None:
    before = "a\nb\na\nb\na\nc\n"
    for number in range(6):
        lines = before.splitlines(keepends=True)
        lines[number] = "new\n"
        call = anchored("x", before, "".join(lines))
        assert isinstance(call, EditFile)
        assert before.count(call.old) == 1
        assert before.replace(call.old, call.new) == "".join(lines)
    assert anchored("x", "", "a\n") == WriteFile(path="x", content="a\n")
    assert anchored("x", "a\n", "a\n") is None
