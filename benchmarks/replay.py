"""Recorded runs of other agents, worked through by our tools: is the patch that they submitted reproduced?

    python -m benchmarks.replay --dataset DIR [--only TEXT] [--every N] [--verbose] [--json]

DIR holds git repositories, bare or not, named OWNER+NAME or OWNER+NAME/repo: those with the recordings (``RECORDERS``)
and those that the recorded agents worked on. Each recording gets a sandbox on its real base commit; a recording whose
repository is not in DIR is used only if it shows the files that its patch changes. *Reproduced* means that the
difference in the end is the submitted patch, line for line (``same_patch``), but for the files that preparing the
recorder's environment had changed (``PREPARED``); whatever went wrong counts as not reproduced. *Forced* are those
with an edit that our edit tools refuse, since it leaves undefined names or broken syntax, and that a command made.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit, find_source, git, small_repository
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Budget, Ticket
from karkhana.engineers.recorded import RecordedEngineer, Recording, Unreadable, auto_code_rover, swe_agent
from karkhana.engineers.recorded.recording import Change, Shell, same_patch, without
from karkhana.factory.changes import patch_of
from karkhana.factory.trails import MemoryTrail
from karkhana.git import Repository
from karkhana.ports import Assignment
from karkhana.workspace.local import LocalWorkspaces
from karkhana.workspace.toolbox import Toolbox

RECORDERS = (
    ("SWE-agent/SWE-agent", "trajectories/demonstrations", "swe-agent"),
    ("nus-apr/auto-code-rover", "results/swe-agent-results", "swe-agent"),
    ("nus-apr/auto-code-rover", "results/acr-run-1", "auto-code-rover"),
)
"""(repository, folder, format)."""
PREPARED = {
    ("swe-agent", "sphinx-doc__sphinx"): ("setup.py", "tox.ini"),
    ("swe-agent", "psf__requests"): ("build/",),
}
"""(format, repository) → files and folders that installing the environment had changed; they are in its patches."""
_WANTED = ("/meta.json", "/tool_call_sequence.json", *(f"raw_{n}" for n in range(1, 10)), ".diff")


class Sources:
    """Clones of the data set's repositories that borrow its objects, made when they are first wanted."""

    def __init__(self, dataset: Path, folder: Path) -> None:
        self._dataset, self._folder = dataset, folder
        self._found: dict[str, Repository | None] = {}

    def of(self, name: str) -> Repository | None:
        """OWNER/NAME; ``None`` when it was not fetched."""
        if name not in self._found:
            source = find_source(self._dataset, name)
            place = self._folder / name.replace("/", "+")
            if source is not None:
                clone = ["git", "clone", "--quiet", "--shared", "--no-checkout", str(source), str(place)]
                subprocess.run(clone, check=True, capture_output=True)
            self._found[name] = None if source is None else Repository.open(place)
        return self._found[name]


def recordings(sources: Sources) -> Iterator[Recording]:
    """Everything that was recorded. What one recorder knows of a task's base commit serves for the others."""
    commits: dict[str, str] = {}
    for name, folder, kind in reversed(RECORDERS):
        source = sources.of(name)
        if source is None:
            print(f"{name}: not fetched, left out", file=sys.stderr)
            continue
        for recording in _read(source, folder, kind):
            commits.setdefault(recording.task, recording.commit)
            yield _agents_own(msgspec.structs.replace(recording, commit=commits[recording.task]))


def _agents_own(recording: Recording) -> Recording:
    """Without what preparing the environment had changed before the agent began, unless the agent named it as well."""
    named = {step.path for step in recording.steps if isinstance(step, Change)}
    typed = "\n".join(step.command for step in recording.steps if isinstance(step, Shell))
    paths: tuple[str, ...] = PREPARED.get((recording.format, recording.task.rpartition("-")[0]), ())
    changed = re.findall(r"^diff --git a/(\S+) ", recording.submitted, re.MULTILINE)
    theirs = {path for path in changed if path.startswith(paths) and path not in named and path not in typed}
    return msgspec.structs.replace(recording, submitted=without(recording.submitted, theirs).strip("\r\n"))


def _read(source: Repository, folder: str, kind: str) -> Iterator[Recording]:
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for path, (_, blob) in source.files(source.head()).items():
        if not path.startswith(f"{folder}/"):
            continue
        if kind == "swe-agent" and path.endswith(".traj"):
            groups[path][path] = blob
        elif kind == "auto-code-rover" and path.endswith(_WANTED):
            groups[path.rpartition("/")[0]][path] = blob
    for name, files in sorted(groups.items()):
        blobs = source.read_blobs(list(files.values()))
        found = {path.rpartition("/")[2]: blobs[blob] for path, blob in files.items()}
        try:
            if kind == "swe-agent":
                yield swe_agent.recording(name, next(iter(found.values())))
            elif "meta.json" in found:
                yield auto_code_rover.recording(name, found)
        except Unreadable as error:
            print(f"left out: {error}", file=sys.stderr)


