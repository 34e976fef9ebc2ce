"""The gates and the score for any commit range, whoever wrote it; and the explanation of a run's score."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from karkhana.domain.changes import Change, FileChange, FileState
from karkhana.domain.confidence import Confidence, TrackRecord
from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import (
    AnyEvent,
    DecisionMade,
    GateFinished,
    ReviewFinished,
    RiskAssessed,
    ScoreComputed,
    SuiteMeasured,
)
from karkhana.domain.evidence import Evidence, GateStatus
from karkhana.domain.policy import Decision, Policy, decide
from karkhana.domain.risks import Risk, in_full
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Ticket
from karkhana.engineers.registry import default_engineers
from karkhana.factory.calibration import calibration_for
from karkhana.factory.changes import Contents
from karkhana.factory.gating import gates_for
from karkhana.factory.judging import assess, with_risk
from karkhana.factory.ordering import settings_for
from karkhana.factory.outcomes import outcome_book
from karkhana.factory.rescoring import raw_again, scored_in
from karkhana.factory.results import ScoreResult
from karkhana.factory.sandboxes import workspaces_for
from karkhana.factory.second_opinion import all_gates
from karkhana.factory.stores import Stores, open_stores
from karkhana.factory.trails import MemoryTrail
from karkhana.factory.weights import current_weights
from karkhana.git import Repository, make_patch
from karkhana.git.repository import ChangedFile
from karkhana.ports import GateContext
from karkhana.quality.confidence import score
from karkhana.quality.counterfactuals import Counterfactual, Way, counterfactuals, ways
from karkhana.quality.explanation import Row, explain, rows
from karkhana.quality.review import review
from karkhana.quality.verify import verify
from karkhana.quality.weights import Weights
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


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A score, part by part."""

    run_id: str
    score: float
    components: tuple[Row, ...]
    """Value, weight, contribution, reason, and what would raise it."""
    caps: tuple[str, ...]
    missing: tuple[str, ...]
    """What could not be measured."""
    counterfactuals: tuple[Counterfactual, ...]
    """What the score would be if one thing were better, the most first."""
    ways: tuple[Way, ...]
    """The least that would reach the canary and the deployment."""
    risk: Risk | None = None
    """How likely the change is to need a repair, the likeliest kinds of bugs, and what looks for them."""
    text: str
    """The same as a page for a person."""


def explain_run(stores: Stores, run_id: str) -> Explanation:
    """Why a run's score is what it is. Raises ``UnknownRun``, or ``InvalidInput`` when it never came so far."""
    events = [entry.event for entry in stores.events.entries(run_id)]
    kept = scored_in(events)
    if kept is None:
        status = stores.runs.get(run_id).status.value.replace("_", " ")
        raise InvalidInput(f"{run_id} has no score: it ended as {status}", "Choose a run with a change.")
    evidence, scored = kept
    weights = current_weights(stores.settings.home)
    risk = next((event.risk for event in reversed(events) if isinstance(event, RiskAssessed)), None)
    return explanation(run_id, evidence, scored.confidence, stores.settings.policy, weights, risk=risk)


def explanation(
    run_id: str,
    evidence: Evidence,
    confidence: Confidence,
    policy: Policy,
    weights: Weights,
    *,
    risk: Risk | None = None,
) -> Explanation:
    """Everything that can be said of a score; what it could be only as long as its weights still hold."""
    holds = confidence.weights_version == weights.version
    single = counterfactuals(evidence, confidence, weights) if holds else ()
    targets = (policy.canary_from, policy.deploy_above + 1e-4)
    reached = ways(evidence, confidence, targets, weights) if holds else ()
    return Explanation(
        run_id=run_id,
        score=confidence.score,
        components=tuple(rows(confidence, weights)),
        caps=confidence.caps,
        missing=confidence.missing,
        counterfactuals=single,
        ways=reached,
        risk=risk,
        text=explain(
            confidence,
            weights,
            [*(_told(single, reached) if holds else _OLD), *(["", *in_full(risk)] if risk is not None else [])],
        ),
    )


_OLD = ("", "Other weights hold by now, so what would raise it is not told.")


def _told(single: tuple[Counterfactual, ...], reached: tuple[Way, ...]) -> list[str]:
    lines = []
    better = [each for each in single if each.gain > 0]
    if better:
        lines += ["", "It would be:", *(f"    {each.score:.2f} with {each.with_}" for each in better)]
    for way in reached:
        lines += ["", f"To reach {way.reaches:.2f} it needs, together ({way.score:.2f}):"]
        lines += [f"    {each}" for each in way.with_]
    return lines
