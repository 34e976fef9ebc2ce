"""Tells whether a process that left something behind is still alive, although numbers are used again.

>>> started(1) >= 0
True
"""

from pathlib import Path


def started(process: int) -> int:
    """Start time of a process in clock ticks since boot; -1 when there is none. With the number it names it."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return -1
