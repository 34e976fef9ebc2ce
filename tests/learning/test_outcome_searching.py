"""Real histories: how a delivered change landed, and what later commits did to it."""

import os
import subprocess
from pathlib import Path

import pytest

from karkhana.domain.outcomes import ScoredChange, Sign, SignKind
from karkhana.git import Repository
from karkhana.learning.outcomes.mainline import MainLine, seen_until, tips
from karkhana.learning.outcomes.searching import Found, Reader, search
from karkhana.quality.history.messages import reverted_by, says_fix
from karkhana.quality.history.szz import origins

DAY = 86_400
START = 1_700_000_000
READER = Reader(says_fix=says_fix, reverted_by=reverted_by, origins=origins)
AREA = "def area(width, height):\n    return width + height\n\n\ndef half(number):\n    return number / 2\n"
FIXED = AREA.replace("width + height", "width * height")
RUN = "run_01"


class History:
    """A repository that is written commit by commit, one day each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.day = 0
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit({"area.py": AREA, "other.py": "A = 1\n"}, "start")
        self.base = self.commit({"other.py": "A = 2\n"}, "other")

    def git(self, *words: str) -> str:
        at = f"{START + self.day * DAY} +0000"
        who = {f"GIT_{role}_{key}": "t@localhost" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        env = {
            "PATH": os.environ["PATH"],
            "GIT_AUTHOR_DATE": at,
            "GIT_COMMITTER_DATE": at,
            "HOME": "/nonexistent",
        } | who
        done = subprocess.run(["git", "-C", str(self.folder), *words], check=True, capture_output=True, env=env)
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, str], message: str) -> str:
        self.day += 1
        for path, text in files.items():
            (self.folder / path).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def deliver(self) -> ScoredChange:
        """The factory's commit on its own branch; the main branch is checked out again."""
        self.git("checkout", "--quiet", "-b", "karkhana/BUILD-1", self.base)
        commit = self.commit({"area.py": FIXED}, f"Multiply the sides\n\nKarkhana-Run: {RUN}")
        self.git("checkout", "--quiet", "main")
        return ScoredChange(
            run_id=RUN,
            repository=str(self.folder),
            type="bugfix",
            engineer="symbolic",
            commit=commit,
            score=0.8,
            at=float(START + self.day * DAY),
        )

    def merge(self) -> str:
        self.day += 1
        self.git("merge", "--quiet", "--no-ff", "--message", "Merge BUILD-1", "karkhana/BUILD-1")
        return self.git("rev-parse", "HEAD")

    def search(self, change: ScoredChange, window_days: int = 30) -> Found:
        repository = Repository.open(self.folder)
        return search(
            repository, [change], MainLine(repository, tips(repository), change.at), READER, window_days * DAY
        )


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "repository")


def kinds(found: Found) -> list[SignKind]:
    return [sign.kind for sign in found.signs]


def test_a_branch_that_nobody_merged_has_not_landed(history: History) -> None:
    change = history.deliver()
    history.commit({"other.py": "A = 3\n"}, "more")
    assert history.search(change) == Found()
    history.git("checkout", "--quiet", "karkhana/BUILD-1")
    assert history.search(change) == Found()


def test_a_merged_change_landed_when_it_was_merged(history: History) -> None:
    change = history.deliver()
    merge = history.merge()
    history.commit({"other.py": "A = 3\n"}, "more")
    (landing,) = history.search(change).landings
    assert (landing.commit, landing.merge) == (change.commit, merge)
    assert landing.at == START + 4 * DAY
    assert history.search(change).signs == ()


def test_a_squashed_change_is_known_by_its_trailer_or_its_lines(history: History) -> None:
    change = history.deliver()
    by_lines = history.commit({"area.py": "# Sides.\n" + FIXED}, "squashed, with a comment more")
    assert history.search(change) == Found()
    history.git("reset", "--quiet", "--hard", history.base)
    by_lines = history.commit({"area.py": FIXED}, "squashed")
    assert [landing.commit for landing in history.search(change).landings] == [by_lines]
    history.git("reset", "--quiet", "--hard", history.base)
    edited = history.commit({"area.py": "# Sides.\n" + FIXED}, f"squashed (#3)\n\nKarkhana-Run: {RUN}")
    found = history.search(change)
    assert [landing.commit for landing in found.landings] == [edited]
    assert [(s.kind, s.reference) for s in found.signs] == [(SignKind.EDITED, edited)]


def test_edits_on_top_of_it_before_the_merge(history: History) -> None:
    change = history.deliver()
    history.git("checkout", "--quiet", "karkhana/BUILD-1")
    history.commit({"other.py": "A = 9\n"}, "something else")
    edit = history.commit({"area.py": FIXED.replace("width * height", "abs(width * height)")}, "not negative")
    history.git("checkout", "--quiet", "main")
    history.merge()
    assert [(s.kind, s.reference) for s in history.search(change).signs] == [(SignKind.EDITED, edit)]


def test_a_revert_by_name_of_the_commit_or_its_merge(history: History) -> None:
    change = history.deliver()
    merge = history.merge()
    revert = history.commit({"area.py": AREA}, f'Revert "Merge BUILD-1"\n\nThis reverts commit {merge[:12]}: too slow')
    (sign,) = history.search(change).signs
    assert (sign.kind, sign.reference, sign.cause) == (SignKind.REVERTED, revert, "performance")
    assert sign.at == START + 5 * DAY


