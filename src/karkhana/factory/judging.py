"""From evidence to a score in a run: what is known of earlier changes goes in, and everything that went in is kept.

Knows nothing of thresholds and of what is done with the score.
"""

import time
from pathlib import Path

import msgspec

from karkhana.domain.confidence import Confidence
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.events import Noted, RiskAssessed, ScoreComputed, StrategyChosen
from karkhana.domain.evidence import Evidence
from karkhana.domain.risks import Risk
from karkhana.factory.calibration import calibration_for
from karkhana.factory.changes import Contents
from karkhana.factory.job import Job
from karkhana.factory.records import Built
from karkhana.factory.rescoring import raw_again
from karkhana.factory.risk import AUTHOR, change_risk, without_history
from karkhana.factory.weights import current_weights
from karkhana.git import Repository
from karkhana.learning.outcomes.track_record import Kind, track_record
from karkhana.ports import Trail
from karkhana.quality.confidence import score


def score_change(job: Job, built: Built, evidence: Evidence) -> Confidence:
    """The score of a run's change, in the trail with what it rests on."""
    sync_outcomes(job)
    outcomes = job.rooms.book.all()
    weights = current_weights(job.settings.home)
    calibration = calibration_for(
        outcomes,
        job.order.repository,
        job.order.type.value,
        version=weights.version,
        again=lambda run: raw_again(job.rooms.events(run), weights),
    )
    confidence = score(evidence, track_record(outcomes, kind(job, built)), weights, calibration)
    job.trail.record(
        ScoreComputed(
            confidence=confidence,
            alternatives=evidence.alternatives,
            disagreement=evidence.disagreement,
            probability=evidence.probability,
            risk=evidence.risk,
            risk_reasons=evidence.risk_reasons,
        )
    )
    job.rooms.runs.set_score(job.run_id, job.epoch, confidence.score)
    return confidence


def sync_outcomes(job: Job) -> None:
    """Look for what became of earlier changes of this repository, unless the settings say not to."""
    if job.settings.outcomes.sync:
        synced = job.rooms.book.sync(job.order.repository)
        if synced.problem:
            job.trail.record(Noted(text=f"what became of earlier changes was not looked for: {synced.problem}"))


def assess(
    source: Repository,
    base: str,
    contents: Contents,
    message: str,
    *,
    home: Path,
    trail: Trail,
    author: str = AUTHOR,
) -> Risk:
    """The risk of such a change by the repository's past, and its likeliest kinds of bugs, in the trail.

    Where the past cannot be read, what the lines of the change say.
    """
    try:
        risk = change_risk(source, base, contents, message=message, now=int(time.time()), home=home, author=author)
    except KarkhanaError as error:
        trail.record(Noted(text=f"the risk of the change was not looked at: {error.message}"))
        risk = without_history(contents, f"the history could not be read: {error.message}")
    trail.record(RiskAssessed(risk=risk))
    return risk


def assess_change(job: Job, built: Built, contents: Contents) -> Risk:
    """The same for a run's change."""
    message = f"{built.change.title}\n\n{built.change.summary}"
    source = Repository.open(job.order.repository)
    return assess(source, built.change.base, contents, message, home=job.settings.home, trail=job.trail)


def with_risk(evidence: Evidence, risk: Risk) -> Evidence:
    """Evidence with what the score needs of a risk."""
    if risk.chance is None:
        return evidence
    return msgspec.structs.replace(evidence, risk=risk.chance, risk_reasons=risk.reasons)


def kind(job: Job, built: Built) -> Kind:
    """What the change of a run is by."""
    chosen = None
    for event in job.rooms.events(job.run_id):
        if isinstance(event, StrategyChosen) and (event.engineer, event.attempt) == (
            built.change.engineer,
            built.attempt,
        ):
            chosen = event
    return Kind(
        type=job.order.type.value,
        engineer=built.change.engineer,
        model=chosen.model if chosen else "",
        repository=job.order.repository,
        strategy=chosen.strategy.key if chosen else "",
    )
