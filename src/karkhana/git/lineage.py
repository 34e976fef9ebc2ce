"""Which commits wrote given lines of a file, as ``git blame`` says. Knows nothing of why it is asked.

>>> # who_wrote(repository, commit, "cart.py", [(12, 14)])  ->  {12: "5c1f…", 13: "5c1f…", 14: "90ab…"}
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from karkhana.git.command import GitCommand
from karkhana.git.repository import Repository

BYTES = 1_000_000
"""Files longer than this are left out."""
RANGES = 200
"""Ranges of one file that are asked for at most."""


def who_wrote(
    repository: Repository,
    commit: str,
    path: str,
    ranges: Sequence[tuple[int, int]],
    *,
    since: str | None = None,
    ignored: Sequence[str] = (),
) -> dict[int, str]:
    """Line (from 1, as in ``commit``) → the commit that wrote it; changes of white space and moves do not count.

    ``ranges``: first and last line of each. Lines that are as old as ``since`` or older are left out. ``ignored``:
    commits that are looked through, as those of a ``.git-blame-ignore-revs``. Empty for a file that is absent or too
    long. Raises ``GitFailed``.
    """
    git = GitCommand(repository.git_dir)
    said = git.run("ls-tree", "-z", "-l", "--full-tree", commit, "--", f":(literal,top){path}").split(b"\0")[0]
    size = said.partition(b"\t")[0].split()
    if len(size) != 4 or size[1] != b"blob" or int(size[3]) > BYTES:
        return {}
    # With a range that holds no commit, blame turns to the work tree
    if since and not git.run("rev-list", "--max-count=1", "--end-of-options", f"{since}..{commit}"):
        return {}
    words = ["blame", "--porcelain", "-w", "-M", "--no-textconv"]
    words += [word for first, last in ranges[:RANGES] for word in ("-L", f"{first},{last}")]
    span = f"{since}..{commit}" if since else commit
    with tempfile.TemporaryDirectory(prefix="karkhana-blame-") as folder:
        if ignored:
            listed = Path(folder, "ignored")
            listed.write_text("".join(f"{one}\n" for one in ignored), encoding="ascii")
            words.append(f"--ignore-revs-file={listed}")
        answer = git.run(*words, span, "--", path)
    found, boundary = {}, set()
    name = ""
    for row in answer.split(b"\n"):
        # Lines of the file begin with a tab; of all others only headers begin with a full object name and numbers.
        parts = row.split(b" ")
        if len(parts) in (3, 4) and len(parts[0]) == len(commit) and parts[1].isdigit() and parts[2].isdigit():
            name = parts[0].decode("ascii", "replace")
            found[int(parts[2])] = name
        elif row == b"boundary":
            boundary.add(name)
    return {line: name for line, name in found.items() if since is None or name not in boundary}
