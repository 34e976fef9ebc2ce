"""What gates remember, and what they must not."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from quality_contexts import still_context, suite_report

from karkhana.domain.evidence import Finding, GateResult, GateStatus
from karkhana.domain.tasks import Ticket
from karkhana.ports import GateContext
from karkhana.quality.gates.memory import Memory, key_of, remembering
from karkhana.quality.gates.selection import select
from karkhana.workspace.memory import TemporaryWorkspace


class Counting:
    """A gate that counts how often it measures."""

    def __init__(self, name: str = "mutation", status: GateStatus = GateStatus.PASSED, *, hard: bool = False) -> None:
        self.name, self.status, self.hard, self.asked = name, status, hard, 0

    def check(self, context: GateContext) -> GateResult:
        self.asked += 1
        return GateResult(
            gate=self.name,
            status=self.status,
            hard=self.hard,
            summary=f"measured {self.asked}",
            findings=(Finding(rule="r", message="m"),),
        )


class Placed(TemporaryWorkspace):
    """A workspace that says what it isolates."""

    place = "bubblewrap 3.11 abc {}"


@pytest.fixture
def context() -> Iterator[GateContext]:
    with Placed({}) as side, still_context({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as still:
        yield msgspec.structs.replace(still, before=side, after=side)


def twice(gate: Counting, folder: Path, first: GateContext, second: GateContext | None = None, **other: Any) -> str:
    """What the second of two measurements says."""
    remembering([gate], Memory(folder), tree="t")[0].check(first)
    return remembering([gate], Memory(folder), tree=other.get("tree", "t"))[0].check(second or first).summary


def test_the_same_change_is_measured_once(tmp_path: Path, context: GateContext) -> None:
    gate = Counting()
    assert twice(gate, tmp_path, context) == "measured 1 (remembered: measured before)"
    assert gate.asked == 1
    renamed = msgspec.structs.replace(context.change, base="1" * 40, title="Other words")
    again = msgspec.structs.replace(context, change=renamed)
    assert twice(gate, tmp_path, again).startswith("measured 1 ")
    result = remembering([gate], Memory(tmp_path), tree="t")[0].check(context)
    assert result.findings == (Finding(rule="r", message="m"),)


def test_whatever_a_result_rests_on_is_part_of_the_key(tmp_path: Path, context: GateContext) -> None:
    other = {
        "ticket": Ticket(text="another wish"),
        "test_command": ("python", "-m", "pytest", "tests"),
        "baseline": suite_report({"t.py::test": "failed"}),
        "result": suite_report({"t.py::test": "passed", "t.py::more": "passed"}),
    }
    with still_context({"a.py": "x = 1\n"}, {"a.py": "x = 3\n"}) as still:
        other["change"] = still.change
    by_another = msgspec.structs.replace(context, change=msgspec.structs.replace(context.change, engineer="human"))
    assert twice(Counting(), tmp_path / "by", context, by_another) == "measured 2"
    for number, (name, value) in enumerate(other.items()):
        gate, changed = Counting(), msgspec.structs.replace(context, **{name: value})
        assert twice(gate, tmp_path / str(number), context, changed) == "measured 2", name
    assert twice(Counting(), tmp_path / "tree", context, tree="another") == "measured 2"
    with Placed({}) as elsewhere:
        elsewhere.place = "bubblewrap 3.12 abc {}"
        moved = msgspec.structs.replace(context, after=elsewhere)
        assert twice(Counting(), tmp_path / "place", context, moved) == "measured 2"


def test_another_effort_or_other_programs_measure_again(tmp_path: Path, context: GateContext) -> None:
    gate, kept = Counting(), Memory(tmp_path)
    for effort in ("brief", "thorough"):
        chosen = select([gate], risk=None, effort=effort)  # type: ignore[arg-type]
        assert effort in remembering(chosen, kept, tree="t")[0].check(context).summary
    assert gate.asked == 2
    remembering(select([gate], risk=None, effort="brief"), Memory(tmp_path, programs="x"), tree="t")[0].check(context)
    assert gate.asked == 3


@pytest.mark.parametrize(
    "gate",
    [
        Counting(status=GateStatus.UNKNOWN),
        Counting(status=GateStatus.FAILED, hard=True),
        Counting("suite"),
        Counting("duration"),
    ],
)
def test_some_results_are_never_kept(tmp_path: Path, context: GateContext, gate: Counting) -> None:
    assert twice(gate, tmp_path, context) == "measured 2"
    assert not list(tmp_path.iterdir())


def test_without_a_sandbox_nothing_is_remembered(tmp_path: Path, context: GateContext) -> None:
    with TemporaryWorkspace({}) as bare:
        assert twice(Counting(), tmp_path, msgspec.structs.replace(context, before=bare)) == "measured 2"


def test_a_damaged_entry_is_none(tmp_path: Path, context: GateContext) -> None:
    gate = Counting()
    twice(gate, tmp_path, context)
    (place,) = tmp_path.iterdir()
    whole = place.read_bytes()
    forged = whole.replace(b"measured 1", b"measured 9")
    other = msgspec.json.decode(whole)
    for data in (b"", whole[:-20], forged, b"[" * 100_000, msgspec.json.encode({**other, "key": "k"}), b"\xff\xfe"):
        place.write_bytes(data)
        before = gate.asked
        assert twice(gate, tmp_path, context).endswith("(remembered: measured before)")
        assert gate.asked == before + 1, data[:40]


def test_an_entry_of_another_gate_is_none(tmp_path: Path, context: GateContext) -> None:
    kept = Memory(tmp_path)
    kept.keep("key", Counting("coverage").check(context))
    assert kept.recall("key", "mutation") is None
    assert kept.recall("key", "coverage") is not None


def test_the_oldest_entries_go(tmp_path: Path, context: GateContext) -> None:
    kept, result = Memory(tmp_path, most=10), Counting().check(context)
    for number in range(11):
        kept.keep(f"k{number}", result)
        os.utime(tmp_path / f"k{number}.json", (number, number))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"k{n}.json" for n in range(2, 11))
    kept.keep("large", msgspec.structs.replace(result, summary="x" * (1 << 21)))
    assert kept.recall("large", "mutation") is None


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path, context: GateContext) -> None:
    (tmp_path / "file").write_text("")
    assert twice(Counting(), tmp_path / "file", context) == "measured 2"


def test_names_that_are_no_text_have_a_key(context: GateContext) -> None:
    odd = msgspec.structs.replace(context, result=suite_report({"t\udcff.py::test": "passed"}))
    assert len(key_of("mutation", "usual", ["t"], odd)) == 64
