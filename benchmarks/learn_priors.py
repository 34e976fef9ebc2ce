"""Learns how often each repair template is the right one from the fixes in git histories: the shipped experience.

    python -m benchmarks.learn_priors --dataset DIR --tickets DIR [--per-library 40] [--out FILE] [--kept FILE]
                                     [--json]

Nothing of the libraries is run. A *fix* is a commit as ``benchmarks.mine`` would take it (a fix and its test in one
commit, at most 25 changed lines) that changes a single function; its text before and after is compared with what the
templates make of the text before. A template that gives the human's syntax tree back earns an equal part of the fix;
every other candidate of it, and of all other templates, is a trial that was lost. **Split by time**: of each library
only commits up to the newest develop ticket in TICKETS/develop are looked at, so nothing of the blind half (all newer)
is learned. The report tells the median rank of the human fix on the newest fifth of these, by lessons from the older
four fifths; the file holds the lessons of all of them.

Templates that answer to a kind of error are left to the running factory: without running the tests, the error is not
known.
"""

import argparse
import ast
import json
import resource
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit
from benchmarks.mine import libraries
from benchmarks.mine_code import changed_lines, functions_at
from benchmarks.mine_commits import MOST_LINES, candidates, in_order
from benchmarks.seeded_direct import restoring
from karkhana.behaviour.spectra import FunctionPlace, Spectrum
from karkhana.domain.lessons import Lesson
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.hypotheses import Place, cut, hypotheses
from karkhana.engineers.symbolic.localisation.localise import Suspect
from karkhana.engineers.symbolic.lore import multipliers
from karkhana.git import Repository
from karkhana.git.command import GitCommand, GitFailed

SINCE = "2010-01-01"
MOST_FUNCTION_LINES = 120
NOTHING = Spectrum(tests=(), coverage={}, functions={})


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """A human fix of one function, and what the templates make of the same function."""

    library: str = ""
    commit: str = ""
    date: str = ""
    ideas: dict[str, list[float]]
    """Template → scores of its ideas there, without any lessons."""
    right: dict[str, float]
    """Template → highest score of an idea of its that is the human fix."""


def cutoffs(tickets: Path) -> dict[str, str]:
    """Library → date of its newest develop ticket."""
    found: dict[str, str] = {}
    for path in sorted((tickets / "develop").glob("*.json")):
        ticket = json.loads(path.read_text())
        found[ticket["library"]] = max(found.get(ticket["library"], ""), ticket["date"])
    return found


def fixes(library: str, repository: Path, until: str, count: int) -> Iterator[Fix]:
    """Up to ``count`` fixes of single functions, by lot."""
    git, found = Repository(repository, repository, repository).git, 0
    commits = (c for c in candidates(repository, SINCE) if c.date <= until and c.calls_itself_a_fix)
    for commit in in_order((c for c in commits if len(c.sources) == 1), library):
        if found >= count:
            return
        path = commit.sources[0]
        before, after = (_text(git, name, path) for name in (commit.parent, commit.fix))
        try:
            fix = fix_of(path, before, after)
        except (SyntaxError, ValueError, RecursionError):
            continue
        if fix is not None:
            found += 1
            yield msgspec.structs.replace(fix, library=library, commit=commit.fix, date=commit.date)


def _text(git: GitCommand, commit: str, path: str) -> str:
    try:
        return git.run("show", f"{commit}:{path}").decode("utf-8", "replace")
    except GitFailed:
        return ""


def fix_of(path: str, before: str, after: str) -> Fix | None:
    """What templates make of a function that a change touches; ``None`` when it does more, or too much.

    Raises ``SyntaxError``, ``ValueError`` or ``RecursionError`` for what is no Python of today.
    """
    removed, added = changed_lines(before, after)
    names = {*functions_at(before, removed), *functions_at(after, added)}
    if not 1 <= len(removed) + len(added) <= MOST_LINES or len(names) != 1 or names == {""}:
        return None
    name = names.pop()
    where = place_of(before, name)
    if where is None or where.end - where.start > MOST_FUNCTION_LINES:
        return None
    place, ideas = ideas_for(path, before, where)
    right: dict[str, float] = {}
    # What the commit changed elsewhere in the file (documentation, say) is no matter of the templates.
    for number in restoring(only_function(before, after, name), path, [place], ideas):
        right[ideas[number].kind] = max(right.get(ideas[number].kind, 0.0), ideas[number].score)
    scores: dict[str, list[float]] = {}
    for idea in ideas:
        scores.setdefault(idea.kind, []).append(round(idea.score, 5))
    return Fix(ideas=scores, right={kind: round(score, 5) for kind, score in right.items()})


def place_of(text: str, qualified: str) -> FunctionPlace | None:
    """Where a function stands in a text; ``None`` when it is not there."""
    *classes, name = qualified.split(".")
    body: Sequence[ast.stmt] = ast.parse(text).body
    for wanted in classes:
        body = next((s.body for s in body if isinstance(s, ast.ClassDef) and s.name == wanted), [])
    node = next((s for s in body if isinstance(s, ast.FunctionDef) and s.name == name), None)
    if node is None or node.end_lineno is None:
        return None
    top = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return FunctionPlace(name=name, classes=tuple(classes), top=top, start=node.lineno, end=node.end_lineno)