def test_a_revert_that_does_not_say_so(history: History) -> None:
    change = history.deliver()
    history.merge()
    history.commit({"area.py": AREA, "other.py": "A = 5\n"}, "more than that")
    assert kinds(history.search(change)) == []
    history.git("reset", "--quiet", "--hard", "HEAD~1")
    history.commit({"area.py": AREA}, "as it was")
    assert kinds(history.search(change)) == [SignKind.REVERTED]


def test_a_revert_that_was_taken_back_is_cleared(history: History) -> None:
    change = history.deliver()
    history.merge()
    revert = history.commit({"area.py": AREA}, f"This reverts commit {change.commit}")
    history.commit({"area.py": FIXED}, f"Reapply\n\nThis reverts commit {revert}.")
    reverted, cleared = history.search(change).signs
    assert (reverted.kind, cleared.kind) == (SignKind.REVERTED, SignKind.CLEARED)
    assert cleared.reference == reverted.sign_id


def test_a_fix_of_its_lines_within_the_window(history: History) -> None:
    change = history.deliver()
    history.merge()
    better = FIXED.replace("width * height", "max(0, width * height)")
    fix = history.commit({"area.py": better}, "Fix wrong area of negative sides")
    found = history.search(change)
    assert [(s.kind, s.reference, s.cause) for s in found.signs] == [(SignKind.HOT_FIXED, fix, "wrong_behaviour")]
    assert kinds(history.search(change, window_days=0)) == []


def test_neither_a_new_feature_nor_a_fix_of_other_lines(history: History) -> None:
    change = history.deliver()
    history.merge()
    half = FIXED.replace("number / 2", "number // 2")
    history.commit({"area.py": half}, "Fix crash of half()")
    history.commit({"area.py": half.replace("width * height", "width * height * 1")}, "Scale areas")
    assert history.search(change).signs == ()


def test_a_fix_after_a_squash(history: History) -> None:
    change = history.deliver()
    history.commit({"area.py": FIXED}, "squashed")
    history.commit({"area.py": FIXED.replace("width * height", "height * width")}, "Fix #7: wrong order")
    assert kinds(history.search(change)) == [SignKind.HOT_FIXED]


def test_the_same_search_finds_the_same_signs(history: History) -> None:
    change = history.deliver()
    history.merge()
    history.commit({"area.py": AREA}, f"This reverts commit {change.commit}")
    assert history.search(change) == history.search(change)
    assert isinstance(history.search(change).signs[0], Sign)


def test_the_main_line_is_known_until_the_last_fetch(history: History, tmp_path: Path) -> None:
    repository = Repository.open(history.folder)
    line = MainLine(repository, tips(repository), START)
    assert seen_until(repository, line, START + 90 * DAY) == START + 90 * DAY
    subprocess.run(["git", "clone", "--quiet", str(history.folder), str(tmp_path / "clone")], check=True)
    clone = Repository.open(tmp_path / "clone")
    assert seen_until(clone, line, START + 90 * DAY) == START + 2 * DAY
    (clone.common_dir / "FETCH_HEAD").touch()
    os.utime(clone.common_dir / "FETCH_HEAD", (0, START + 40 * DAY))
    assert seen_until(clone, line, START + 90 * DAY) == START + 40 * DAY


SMALLER = FIXED.replace("width * height", "abs(width * height)")


def on_branch(history: History, *steps: tuple[dict[str, str], str]) -> str:
    """Commits of a person on the factory's branch; the newest one's name."""
    history.git("checkout", "--quiet", "karkhana/BUILD-1")
    for files, message in steps:
        history.commit(files, message)
    name = history.git("rev-parse", "HEAD")
    history.git("checkout", "--quiet", "main")
    return name


def test_an_edit_on_the_branch_counts_before_anything_is_merged(history: History) -> None:
    change = history.deliver()
    edit = on_branch(history, ({"area.py": SMALLER}, "Never negative"))
    found = history.search(change)
    assert found.landings == ()
    assert [(sign.kind, sign.reference) for sign in found.signs] == [(SignKind.EDITED, edit)]


def test_an_edit_that_came_with_a_merge_without_a_commit_is_one(history: History) -> None:
    change = history.deliver()
    on_branch(history, ({"area.py": SMALLER}, "Never negative"), ({"other.py": "A = 3\n"}, "And another thing"))
    history.git("merge", "--quiet", "--ff-only", "karkhana/BUILD-1")
    found = history.search(change)
    assert len(found.landings) == 1
    assert kinds(found) == [SignKind.EDITED]


def test_a_change_that_was_amended_on_its_branch_was_edited(history: History) -> None:
    change = history.deliver()
    history.git("checkout", "--quiet", "karkhana/BUILD-1")
    (history.folder / "area.py").write_text(SMALLER)
    history.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    history.git("checkout", "--quiet", "main")
    assert kinds(history.search(change)) == [SignKind.EDITED]


def test_other_commits_on_the_branch_and_a_rebase_are_no_edits(history: History) -> None:
    change = history.deliver()
    history.commit({"more.py": "B = 1\n"}, "meanwhile")
    on_branch(history, ({"other.py": "A = 3\n"}, "Another thing"))
    assert kinds(history.search(change)) == []
    history.git("rebase", "--quiet", "main", "karkhana/BUILD-1")
    history.git("checkout", "--quiet", "main")
    assert kinds(history.search(change)) == []


def test_edits_at_the_remote_are_seen(history: History, tmp_path: Path) -> None:
    change = history.deliver()
    on_branch(history, ({"area.py": SMALLER}, "Never negative"))
    clone = tmp_path / "clone"
    history.git("clone", "--quiet", str(history.folder), str(clone))
    history.folder = clone
    assert kinds(history.search(change)) == [SignKind.EDITED]
