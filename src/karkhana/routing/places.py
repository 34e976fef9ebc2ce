"""Where in a TOML file a value stands, for messages about it. Knows nothing of what the file means.

>>> line_of('a = 1\\n[b]\\nc = 2\\n', ("b", "c"))
3
"""

import tomllib
from typing import Any


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line, from 1, on which the value of ``path`` ends; of its nearest table if it is not there.

    The first lines of a file are a file too: the shortest one that holds the path ends where the value does. Takes
    time in the square of the length, so it is for short files and only for those with a mistake.
    """
    lines = text.splitlines()
    for depth in range(len(path), 0, -1):
        for number in range(1, len(lines) + 1):
            try:
                head = tomllib.loads("\n".join(lines[:number]))
            except tomllib.TOMLDecodeError:
                # A value of several lines is not yet whole.
                continue
            if _holds(head, path[:depth]):
                return number
    return 1


def _holds(value: Any, path: tuple[str | int, ...]) -> bool:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
