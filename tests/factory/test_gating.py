"""Which gates measure a change, and what is known of it already."""

from pathlib import Path

import msgspec

from histories import History
from karkhana.domain.changes import REGULAR, Change, FileChange, FileState
from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.domain.risks import Risk
from karkhana.domain.settings import GateSettings, Settings
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Ticket
from karkhana.factory.gating import gates_for
from karkhana.git import Repository
from karkhana.ports import GateContext
from karkhana.quality.gates.selection import effort_of
from karkhana.workspace.memory import TemporaryWorkspace


class Counting:
    """A gate that counts how often it measures."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, 0

    def check(self, context: GateContext) -> GateResult:
        self.asked += 1
        return GateResult(gate=self.name, status=GateStatus.PASSED, summary="measured")


class Isolated(TemporaryWorkspace):
    """A workspace that says what it isolates."""

    place = "bubblewrap"


def context_in(workspace: TemporaryWorkspace) -> GateContext:
    files = (FileChange("a.py", FileState(REGULAR, "0" * 64), FileState(REGULAR, "1" * 64)),)
    report = TestReport(
        command=("pytest",), exit_code=0, results=(TestResult("t.py::t", Outcome.PASSED, 0.1),), duration_s=0.1
    )
    return GateContext(
        change=Change(base="0" * 40, files=files, patch="", summary="", engineer="human"),
        ticket=Ticket(text="mend it"),
        contents={},
        before=workspace,
        after=workspace,
        test_command=("pytest",),
        baseline=report,
        result=report,
    )


def test_risk_skip_and_effort_come_together(tmp_path: Path) -> None:
    history = History(tmp_path / "repository")
    history.commit("start", {"a.py": "x = 1\n"})
    (commit,) = history.write()
    source = Repository.open(tmp_path / "repository")
    gates = [Counting("suite"), Counting("mutation"), Counting("differential")]
    settings = Settings(home=tmp_path / "home", gates=GateSettings(skip=("differential",)))
    chosen = gates_for(gates, settings, Risk(chance=0.01), source, commit)
    assert [(gate.name, effort_of(gate)) for gate in chosen] == [("suite", "usual"), ("mutation", "brief")]
    asked = gates_for(gates, settings, Risk(chance=0.01, checks=("mutation",)), source, commit)
    assert effort_of(asked[1]) == "thorough"
    forced = msgspec.structs.replace(settings, gates=GateSettings(effort="usual"))
    assert [effort_of(gate) for gate in gates_for(gates, forced, Risk(chance=0.01), source, commit)] == ["usual"] * 3


def test_a_station_that_is_repeated_does_not_measure_again_but_one_on_another_tree_does(tmp_path: Path) -> None:
    history = History(tmp_path / "repository")
    history.commit("start", {"a.py": "x = 1\n"})
    history.commit("say the same in other words", {})
    history.commit("go on", {"b.py": "y = 1\n"})
    start, same, other = history.write()
    source = Repository.open(tmp_path / "repository")
    settings = Settings(home=tmp_path / "home")
    gate = Counting("mutation")
    with Isolated({}) as workspace:
        context = context_in(workspace)
        said = [
            gates_for([gate], settings, Risk(chance=None), source, commit)[0].check(context).summary
            for commit in (start, start, same, other)
        ]
    assert [text.startswith("measured (remembered") for text in said] == [False, True, True, False]
    assert gate.asked == 2
    assert len(list((tmp_path / "home" / "gates").iterdir())) == 2
