"""Forecasts each commit of a history from what was known when it was made, and measures how good that was.

Time is respected twice: features are those of the moment, and at the start of each block of commits the model learns
only from outcomes that were known by then. Knows nothing of how the result is shown.
"""

import hashlib
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from karkhana.domain.errors import InvalidInput
from karkhana.domain.policy import Policy
from karkhana.factory.backtest.history import Gathered, Judged, Progress, gather, silent
from karkhana.factory.backtest.reading import bands, examples, guarantee, notes, table
from karkhana.factory.backtest.results import Backtest, Block
from karkhana.git.repository import Repository
from karkhana.quality.history.journal import Journal
from karkhana.quality.history.places import folder_for
from karkhana.quality.risk.measuring import (
    at_threshold,
    calibration,
    measure,
    receiver_curve,
)
from karkhana.quality.risk.model import RiskModel
from karkhana.quality.risk.prior import load_prior
from karkhana.quality.risk.settings import load_settings

LEAST = 60
"""Commits that can be judged, without which nothing can be said."""
BLOCKS = 12
"""Times that the model learns anew."""
WARM_UP = 0.2
"""Share of the judged commits that is only learned from."""
THRESHOLDS = (0.50, 0.60, 0.70, 0.75, 0.80, 0.85, 0.90, 0.925, 0.95, 0.975)
_VERSION = 2
"""Rises when the same history would be forecast otherwise, so that old journals are not read."""


class _Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal keeps of one block."""

    commit: str
    """A digest of everything that the forecast depends on."""
    risk: tuple[float, ...]
    outcomes: int
    share_of_own: float


def backtest(
    path: Path,
    *,
    limit: int = 1000,
    days: int = 180,
    head: str = "HEAD",
    home: Path | None = None,
    policy: Policy | None = None,
    progress: Progress = silent,
) -> Backtest:
    """Judge the newest ``limit`` commits that are old enough. ``home``: data folder, to go on where a kill stopped it.

    ``policy``: whose two thresholds the report compares. Raises ``InvalidInput`` for a history that is too short,
    ``NotARepository``, ``EmptyRepository``, and ``GitFailed`` for a damaged one.
    """
    started = time.monotonic()
    repository = Repository.open(path, bare=True)
    repository.head()
    folder = folder_for(home, repository) if home is not None else None
    gathered = gather(repository, limit, days, folder, head=head, progress=progress)
    judged = gathered.judged
    if len(judged) < LEAST:
        raise InvalidInput(
            f"{repository.root} has {len(judged)} commits of source code that are at least {days} days older than the "
            f"newest one; {LEAST} are needed",
            "choose a longer history with --limit, or a shorter time to turn out bad with --days",
        )
    warm_up = max(LEAST // 2, int(len(judged) * WARM_UP))
    risk, blocks = _forecast(gathered, warm_up, folder, progress)
    scored = judged[warm_up:]
    bad = [one.bad for one in scored]
    prior = load_prior().risk(table(scored)).tolist()
    added = [one.row.la for one in scored]
    at = [at_threshold(risk, bad, threshold) for threshold in THRESHOLDS]
    return Backtest(
        repository=repository.root.name if repository.root.name != "repo" else repository.root.parent.name,
        head=gathered.head,
        commits=gathered.commits,
        young=gathered.young,
        without_source=gathered.without_source,
        warm_up=warm_up,
        forecast=len(scored),
        bad=sum(bad),
        within_days=days,
        fixes=gathered.labels.fixes,
        reverts=gathered.labels.reverts,
        first=scored[0].row.time,
        last=scored[-1].row.time,
        measures=measure(risk, bad),
        prior_alone=measure(prior, bad),
        lines_added_auc=measure(added, bad).auc,
        calibration=tuple(calibration(risk, bad)),
        curve=tuple(receiver_curve(risk, bad)),
        thresholds=tuple(at),
        policy=bands(risk, bad, policy or Policy()),
        guarantee=guarantee(at),
        blocks=blocks,
        riskiest=examples(gathered, scored, risk, sorted(range(len(risk)), key=lambda n: -risk[n])),
        missed=examples(gathered, scored, risk, sorted((n for n in range(len(risk)) if bad[n]), key=lambda n: risk[n])),
        notes=notes(gathered, days, sum(bad)),
        seconds=round(time.monotonic() - started, 2),
    )


def _forecast(
    gathered: Gathered, warm_up: int, folder: Path | None, progress: Progress
) -> tuple[list[float], tuple[Block, ...]]:
    """The risk of each judged commit after the warm-up, block by block."""
    judged, risk, blocks = gathered.judged, list[float](), []
    edges = np.linspace(warm_up, len(judged), min(BLOCKS, len(judged) - warm_up) + 1).astype(int).tolist()
    journal = Journal(folder / f"forecasts-{_VERSION}.ndjson", _Forecast) if folder is not None else None
    kept = journal.read() if journal is not None else {}
    try:
        for number, (start, end) in enumerate(itertools.pairwise(edges)):
            progress("forecasting commits in the order of time", number, len(edges) - 1)
            block, past = judged[start:end], _known(gathered, judged[start].row.time)
            key = _digest(block, past)
            found = kept.get(key)
            if found is None:
                model = RiskModel.fit(table([one for one, _ in past]), [bad for _, bad in past])
                forecast = tuple(model.risk(table(block)).tolist())
                found = _Forecast(
                    commit=key, risk=forecast, outcomes=model.outcomes, share_of_own=round(model.share_of_own, 4)
                )
                if journal is not None:
                    journal.write(found)
            risk += found.risk
            blocks.append(_block(block, found))
        progress("forecasting commits in the order of time", len(edges) - 1, len(edges) - 1)
    finally:
        if journal is not None:
            journal.close()
    return risk, tuple(blocks)


def _known(gathered: Gathered, now: int) -> list[tuple[Judged, bool]]:
    """The commits whose outcome could be said at ``now``, and what it was."""
    found = []
    for one in gathered.judged:
        verdict = gathered.labels.verdict(one.row.commit, one.row.time, now, gathered.within)
        # what is bad already, but whose time is not over, is left out like the good ones of its age
        if verdict is not None and one.row.time + gathered.within <= now:
            found.append((one, verdict))
    return found


def _digest(block: Sequence[Judged], past: Sequence[tuple[Judged, bool]]) -> str:
    said = msgspec.json.encode(
        ([one.row for one in block], [(one.row, bad) for one, bad in past], load_settings(), load_prior())
    )
    return hashlib.sha256(said).hexdigest()


def _block(block: Sequence[Judged], found: _Forecast) -> Block:
    return Block(
        start=block[0].row.time,
        end=block[-1].row.time,
        count=len(block),
        bad=sum(one.bad for one in block),
        forecast=float(np.mean(found.risk)),
        outcomes_known=found.outcomes,
        share_of_own=found.share_of_own,
    )
