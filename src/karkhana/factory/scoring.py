"""The gates and the score for any commit range, whoever wrote it."""

from collections.abc import Callable
from pathlib import Path

from karkhana.domain.changes import Change, FileChange, FileState
from karkhana.domain.confidence import Confidence, TrackRecord
from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import (
    AnyEvent,
    DecisionMade,
    GateFinished,
    ReviewFinished,
    ScoreComputed,
    SuiteMeasured,
)
from karkhana.domain.evidence import Evidence, GateStatus
from karkhana.domain.policy import Decision, decide
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Ticket
from karkhana.engineers.registry import default_engineers
from karkhana.factory.calibration import calibration_for
from karkhana.factory.changes import Contents
from karkhana.factory.gating import gates_for
from karkhana.factory.judging import assess, with_risk
from karkhana.factory.ordering import settings_for
from karkhana.factory.outcomes import outcome_book
from karkhana.factory.rescoring import raw_again
from karkhana.factory.results import ScoreResult
from karkhana.factory.sandboxes import workspaces_for
from karkhana.factory.second_opinion import all_gates
from karkhana.factory.stores import open_stores
from karkhana.factory.trails import MemoryTrail
from karkhana.factory.weights import current_weights
from karkhana.git import Repository, make_patch
from karkhana.git.repository import ChangedFile
from karkhana.ports import GateContext
from karkhana.quality.confidence import score
from karkhana.quality.review import review
from karkhana.quality.verify import verify
from karkhana.workspace.testing import detect, require_usable, run_tests

SUBMODULE = 0o160000
PERSONS = TrackRecord(because="a track record is kept of the factory's changes, not of those of persons")


def score_range(
    repository: Path,
    base: str,
    head: str,
    *,
    test_command: str | None,
    text: str,
    observer: Callable[[AnyEvent], None],
    sandbox: str = "bubblewrap",
) -> ScoreResult:
    """Measure the change from ``base`` to ``head`` as if an engineer had handed it over.

    Settings come from the base commit. Raises ``InvalidInput``, ``SuiteUnusable`` or what opening a workspace raises.
    """
    source = Repository.open(repository)
    old, new = source.resolve(base), source.resolve(head)
    settings = settings_for(source, old, {})
    files = [file for file in source.changed_files(old, new) if SUBMODULE not in _modes(file)]
    if not files:
        raise InvalidInput(f"{base} and {head} hold the same files", "Choose commits that differ.")
    contents = _contents(source, files)
    change = _change(source, old, files, contents, text or source.message(new))
    trail = MemoryTrail(observer)
    written = source.git.run("show", "--no-patch", "--no-show-signature", "--format=%ae", "--end-of-options", new)
    author = written.decode("utf-8", "replace").strip().lower()
    risk = assess(source, old, contents, change.summary, home=settings.home, trail=trail, author=author)
    workspaces = workspaces_for(settings, sandbox)
    root = str(source.root)
    with workspaces.open(root, old, record=trail) as before, workspaces.open(root, new, record=trail) as after:
        command = detect(after, test_command or settings.test_command)
        baseline = run_tests(before, command)
        trail.record(SuiteMeasured(after_change=False, report=baseline))
        result = run_tests(after, command)
        trail.record(SuiteMeasured(after_change=True, report=result))
        if not result.results and not baseline.results:
            require_usable(result)
        context = GateContext(
            change=change,
            ticket=Ticket(text=change.title),
            contents=contents,
            before=before,
            after=after,
            test_command=command,
            baseline=baseline,
            result=result,
        )
        findings = review(change, contents, context.ticket, baseline)
        trail.record(ReviewFinished(findings=findings))
        evidence = verify(
            gates_for(all_gates(default_engineers()), settings, risk, source, old),
            context,
            review=findings,
            progress=lambda gate: trail.record(GateFinished(result=gate)),
            to_the_end=settings.gates.effort != "auto",
        )
    evidence = with_risk(evidence, risk)
    confidence = _confidence(evidence, settings, root)
    hard = tuple(g.gate for g in evidence.gates if g.hard and g.status is GateStatus.FAILED)
    decision: Decision = decide(confidence, hard_failures=hard, policy=settings.policy)
    trail.record(ScoreComputed(confidence=confidence, risk=evidence.risk, risk_reasons=evidence.risk_reasons))
    trail.record(DecisionMade(decision=decision))
    return ScoreResult(
        repository=root,
        base=old,
        head=new,
        decision=decision.verdict.value,
        decision_reason=decision.reason,
        confidence=confidence,
        gates=evidence.gates,
        self_review=findings,
        diff=change.patch,
        risk=risk,
    )


def _confidence(evidence: Evidence, settings: Settings, root: str) -> Confidence:
    """By what outcomes taught of this repository, and of others, whatever type of task was asked for there."""
    with open_stores(settings) as stores:
        weights = current_weights(settings.home)
        calibration = calibration_for(
            outcome_book(stores).all(),
            root,
            "",
            version=weights.version,
            again=lambda run: raw_again((entry.event for entry in stores.events.entries(run)), weights),
        )
    return score(evidence, PERSONS, weights, calibration)


def _modes(file: ChangedFile) -> tuple[int, ...]:
    return tuple(side[0] for side in (file.before, file.after) if side is not None)


def _contents(source: Repository, files: list[ChangedFile]) -> Contents:
    sides = [side for file in files for side in (file.before, file.after) if side is not None]
    blobs = source.read_blobs([oid for _, oid in sides])
    return {
        file.path: (
            None if file.before is None else blobs[file.before[1]],
            None if file.after is None else blobs[file.after[1]],
        )
        for file in files
    }


def _change(source: Repository, base: str, files: list[ChangedFile], contents: Contents, title: str) -> Change:
    sides = {
        file.path: tuple(
            None if side is None or content is None else (side[0], content)
            for side, content in zip((file.before, file.after), contents[file.path], strict=True)
        )
        for file in files
    }
    return Change(
        base=base,
        files=tuple(FileChange(f.path, _state(f.before), _state(f.after)) for f in files),
        patch=make_patch({path: (pair[0], pair[1]) for path, pair in sides.items()}),
        summary=title,
        title=title.splitlines()[0][:72] if title else "",
        engineer="human",
    )


def _state(side: tuple[int, str] | None) -> FileState | None:
    return None if side is None else FileState(side[0], side[1])
