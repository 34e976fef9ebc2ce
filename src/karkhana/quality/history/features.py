"""Features of commits, each from what was known when the commit was made: one pass, the oldest commit first.

The first fourteen are those of Kamei et al., "A Large-Scale Empirical Study of Just-in-Time Quality Assurance" (IEEE
TSE 39(6), 2013); the others follow Rahman and Devanbu (ICSE 2013: ownership, churn) and Kim et al. (ICSE 2007: past
fixes). Only code counts (:mod:`karkhana.quality.history.code`); renamed files keep their past.

Knows nothing of labels or models.

>>> # list(features(read_log(repository, "HEAD")))[0].la  ->  12.0
"""

import math
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from karkhana.git.log import LoggedCommit, TouchedFile
from karkhana.quality.history.code import is_code, is_source
from karkhana.quality.history.messages import says_fix

DAY = 86_400.0
WEEK = 7 * DAY
MONTH = 30 * DAY
LATELY = 90 * DAY
"""What counts as recent churn."""
_CONTAINERS = frozenset({"src", "lib", "libs", "packages", "python"})


class CommitFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """One commit. Counts are of code files unless said otherwise; "before" means when the commit was made."""

    commit: str
    time: int
    """Seconds since 1970, of the committer."""
    ns: float
    """Subsystems (first folders) touched."""
    nd: float
    """Folders touched."""
    nf: float
    """Files touched."""
    entropy: float
    """Of the changed lines over the files, in bits."""
    la: float
    """Lines added."""
    ld: float
    """Lines deleted."""
    lt: float
    """Lines that the files had before, all together."""
    fix: float
    """1 when it says that it is a repair."""
    ndev: float
    """People who changed the files before or now."""
    age: float
    """Days since the files were changed before, the mean over those that existed."""
    nuc: float
    """Changes that the files had before, all together."""
    exp: float
    """Commits of its author before."""
    rexp: float
    """The same, each divided by one more than its age in years."""
    sexp: float
    """The same as ``exp``, in the touched subsystems."""
    churn: float
    """Lines that changed in these files in the 90 days before."""
    past_fixes: float
    """Repairs that touched these files before, all together."""
    recent_fixes: float
    """The same, each halved for every half year that has gone by."""
    owned: float
    """Share of the files' past changes that its author made; 0 when they have no past."""
    idle: float
    """Days since its author's commit before; 0 for a first one."""
    new_files: float
    """Share of the files that are new."""
    tests: float
    """Share of the changed lines that are in tests."""
    gap: float
    """Hours since the commit before, of anyone."""
    that_day: float
    """Commits of the 24 hours before."""
    that_week: float
    """The same of seven days."""
    hour: float
    """Of the day, in universal time."""
    weekday: float
    """Monday is 0."""


NAMES = tuple(name for name in CommitFeatures.__struct_fields__ if name not in {"commit", "time"})
"""All features, in the order of the class."""
CLASSIC = NAMES[:14]
"""Those of Kamei et al."""


class _File:
    """The past of one file."""

    __slots__ = ("authors", "changes", "fixes", "fixes_at", "last", "lately", "lines", "recent")

    def __init__(self) -> None:
        self.lines = 0
        self.changes = 0
        self.fixes = 0
        self.recent, self.fixes_at = 0.0, 0
        self.last: int | None = None
        self.authors: Counter[str] = Counter()
        self.lately: deque[tuple[int, int]] = deque()

    def churn(self, now: int) -> int:
        while self.lately and self.lately[0][0] < now - LATELY:
            self.lately.popleft()
        return sum(lines for _, lines in self.lately)

    def recent_fixes(self, now: int) -> float:
        return float(self.recent * 0.5 ** (max(0, now - self.fixes_at) / (183 * DAY)))

    def touch(self, commit: LoggedCommit, file: TouchedFile, fix: bool) -> None:
        now = commit.committed
        self.lines = max(0, self.lines + file.added - file.deleted)
        self.changes += 1
        self.last = now
        self.authors[commit.author] += 1
        self.lately.append((now, file.added + file.deleted))
        if fix:
            self.fixes += 1
            self.recent, self.fixes_at = self.recent_fixes(now) + 1, now


class _Author:
    """The past of one person."""

    __slots__ = ("commits", "last", "months", "subsystems")

    def __init__(self) -> None:
        self.commits = 0
        self.last: int | None = None
        self.months: Counter[int] = Counter()
        self.subsystems: Counter[str] = Counter()

    def recent(self, now: int) -> float:
        return sum(count / (1 + max(0, now - month * MONTH) / (365 * DAY)) for month, count in self.months.items())