def only_function(before: str, after: str, qualified: str) -> str:
    """The text before with one function as it is after."""
    old, new = place_of(before, qualified), place_of(after, qualified)
    if old is None or new is None:
        return after
    lines, others = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join([*lines[: old.start - 1], *others[new.start - 1 : new.end], *lines[old.end :]])


def ideas_for(path: str, text: str, where: FunctionPlace) -> tuple[Place, list[Any]]:
    """The function as a place whose every line is equally suspicious, and all ideas for it."""
    lines = dict.fromkeys(range(where.start, where.end + 1), 1.0)
    suspect = Suspect(path=path, place=where, score=1.0, lines=lines, failing=(), passing=())
    place = Place(suspect=suspect, text=cut(text, suspect), file_text=text)
    return place, hypotheses((place,), NOTHING)


def lessons_of(found: Sequence[Fix]) -> tuple[Lesson, ...]:
    """What the fixes teach."""
    sums: dict[str, list[float]] = {}
    for fix in found:
        if fix.right:
            for name, scores in fix.ideas.items():
                row = sums.setdefault(name, [0.0, 0.0])
                row[0] += 1.0 / len(fix.right) if name in fix.right else 0.0
                row[1] += len(scores) - (name in fix.right)
    return tuple(
        Lesson(subject=f"template:{name}", circumstance="", good=round(good, 2), bad=round(bad, 2), here=False)
        for name, (good, bad) in sorted(sums.items())
    )


def rank_of(fix: Fix, factors: dict[str, float]) -> int | None:
    """Rank of the human fix among all ideas, by their scores times the factors of their templates."""
    if not fix.right:
        return None
    best = max(score * factors.get(name, 1.0) for name, score in fix.right.items())
    return 1 + sum(score * factors.get(name, 1.0) > best for name, scores in fix.ideas.items() for score in scores)


def compared(found: Sequence[Fix]) -> dict[str, Any]:
    """Median rank on the newest fifth with the catalogue's priors, and with lessons from the older ones."""
    by_time = sorted((fix for fix in found if fix.right), key=lambda fix: (fix.date, fix.commit))
    split = len(by_time) * 4 // 5
    older, newer = by_time[:split], by_time[split:]
    priors = {entry.name: entry.prior for entry in catalogue().values()}
    factors = multipliers(lessons_of(older), "", priors)
    before = [rank for fix in newer if (rank := rank_of(fix, {})) is not None]
    after = [rank for fix in newer if (rank := rank_of(fix, factors)) is not None]
    return {
        "held_out": len(newer),
        "median_rank_before": statistics.median(before) if before else None,
        "median_rank_after": statistics.median(after) if after else None,
    }


def written(lessons: Sequence[Lesson], found: Sequence[Fix]) -> str:
    """The file that is shipped."""
    hits = [fix for fix in found if fix.right]
    head = (
        "# What fixes in git histories teach about the templates: see benchmarks/learn_priors.py for the recipe.\n"
        "# good: fixes that it would have made (in equal parts when several would); bad: its candidates that were not\n"
        "# the fix, in functions whose fix some template would have made.\n\n"
        f'version = "1"\nlibraries = {len({fix.library for fix in found})}\nfixes = {len(found)}\n'
        f'generated = {len(hits)}\nnewest = "{max((fix.date for fix in found), default="")}"\n\n[templates]\n'
    )
    rows = [
        f"{lesson.subject.partition(':')[2]} = {{ good = {lesson.good}, bad = {lesson.bad} }}" for lesson in lessons
    ]
    return head + "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--tickets", type=Path, required=True)
    parser.add_argument("--per-library", type=int, default=40)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--kept", type=Path, help="what was found out about fixes, library by library")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: list[Fix] = []
    dates = cutoffs(options.tickets)
    if options.kept is not None and options.kept.exists():
        found = [msgspec.json.decode(line, type=Fix) for line in options.kept.read_bytes().splitlines()]
    for library, repository in libraries(options.dataset).items():
        if library in dates and not any(fix.library == library for fix in found):
            own = list(fixes(library, repository, dates[library], options.per_library))
            print(f"{library}: {sum(bool(f.right) for f in own)} of {len(own)}", file=sys.stderr, flush=True)
            found += own
            if options.kept is not None:
                with options.kept.open("ab") as file:
                    file.writelines(msgspec.json.encode(fix) + b"\n" for fix in own)
    lessons = lessons_of(found)
    if options.out is not None:
        options.out.write_text(written(lessons, found))
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "total": len(found),
        "right": sum(bool(fix.right) for fix in found),
        **compared(found),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "cases": [
            {
                "library": f.library,
                "fix": f.commit,
                "date": f.date,
                "candidates": sum(map(len, f.ideas.values())),
                "right": sorted(f.right),
            }
            for f in found
        ],
    }
    emit("Priors", figures, as_json=options.json)


if __name__ == "__main__":
    main()
