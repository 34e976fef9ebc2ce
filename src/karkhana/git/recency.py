"""Which lines were changed lately, and how many commits ago. Knows nothing of what it is wanted for.

>>> # recent_lines(Repository.open("~/shop"), commit)  ->  {"cart.py": {12: 0, 13: 0, 40: 3}}
"""

from collections import Counter
from collections.abc import Iterator

from karkhana.git.command import GitCommand, path_text
from karkhana.git.repository import Repository

COMMITS = 20
"""How far back is looked, along the first parents."""
FILES = 12
"""Files that are looked at: those that most of these commits touch."""
BYTES = 1_000_000
"""Files longer than this are left out."""
_REGULAR = (0o100644, 0o100755)


def recent_lines(
    repository: Repository, commit: str, *, suffix: str = ".py", commits: int = COMMITS, files: int = FILES
) -> dict[str, dict[int, int]]:
    """Path → line (from 1, as in ``commit``) → number of first-parent commits since it was changed, 0 for ``commit``.

    Lines older than ``commits`` commits, and those of a first commit, are left out. The cost grows with ``commits``
    times ``files``, not with the length of the history.
    """
    git = repository.git
    listed = git.run("rev-list", "--first-parent", f"--max-count={commits + 1}", "--end-of-options", commit)
    chain = listed.decode("ascii").split()
    if len(chain) < 2:
        return {}
    oldest = chain[-1]
    ages = {name: age for age, name in enumerate(chain[:-1])}
    present = repository.files(commit)
    found: dict[str, dict[int, int]] = {}
    for path in _touched(git, chain, suffix, present)[:files]:
        lines = {line: ages[name] for line, name in _blame(git, path, oldest, commit) if name in ages}
        if lines:
            found[path] = lines
    return found


def _touched(git: GitCommand, chain: list[str], suffix: str, present: dict[str, tuple[int, str]]) -> list[str]:
    """Files that these commits changed and that still exist, the most often changed first."""
    words = ("--first-parent", "--diff-merges=first-parent", f"--max-count={len(chain) - 1}", "--name-only", "-z")
    plain = ("--format=", "--no-renames", "--no-show-signature", "--no-textconv", "--no-ext-diff")
    answer = git.run("log", *words, *plain, "--end-of-options", chain[0])
    names = Counter(path_text(name.strip(b"\n")) for name in answer.split(b"\0") if name.strip(b"\n"))
    usable = [n for n in names if n.endswith(suffix) and n in present and present[n][0] in _REGULAR]
    return sorted(usable, key=lambda name: (-names[name], name))


def _blame(git: GitCommand, path: str, oldest: str, commit: str) -> Iterator[tuple[int, str]]:
    """(line, commit) of each line."""
    if int(git.run("cat-file", "-s", f"{commit}:{path}")) > BYTES:
        return
    answer = git.run("blame", "--porcelain", "--first-parent", "--no-textconv", f"{oldest}..{commit}", "--", path)
    length = len(commit)
    for row in answer.split(b"\n"):
        # Lines of the file begin with a tab; of all others only headers begin with a full object name and numbers.
        words = row.split(b" ")
        if len(words) in (3, 4) and len(words[0]) == length and words[1].isdigit() and words[2].isdigit():
            yield int(words[2]), words[0].decode("ascii", "replace")
