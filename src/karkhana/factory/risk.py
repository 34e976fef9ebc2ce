"""How risky a change is by its repository's past: features of the change on top of the commits before it, the shipped
prior, and what became of the newest commits; which kinds of bugs it would most likely bring, and what looks for them.

Knows nothing of evidence: it is asked before any gate runs. What it finds is kept on disk, so that only new commits are
read the next time.
"""

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from itertools import groupby
from pathlib import Path

import msgspec

from karkhana.domain.risks import LikelyBug, Risk
from karkhana.factory.changes import Contents
from karkhana.git import Repository
from karkhana.git.log import LoggedCommit, TouchedFile
from karkhana.git.patches import FilePatch, Hunk
from karkhana.quality.diffs import line_diff
from karkhana.quality.history.features import NAMES as FEATURES
from karkhana.quality.history.features import CommitFeatures, Past, features, vector
from karkhana.quality.history.labels import label
from karkhana.quality.history.places import folder_for
from karkhana.quality.history.reading import read_history
from karkhana.quality.risk.kinds import PastRepairs, load_checks, predict
from karkhana.quality.risk.model import RiskModel
from karkhana.quality.risk.prior import load_prior
from karkhana.quality.risk.repairs import past_repairs

AUTHOR = "karkhana@localhost"
"""Whose commits the factory's are."""
_DAY = 86_400


class KindRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a kind of bug is told, and when its checks are asked for."""

    told: int
    least_share: float
    least_lift: float


class RiskRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The typed form of ``risk.toml``."""

    longest_history: int
    window: int
    days: int
    least: float
    kinds: KindRules
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
    patch = tuple(_patches(contents))
    count = int(source.git.run("rev-list", "--count", "--no-merges", base))
    if count > rules.longest_history:
        reason = f"the history of {count} commits is too long to be read each time"
        return _with_kinds(Risk(chance=None, reasons=(reason,)), patch, PastRepairs(), rules.kinds)
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
    risk = Risk(chance=round(float(model.risk(table)[0]), 4), reasons=moved(table, rules)[0])
    return _with_kinds(risk, patch, past_repairs(source, commits, folder), rules.kinds)


def without_history(contents: Contents, reason: str, rules: RiskRules | None = None) -> Risk:
    """What the lines of a change alone say, when its history cannot be read."""
    rules = rules or risk_rules()
    return _with_kinds(Risk(chance=None, reasons=(reason,)), tuple(_patches(contents)), PastRepairs(), rules.kinds)


def _with_kinds(risk: Risk, patch: tuple[FilePatch, ...], past: PastRepairs, rules: KindRules) -> Risk:
    """The likeliest kinds of bugs, and the checks of those that the change itself speaks for."""
    kinds = tuple(
        msgspec.structs.replace(one, share=round(one.share, 4), usual=round(one.usual, 4), asks=_asks(one, rules))
        for one in predict(patch, past, rules.told)
    )
    known = load_checks()
    wanted = list(dict.fromkeys(name for kind in kinds if kind.asks for name in kind.checks))
    return msgspec.structs.replace(
        risk,
        kinds=kinds,
        checks=tuple(dict.fromkeys(gate for name in wanted if (gate := known[name].gate) is not None)),
        advice=tuple(known[name].says for name in wanted if known[name].gate is None),
    )


def _asks(kind: LikelyBug, rules: KindRules) -> bool:
    """Kinds that are merely usual here would ask for the same checks of every change."""
    shown = kind.evidence or kind.repaired_here
    return bool(shown) and kind.share >= rules.least_share and kind.lift >= rules.least_lift


def _patches(contents: Contents) -> Iterator[FilePatch]:
    """The added lines of each file, as a hunk for each run of them."""
    for path, (before, after) in contents.items():
        diff = line_diff(before, after)
        runs = (
            [line for _, line in run] for _, run in groupby(enumerate(diff.added_lines()), lambda at: at[1][0] - at[0])
        )
        hunks = tuple(Hunk(0, (), lines[0][0], tuple(_readable(text) for _, text in lines)) for lines in runs)
        yield FilePatch(path, None if before is None else path, hunks)


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


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


def moved(features: dict[str, list[float]], rules: RiskRules | None = None) -> list[tuple[str, ...]]:
    """For each change which groups of its features move the prior, and which way, the most first."""
    rules = rules or risk_rules()
    groups = {name: group for group, names in rules.groups.items() for name in names}
    names, added = load_prior().contributions(features)
    found = []
    for row in added.tolist():
        sums: dict[str, float] = {}
        for name, amount in zip(names, row, strict=True):
            group = groups.get(name.split("_per_")[0])
            if group is not None:
                sums[group] = sums.get(group, 0.0) + amount
        ordered = sorted(((abs(amount), group, amount > 0) for group, amount in sums.items()), reverse=True)
        found.append(
            tuple(
                f"{group} {'raises' if up else 'lowers'} the risk" for size, group, up in ordered if size >= rules.least
            )
        )
    return found