def base(recording: Recording, sources: Sources, folder: Path) -> tuple[Path, str] | None:
    """The repository and the commit that the recording began with; ``None`` when they are not to be had."""
    owner, _, rest = recording.task.partition("__")
    source = sources.of(f"{owner}/{rest.rpartition('-')[0]}") if rest else None
    if source is not None:
        commit = recording.commit or _commit_of(source, recording.submitted)
        if commit:
            return (source.root, commit) if _is_whole(source, commit) else None
    changed = re.findall(r"^--- a/(.+)$", recording.submitted, re.MULTILINE)
    if changed and set(changed) <= recording.shown.keys():
        small = small_repository(folder / "shown", recording.shown)
        return small, git(small, "rev-parse", "HEAD")
    return None


def _is_whole(source: Repository, commit: str) -> bool:
    """Whether every file of a commit is there: a fetched repository may lack its largest ones."""
    oids = "\n".join(blob for _, blob in source.files(commit).values())
    check = ["git", "-C", str(source.root), "cat-file", "--batch-check"]
    return " missing" not in subprocess.run(check, input=oids, capture_output=True, text=True, check=True).stdout


def _commit_of(source: Repository, patch: str) -> str:
    """The newest commit with the files that a patch was made from, which its ``index`` lines name."""
    blobs = re.findall(r"^index ([0-9a-f]{7,})\.\.\S+ \d+\s+--- a/(\S+)", patch, re.MULTILINE)
    if not blobs:
        return ""
    for commit in git(source.root, "log", "--format=%H", "--", blobs[0][1]).split():
        tree = source.files(commit)
        if all(path in tree and tree[path][1].startswith(blob) for blob, path in blobs):
            return commit
    return ""


def replay(recording: Recording, repository: Path, commit: str, home: Path) -> dict[str, Any]:
    """One recording through our tools: a row of the report."""
    engineer, trail = RecordedEngineer(recording), MemoryTrail()
    budget = Budget(turns=10_000, seconds=900.0)
    with LocalWorkspaces(home).open(str(repository), commit, record=trail) as workspace:
        assignment = Assignment(
            ticket=Ticket(text=recording.name),
            baseline=TestReport(command=(), exit_code=0, results=(), duration_s=0.0),
            budget=budget,
            root=workspace.root,
            test_command=(),
        )
        tools = Toolbox(workspace, trail, budget=budget)
        handover = engineer.work(assignment, tools, trail)
        patch = patch_of(workspace.changes())
    return {
        "reproduced": handover.solved and same_patch(patch, recording.submitted),
        "turns": tools.turns,
        "refused": engineer.refused,
        "forced": engineer.forced,
        "patch": patch,
    }


def measure(recording: Recording, sources: Sources, folder: Path) -> dict[str, Any] | None:
    """A row; ``None`` when the base of the recording is not to be had."""
    row = {"name": recording.name, "format": recording.format, "submitted": bool(recording.submitted)}
    if not recording.submitted:
        return {**row, "reproduced": False, "turns": 0, "refused": [], "forced": []}
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        place = base(recording, sources, Path(temporary))
        if place is None:
            return None
        try:
            done = replay(recording, *place, folder / "home")
        except KarkhanaError as error:
            said = f"{type(error).__name__}: {error}"
            done = {"reproduced": False, "turns": 0, "refused": [said], "forced": [], "patch": ""}
    return {**row, **done}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--only", default="", help="part of a recording's name")
    parser.add_argument("--every", type=int, default=1, help="take every N-th recording of each format")
    parser.add_argument("--verbose", action="store_true", help="both patches of those that differ, on stderr")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, without, seen = [], 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="karkhana-replay-") as temporary:
        sources = Sources(options.dataset, Path(temporary))
        for recording in recordings(sources):
            seen[recording.format] += 1
            if options.only not in recording.name or seen[recording.format] % options.every:
                continue
            row = measure(recording, sources, Path(temporary))
            without += row is None
            if row is None:
                continue
            rows.append(row)
            if row["submitted"]:
                word = ("forced" if row["forced"] else "reproduced") if row["reproduced"] else "not reproduced"
                print(f"{row['name']}: {word} {row['refused'][:3] or ''}", file=sys.stderr, flush=True)
                if options.verbose and not row["reproduced"]:
                    print(f"{recording.submitted}\n=== ours\n{row['patch']}", file=sys.stderr, flush=True)
    emit("Replay", figures(rows, without), as_json=options.json)


def figures(rows: list[dict[str, Any]], without: int) -> dict[str, Any]:
    """The report's object."""
    handed = [row for row in rows if row["submitted"]]
    reproduced = sum(row["reproduced"] for row in handed)
    by_format: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        by_format[row["format"]].update(
            recordings=1,
            submitted=int(row["submitted"]),
            reproduced=int(row["reproduced"]),
            forced=int(row["reproduced"] and bool(row["forced"])),
            turns=row["turns"],
        )
    return {
        "recordings": len(rows),
        "submitted": len(handed),
        "reproduced": reproduced,
        "forced": sum(bool(row["forced"]) for row in handed if row["reproduced"]),
        "share": round(reproduced / len(handed), 4) if handed else None,
        "without_base": without,
        "by_format": {name: dict(counts) for name, counts in sorted(by_format.items())},
        "differing": [{"name": row["name"], "refused": row["refused"]} for row in handed if not row["reproduced"]],
    }


if __name__ == "__main__":
    main()
