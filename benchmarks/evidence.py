"""Does the score tell right changes from wrong ones that pass the same tests?

    python -m benchmarks.evidence --dataset DIR [--pairs 150] [--seed N] [--draws N] [--keep FILE] [--json]

DIR holds bigcode-project/octopack and jkoppel/QuixBugs (see ``benchmarks.humanevalfix`` and ``benchmarks.quixbugs``).
``benchmarks.evidence_pairs`` makes the pairs. Each change goes through the review and all gates, as ``karkhana score``
does, without the sandbox, and gets the score that ships, with a track record of ``--good`` and ``--bad`` outcomes. The
second engineer is asked once a pair: it sees neither of the changes. When every case has given a pair and more are
wanted, ``--draws`` goes through them again, with other tests to be seen and other wrong changes.
``--keep`` appends a row of evidence per change, and goes on behind what is there.
"""

import argparse
import hashlib
import json
import resource
import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks.common import emit
from benchmarks.evidence_pairs import COMMAND, Pair, pairs
from karkhana.domain.changes import REGULAR, Change, FileChange, FileState
from karkhana.domain.evidence import Evidence
from karkhana.domain.tasks import Ticket
from karkhana.domain.tools import EditFile, ToolCall, WriteFile
from karkhana.engineers.symbolic import SymbolicEngineer
from karkhana.factory.second_opinion import all_gates
from karkhana.git import make_patch
from karkhana.ports import Assignment, Engineer, GateContext, Handover, Tools, Trail
from karkhana.quality.confidence import score
from karkhana.quality.review import review
from karkhana.quality.verify import verify
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.testing import run_tests

R = TypeVar("R")


class AskedOnce:
    """An engineer who remembers what it did with the tools, and does the same when it is asked again."""

    def __init__(self, engineer: Engineer) -> None:
        self.name = engineer.name
        self._engineer = engineer
        self._handover: Handover | None = None
        self._edits: list[ToolCall[Any]] = []

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        if self._handover is None:
            self._handover = self._engineer.work(assignment, _Watched(tools, self._edits), trail)
        else:
            for edit in self._edits:
                tools.call(edit)
        return self._handover


class _Watched:
    def __init__(self, tools: Tools, edits: list[ToolCall[Any]]) -> None:
        self._tools, self._edits = tools, edits

    def call(self, call: ToolCall[R]) -> R:
        result = self._tools.call(call)
        if isinstance(call, EditFile | WriteFile):
            self._edits.append(call)
        return result


def evidence_of(pair: Pair) -> dict[bool, Evidence]:
    """What the gates and the review find of either change of a pair: right → evidence."""
    found: dict[bool, Evidence] = {}
    gates = all_gates({"symbolic": AskedOnce(SymbolicEngineer())})
    with TemporaryWorkspace(pair.before) as before:
        baseline = run_tests(before, COMMAND)
        for right, text in ((True, pair.right), (False, pair.wrong)):
            with TemporaryWorkspace(pair.before | {pair.path: text}) as after:
                old = {path: content.encode() for path, content in pair.before.items()}
                change, contents = change_of(old, old | {pair.path: text.encode()}, pair.ticket)
                context = GateContext(
                    change=change,
                    ticket=Ticket(text=pair.ticket),
                    contents=contents,
                    before=before,
                    after=after,
                    test_command=COMMAND,
                    baseline=baseline,
                    result=run_tests(after, COMMAND),
                )
                findings = review(change, contents, context.ticket, baseline)
                found[right] = verify(gates, context, review=findings)
    return found


def change_of(
    before: Mapping[str, bytes], after: Mapping[str, bytes], text: str
) -> tuple[Change, dict[str, tuple[bytes | None, bytes | None]]]:
    """The change from one tree to another, and the bytes of what differs."""
    both = {path: (before.get(path), after.get(path)) for path in sorted(before.keys() | after.keys())}
    contents = {path: pair for path, pair in both.items() if pair[0] != pair[1]}
    patch = make_patch({path: (_side(old), _side(new)) for path, (old, new) in contents.items()})
    files = tuple(FileChange(path, _state(old), _state(new)) for path, (old, new) in contents.items())
    change = Change(base="0" * 40, files=files, patch=patch, summary=text, engineer="human", title="Fix it")
    return change, contents


def _side(data: bytes | None) -> tuple[int, bytes] | None:
    return None if data is None else (REGULAR, data)


def _state(data: bytes | None) -> FileState | None:
    return None if data is None else FileState(REGULAR, hashlib.sha256(data).hexdigest())


def area(right: Iterable[float], wrong: Iterable[float]) -> float:
    """The chance that a right change scores higher than a wrong one, ties half."""
    lower = list(wrong)
    rows = [(a > b) + 0.5 * (a == b) for a in right for b in lower]
    return sum(rows) / len(rows) if rows else float("nan")


def figures_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    right = [r["score"] for r in rows if r["right"]]
    wrong = [r["score"] for r in rows if not r["right"]]
    both = list(zip(right, wrong, strict=True))
    above = [r["right"] for r in rows if r["score"] > 0.90]
    kinds = sorted({r["kind"] for r in rows})
    return {
        "pairs": len(right),
        "auc": round(area(right, wrong), 4),
        "within_pairs": round(statistics.fmean((a > b) + 0.5 * (a == b) for a, b in both), 4),
        "above_0.90": len(above),
        "wrong_above_0.90": sum(not r for r in above),
        "right_from_0.70": round(sum(s >= 0.70 for s in right) / len(right), 4),
        "wrong_from_0.70": round(sum(s >= 0.70 for s in wrong) / len(wrong), 4),
        "by_kind": {kind: sum(r["kind"] == kind and r["right"] for r in rows) for kind in kinds},
        "median_cpu_s": round(statistics.median(r["cpu_s"] for r in rows), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=2, help="pairs of a case, at most")
    parser.add_argument("--keep", type=Path, help="file for the evidence, one row per change")
    parser.add_argument("--good", type=int, default=60, help="good outcomes of the track record")
    parser.add_argument("--bad", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if options.keep and options.keep.exists():
        rows = [json.loads(line) for line in options.keep.read_text().splitlines()]
    done = {row["name"] for row in rows}
    for seed in range(options.seed, options.seed + options.draws):
        mark = f" {seed}" if seed != options.seed else ""
        cases = {name.removesuffix(mark) for name in done if name.endswith(mark) and (mark or " " not in name)}
        for pair in pairs(options.dataset.resolve(), seed, cases) if len(done) < options.pairs else ():
            name = pair.name + mark
            began = _cpu_s()
            found = evidence_of(pair)
            cost = (_cpu_s() - began) / 2
            for right, evidence in found.items():
                data = json.loads(_encoded(evidence))
                rows.append({"name": name, "kind": pair.kind, "right": right, "cpu_s": cost, "evidence": data})
                _keep(options.keep, rows[-1])
            done.add(name)
            print(f"{len(done):>4} {name:<28} {pair.kind}", file=sys.stderr, flush=True)
            if len(done) >= options.pairs:
                break
    record = (options.good, options.bad)
    for row in rows:
        row["score"] = score(_decoded(row["evidence"]), track_record=record).score
    emit("Evidence", figures_of(rows), as_json=options.json)


def _encoded(evidence: Evidence) -> bytes:
    return msgspec.json.encode(evidence)


def _decoded(data: Any) -> Evidence:
    return msgspec.convert(data, Evidence)


def _keep(file: Path | None, row: dict[str, Any]) -> None:
    if file is not None:
        with file.open("a") as stream:
            stream.write(json.dumps(row) + "\n")


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
