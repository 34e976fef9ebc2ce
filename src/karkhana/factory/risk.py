"""How risky a change is by its repository's past: features of the change on top of the commits before it, the shipped
prior, and what became of the newest commits.

Knows nothing of evidence; what it finds can be kept on disk, so that only new commits are read the next time.
"""

import hashlib
from functools import lru_cache
from importlib import resources
from pathlib import Path

import msgspec

from karkhana.factory.changes import Contents
from karkhana.git import Repository
from karkhana.git.log import LoggedCommit, TouchedFile
from karkhana.quality.diffs import line_diff
from karkhana.quality.history.features import NAMES as FEATURES
from karkhana.quality.history.features import CommitFeatures, Past, features, vector
from karkhana.quality.history.labels import label
from karkhana.quality.history.reading import read_history
from karkhana.quality.risk.model import RiskModel
from karkhana.quality.risk.prior import load_prior

AUTHOR = "karkhana@localhost"
"""Whose commits the factory's are."""
_DAY = 86_400


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """The chance that a change needs a fix later, and why."""

    chance: float | None
    """In [0,1]; ``None``: nothing can be said."""
    reasons: tuple[str, ...] = ()


class RiskRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed form of ``risk.toml``."""

    longest_history: int
    window: int
    days: int
    least: float
    groups: dict[str, tuple[str, ...]]


@lru_cache(maxsize=1)
def risk_rules() -> RiskRules:
    """The ones that ship with Karkhana."""
    data = resources.files("karkhana.factory").joinpath("risk.toml").read_bytes()
    return msgspec.toml.decode(data, type=RiskRules)


def change_risk(
    source: Repository,
    base: str,
    contents: Contents,
    *,
    message: str,
    now: int,
    home: Path,
    author: str = AUTHOR,
    rules: RiskRules | None = None,
) -> Risk:
    """Of a change that is not committed yet: ``contents`` on top of ``base``, ``now`` in seconds since 1970.

    Raises ``GitFailed`` for a damaged repository.
    """
    rules = rules or risk_rules()
    count = int(source.git.run("rev-list", "--count", "--no-merges", base))
    if count > rules.longest_history:
        return Risk(chance=None, reasons=(f"the history of {count} commits is too long to be read each time",))
    folder = folder_for(home, source)
    commits = read_history(source, base, folder)
    past = Past()
    for commit in commits:
        past.add(commit)
    row = past.features(_commit(base, contents, message, now, author))
    if row is None:
        return Risk(chance=0.0, reasons=("it touches no code",))
    model = _model(source, commits, folder, rules)
    table = _table([row])
    return Risk(chance=round(float(model.risk(table)[0]), 4), reasons=_words(table, rules))


def folder_for(home: Path, source: Repository) -> Path:
    """Where what is read of a repository's history is kept."""
    name = hashlib.sha256(str(source.common_dir).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return home / "history" / name


def _commit(base: str, contents: Contents, message: str, now: int, author: str) -> LoggedCommit:
    files = []
    for path, (before, after) in contents.items():
        diff = line_diff(before, after)
        files.append(
            TouchedFile(path, len(diff.added), len(diff.removed), path, new=before is None, gone=after is None)
        )
    return LoggedCommit("", (base,), author, now, now, message, tuple(files))


def _model(source: Repository, commits: list[LoggedCommit], folder: Path, rules: RiskRules) -> RiskModel:
    """The prior, moved by what became of the newest commits that are old enough."""
    within, end = rules.days * _DAY, max((commit.committed for commit in commits), default=0)
    old = [place for place, commit in enumerate(commits) if commit.committed + within <= end][-rules.window :]
    if not old:
        return RiskModel()
    labels = label(source, commits, first=old[0], folder=folder)
    wanted = {commits[place].commit for place in old}
    rows = [row for row in features(commits) if row.commit in wanted]
    bad = [bool(labels.verdict(row.commit, row.time, end, within)) for row in rows]
    return RiskModel.fit(_table(rows), bad) if rows else RiskModel()


def _table(rows: list[CommitFeatures]) -> dict[str, list[float]]:
    values = [vector(row) for row in rows]
    return {name: [row[place] for row in values] for place, name in enumerate(FEATURES)}


def _words(table: dict[str, list[float]], rules: RiskRules) -> tuple[str, ...]:
    """Which groups of features move the prior, and which way, the most first."""
    groups = {name: group for group, names in rules.groups.items() for name in names}
    names, added = load_prior().contributions(table)
    sums: dict[str, float] = {}
    for name, amount in zip(names, added[0].tolist(), strict=True):
        group = groups.get(name.split("_per_")[0])
        if group is not None:
            sums[group] = sums.get(group, 0.0) + amount
    moved = sorted(((abs(amount), group, amount > 0) for group, amount in sums.items()), reverse=True)
    return tuple(
        f"{group} {'raises' if riskier else 'lowers'} the risk" for size, group, riskier in moved if size >= rules.least
    )
