"""SZZ: which earlier commits wrote the lines that a repair had to remove.

Sliwerski, Zimmermann and Zeller, "When do changes induce fixes?" (MSR 2005), with what later work found to be noise
left out: blank lines, comments and formatting (Kim et al., AG-SZZ, ASE 2006), documentation strings, lines that were
only moved or re-indented (after Neto et al., RA-SZZ, SANER 2018), tests, repairs and origins that are too large to be
one idea, merges and first commits (da Costa et al., TSE 2017), and the commits that a repository itself asks to look
through (``.git-blame-ignore-revs``). A repair that only adds lines has no origin here.

Knows nothing of models. Lines and paths are untrusted; nothing is run but git.

>>> # origins(repository, fix, patch)  ->  {"5c1f…": 3}: three of the removed lines were written by that commit
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from karkhana.domain.errors import InvalidInput
from karkhana.git.lineage import who_wrote
from karkhana.git.log import LoggedCommit
from karkhana.git.patches import FilePatch
from karkhana.git.repository import Repository
from karkhana.quality.history.code import is_source, means_something, squeezed

LARGEST_FIX = 20
"""Source files of a repair, at most; what touches more is seldom one repair."""
LARGEST_ORIGIN = 100
"""Files of an origin, at most; what touches more is mostly a sweep over the code."""
IGNORED = ".git-blame-ignore-revs"
_STRINGS = re.compile(
    r"""\#[^\n]* | (?P<text>\"\"\"(?:[^\\]|\\.)*?\"\"\" | \'\'\'(?:[^\\]|\\.)*?\'\'\')
    | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'""",
    re.VERBOSE | re.DOTALL,
)
_HASH = re.compile(r"^\s*([0-9a-f]{40}|[0-9a-f]{64})\b", re.MULTILINE)


def origins(
    repository: Repository,
    fix: LoggedCommit,
    patch: Sequence[FilePatch],
    *,
    since: str | None = None,
    ignored: Sequence[str] = (),
) -> Counter[str]:
    """Commit → how many of the lines that ``fix`` removed it wrote. ``since``: look no further back than that commit.

    Raises ``GitFailed`` for a damaged repository.
    """
    found: Counter[str] = Counter()
    sources = [file for file in patch if file.before is not None and is_source(file.before)]
    if not fix.parents or len(sources) > LARGEST_FIX:
        return found
    stays = Counter(squeezed(line) for file in patch for hunk in file.hunks for line in hunk.added)
    for file in sources:
        assert file.before is not None
        lines = removed_lines(file, stays)
        if lines and file.before.endswith((".py", ".pyi")):
            lines = _without_documentation(repository, fix.parents[0], file.before, lines)
        if lines:
            wrote = who_wrote(repository, fix.parents[0], file.before, _ranges(lines), since=since, ignored=ignored)
            found.update(wrote[line] for line in lines if line in wrote)
    return found


def removed_lines(file: FilePatch, stays: Counter[str]) -> list[int]:
    """Line numbers, before the repair, of the removed lines that mean something and were not only moved.

    ``stays``: the squeezed lines that the commit added anywhere, each as often as it stands there.
    """
    path = file.before or file.path
    gone = []
    for hunk in file.hunks:
        reflowed = _text(hunk.removed) == _text(hunk.added)
        for number, line in enumerate(hunk.removed, hunk.old_start):
            if means_something(path, line) and not reflowed and not stays[squeezed(line)]:
                gone.append(number)
    return gone


def plausible(origin: LoggedCommit | None) -> bool:
    """Whether a commit may be the origin of a fault: neither unknown, nor the first one, nor a sweep."""
    return origin is not None and bool(origin.parents) and len(origin.files) <= LARGEST_ORIGIN


def ignored_commits(repository: Repository, commit: str, known: Mapping[str, object]) -> tuple[str, ...]:
    """What ``.git-blame-ignore-revs`` of ``commit`` names, as far as it is in ``known``."""
    try:
        oid = repository.resolve(commit)
        entry = repository.files(oid).get(IGNORED)
    except InvalidInput:
        return ()
    if entry is None:
        return ()
    text = repository.read_blobs([entry[1]])[entry[1]][:1_000_000].decode("utf-8", "replace")
    return tuple(name for name in dict.fromkeys(_HASH.findall(text)) if name in known)


def _text(lines: Sequence[str]) -> str:
    return "".join(squeezed(line) for line in lines).replace(",", "")


def _without_documentation(repository: Repository, commit: str, path: str, lines: list[int]) -> list[int]:
    """``lines`` without those inside a string that stands at the beginning of its line, as a docstring does."""
    text = repository.git.run("cat-file", "blob", f"{commit}:{path}")[:1_000_000].decode("utf-8", "replace")
    documented: set[int] = set()
    line, at = 1, 0
    for found in _STRINGS.finditer(text):
        line += text.count("\n", at, found.start())
        at = found.start()
        if found["text"] and not text[text.rfind("\n", 0, at) + 1 : at].strip(" \trRuU"):
            documented.update(range(line, line + found["text"].count("\n") + 1))
    return [number for number in lines if number not in documented]


def _ranges(lines: Sequence[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for line in sorted(set(lines)):
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], line)
        else:
            ranges.append((line, line))
    return ranges
