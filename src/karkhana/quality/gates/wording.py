"""Small words for summaries. Knows nothing of gates.

>>> plural(1, "test"), plural(2, "test"), some(["a", "b", "c", "d"])
('1 test', '2 tests', 'a, b, c and 1 more')
"""

from collections.abc import Sequence


def plural(count: int, noun: str) -> str:
    """``1 test``, ``2 tests``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def some(names: Sequence[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def printable(text: str) -> str:
    """``text`` without characters that would steer a terminal.

    >>> printable("a\\x1b[2Jb")
    'a\ufffd[2Jb'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
