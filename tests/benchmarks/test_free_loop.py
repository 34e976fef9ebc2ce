"""What a row of the free loop's benchmark says, read from a run's events."""

from typing import Any

import pytest
from benchmarks.free_loop import figures_of, row_of

from karkhana.domain import events as ev
from karkhana.domain.changes import Change
from karkhana.factory.results import RunResult


def answered(turn: int) -> ev.ModelAnswered:
    answer = {"usage": {"input": 10, "output": 5}, "parts": []}
    return ev.ModelAnswered(
        turn=turn, purpose="work", model="m", place="p", answer=answer, cost_usd="", duration_s=2.0, recalled=False
    )


def called(tool: str) -> ev.ToolCalled:
    return ev.ToolCalled(turn=1, call={"tool": tool})


CHANGE = ev.ChangeHandedOver(change=Change(base="0" * 40, files=(), patch="", summary="", engineer="llm", title="t"))


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([answered(1), called("edit_file"), called("run_tests"), CHANGE], (True, True, True)),
        ([answered(1), called("write_file"), CHANGE], (True, False, True)),
        ([answered(1), called("search"), called("run_tests")], (False, True, False)),
    ],
)
def test_a_row_tells_what_was_done(events: list[Any], said: tuple[bool, bool, bool]) -> None:
    result = RunResult(run_id="r", task=None, status="failed", reason="x" * 500, turns=3)  # type: ignore[arg-type]
    row = row_of(result, events)
    assert (row["edited"], row["tested"], row["handed_over"]) == said
    assert (row["answers"], row["model_s"], row["tokens"]) == (1, 2, {"input": 10, "output": 5})
    assert len(row["reason"]) == 300


def test_figures_of_no_rows_and_of_some() -> None:
    assert figures_of([])["tickets"] == 0
    row = {"completed": True, "right": False, "handed_over": True, "clean": True, "answers": 4, "model_s": 9}
    figures = figures_of([{**row, "tokens": {"input": 3}}, {**row, "completed": False, "tokens": {"input": 4}}])
    assert (figures["completed"], figures["clean_ends"], figures["tokens"]) == (1, 2, {"input": 7})
