from collections.abc import Iterator
from typing import Any

import pytest

from karkhana.domain.errors import InfrastructureFailure, ToolRefused
from karkhana.domain.tools import CommandResult
from karkhana.workspace.finding import ask, files_job, lines_job
from karkhana.workspace.foreseen import MOST, Foreseen
from karkhana.workspace.memory import TemporaryWorkspace

JOBS = [lines_job("x", "**", 9), files_job("*.py", 9), lines_job("^y", "b.py", 1)]


class CountingWorkspace(TemporaryWorkspace):
    programs = 0

    def run(self, argv: tuple[str, ...], **words: Any) -> CommandResult:
        self.programs += 1
        return super().run(argv, **words)


@pytest.fixture
def workspace() -> Iterator[CountingWorkspace]:
    opened = CountingWorkspace({"a.py": "x\n", "src/b.py": "y\nyx\ny\n", "c.txt": "x" * 100_000})
    with opened:
        yield opened


def test_what_was_announced_is_looked_for_by_one_program(workspace: CountingWorkspace) -> None:
    alone = [ask(workspace, job) for job in JOBS]
    workspace.programs = 0
    foreseen = Foreseen(workspace)
    foreseen.announce(JOBS)
    assert workspace.programs == 0
    assert [foreseen.ask(job) for job in JOBS] == alone
    assert workspace.programs == 1
    assert foreseen.ask(JOBS[0]) == alone[0]
    assert workspace.programs == 2


def test_one_alone_and_one_too_many_are_not_foreseen(workspace: CountingWorkspace) -> None:
    foreseen = Foreseen(workspace)
    foreseen.announce(JOBS[:1])
    assert foreseen.ask(JOBS[0]) == ask(workspace, JOBS[0])
    many = [files_job("*.py", number + 1) for number in range(MOST + 1)]
    foreseen.announce(many)
    workspace.programs = 0
    assert [len(foreseen.ask(job)["paths"]) for job in many] == [1] + [2] * MOST
    assert workspace.programs == 2


def test_one_that_fails_leaves_the_others_their_answers(workspace: CountingWorkspace) -> None:
    broken = {**JOBS[0], "pattern": "("}
    foreseen = Foreseen(workspace)
    foreseen.announce([JOBS[1], broken, JOBS[2]])
    assert foreseen.ask(JOBS[1])["paths"] == ["a.py", "src/b.py"]
    with pytest.raises(InfrastructureFailure, match="listing files in the sandbox failed"):
        foreseen.ask(broken)
    assert foreseen.ask(JOBS[2])["matches"] == [["src/b.py", 1, "y"]]
    assert workspace.programs == 2


def test_a_program_that_answers_nothing_of_use_is_asked_again_for_each(
    workspace: CountingWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreseen = Foreseen(workspace)
    for written in (b"[{}]", b"{}", b"[", b"null"):
        monkeypatch.setattr("karkhana.workspace.foreseen.run", lambda *_, written=written: written)
        foreseen.announce(JOBS)
        assert [foreseen.ask(job) for job in JOBS] == [ask(workspace, job) for job in JOBS]


def test_a_search_that_takes_too_long_is_the_only_one_refused(
    workspace: CountingWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("karkhana.workspace.finding.TIME_LIMIT_S", 1.0)
    slow = lines_job("(x+x+)+y$", "c.txt", 1)
    foreseen = Foreseen(workspace)
    foreseen.announce([JOBS[0], slow])
    assert foreseen.ask(JOBS[0])["matches"][0][0] == "a.py"
    with pytest.raises(ToolRefused, match="took longer"):
        foreseen.ask(slow)