class Past:
    """Everything that features need of the commits so far; one row and one update for each commit in turn."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._authors: dict[str, _Author] = {}
        self._times: list[int] = []

    def features(self, commit: LoggedCommit) -> CommitFeatures | None:
        """The row of a commit on top of this past; ``None`` when it touches no code."""
        touched = [file for file in commit.files if is_code(file.path)]
        if not touched:
            return None
        now = commit.committed
        known = [self._files.get(file.before or file.path) for file in touched]
        olds = [file for file in known if file is not None]
        author = self._authors.get(commit.author) or _Author()
        lines = [file.added + file.deleted for file in touched]
        total = sum(lines)
        subsystems = {_subsystem(file.path) for file in touched}
        changes = sum(old.changes for old in olds)
        ages = [max(0, now - old.last) / DAY for old in olds if old.last is not None]
        in_tests = sum(n for n, file in zip(lines, touched, strict=True) if not is_source(file.path))
        return CommitFeatures(
            commit=commit.commit,
            time=now,
            ns=float(len(subsystems)),
            nd=float(len({file.path.rpartition("/")[0] for file in touched})),
            nf=float(len(touched)),
            entropy=_entropy(lines, total),
            la=float(sum(file.added for file in touched)),
            ld=float(sum(file.deleted for file in touched)),
            lt=float(sum(old.lines for old in olds)),
            fix=float(says_fix(commit.message)),
            ndev=float(len({commit.author}.union(*(old.authors for old in olds)))),
            age=sum(ages) / len(ages) if ages else 0.0,
            nuc=float(changes),
            exp=float(author.commits),
            rexp=author.recent(now),
            sexp=float(sum(author.subsystems[name] for name in subsystems)),
            churn=float(sum(old.churn(now) for old in olds)),
            past_fixes=float(sum(old.fixes for old in olds)),
            recent_fixes=sum(old.recent_fixes(now) for old in olds),
            owned=sum(old.authors[commit.author] for old in olds) / changes if changes else 0.0,
            idle=max(0, now - author.last) / DAY if author.last is not None else 0.0,
            new_files=1 - len(olds) / len(touched),
            tests=in_tests / total if total else 0.0,
            **moment(now, self._times),
        )

    def add(self, commit: LoggedCommit) -> None:
        """Let a commit become part of the past."""
        touched = [file for file in commit.files if is_code(file.path)]
        if not touched:
            return
        fix = says_fix(commit.message)
        for file in touched:
            if file.before is not None and file.before in self._files:
                self._files[file.path] = self._files.pop(file.before)
            self._files.setdefault(file.path, _File()).touch(commit, file, fix)
            if file.gone:
                self._files.pop(file.path, None)
        insort(self._times, commit.committed)
        author = self._authors.setdefault(commit.author, _Author())
        author.commits += 1
        author.last = commit.committed
        author.months[int(commit.committed // MONTH)] += 1
        author.subsystems.update({_subsystem(file.path) for file in touched})


def features(commits: Iterable[LoggedCommit]) -> Iterator[CommitFeatures]:
    """A row for each commit that touches code; ``commits`` come in the order they were made."""
    past = Past()
    for commit in commits:
        row = past.features(commit)
        past.add(commit)
        if row is not None:
            yield row


def moment(now: int, before: Sequence[int]) -> dict[str, float]:
    """What only the time of a commit gives; ``before``: times of earlier commits in order, a week's at least.

    >>> moment(1_600_000_000, [1_599_000_000, 1_599_996_400])["gap"]
    1.0
    """
    return {
        "gap": max(0, now - before[-1]) / 3600 if before else 0.0,
        "that_day": float(len(before) - bisect_left(before, now - DAY)),
        "that_week": float(len(before) - bisect_left(before, now - WEEK)),
        "hour": float(now % int(DAY) // 3600),
        "weekday": float((now // int(DAY) + 3) % 7),
    }


def vector(row: CommitFeatures) -> list[float]:
    """The features in the order of :data:`NAMES`."""
    return [float(getattr(row, name)) for name in NAMES]


def _subsystem(path: str) -> str:
    first, *more = path.split("/")
    if not more:
        return ""
    # what holds all packages of a repository says nothing about where in it a file is
    return more[0] if first in _CONTAINERS and len(more) > 1 else first


def _entropy(lines: list[int], total: int) -> float:
    return -sum(n / total * math.log2(n / total) for n in lines if n) if total else 0.0
