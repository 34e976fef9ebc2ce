"""As much of a change as fits one page: so many files and lines that the page stays light, and where the rest is.

A change may have thousands of lines; a page with all of them takes seconds to send and to lay out. Knows nothing
of HTML.
"""

from collections.abc import Sequence

import msgspec

from karkhana.web.diffs import File, Hunk, Pair

BUDGET = 80_000
"""Bytes of a page that lines of files may take, about."""
ROW = 190
"""Bytes of markup around the two sides of a row."""
SECTION = 900
"""Bytes of markup around a file."""
MOST_FILES = 120
"""Files that are listed."""


class Window(msgspec.Struct, frozen=True):
    """The part of a file that is shown."""

    file: File
    hunks: list[Hunk]
    first: int
    """Rows that come before."""
    following: int
    """The row that comes next; 0: none does."""

    @property
    def lines(self) -> set[int]:
        """Lines of the new file that are shown."""
        return {pair.new.number for hunk in self.hunks for pair in hunk.pairs if pair.new is not None}


def windows(files: Sequence[File], chosen: str = "", first: int = 0) -> list[Window]:
    """The files from the start on that fit, at least one; or only the one whose anchor is ``chosen``, from a row on."""
    asked = [file for file in files if file.anchor == chosen]
    if asked:
        return [_window(asked[0], first, BUDGET)[0]]
    found: list[Window] = []
    left = BUDGET
    for file in files[:MOST_FILES]:
        if left <= SECTION:
            break
        window, cost = _window(file, 0, left)
        found.append(window)
        left -= cost
    return found


def _window(file: File, first: int, budget: int) -> tuple[Window, int]:
    hunks: list[Hunk] = []
    number, cost = 0, SECTION
    for hunk in file.hunks:
        taken: list[Pair] = []
        for pair in hunk.pairs:
            number += 1
            if number <= first:
                continue
            if cost > budget:
                hunks += [Hunk(hunk.heading, taken)] if taken else []
                return Window(file, hunks, first, number - 1), cost
            taken.append(pair)
            cost += _cost(pair)
        hunks += [Hunk(hunk.heading, taken)] if taken else []
    return Window(file, hunks, first, 0), cost


def _cost(pair: Pair) -> int:
    return ROW + sum(sum(map(len, side.parts)) for side in (pair.old, pair.new) if side is not None)
