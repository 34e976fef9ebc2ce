"""Which lines a change added and removed, from the bytes before and after.

Knows nothing of git or of patches: line numbers come from the contents, so there is no patch to parse.

>>> diff = line_diff(b"a\\nb\\nc\\n", b"a\\nB\\nc\\n")
>>> diff.added, diff.removed
((2,), (2,))
"""

import difflib
from functools import lru_cache

import msgspec

LONGEST_COMPARED = 20_000
"""Lines past which the part that differs counts as changed as a whole (comparing is quadratic at worst)."""


class LineDiff(msgspec.Struct, frozen=True):
    """Line numbers, from 1: ``added`` in the text after, ``removed`` in the text before."""

    added: tuple[int, ...]
    removed: tuple[int, ...]
    after: tuple[str, ...]
    before: tuple[str, ...]
    around_after: frozenset[int] = frozenset()
    """Added lines and the equal lines next to every difference, which are the same ones in both texts."""
    around_before: frozenset[int] = frozenset()

    def added_lines(self) -> list[tuple[int, str]]:
        """``(line number, text)`` of every added line."""
        return [(number, self.after[number - 1]) for number in self.added]

    def removed_lines(self) -> list[tuple[int, str]]:
        """``(line number, text)`` of every removed line, numbered as before the change."""
        return [(number, self.before[number - 1]) for number in self.removed]


def is_binary(content: bytes | None) -> bool:
    """Git's rule: a NUL byte among the first 8,000."""
    return content is not None and b"\0" in content[:8000]


def text_of(content: bytes | None) -> str:
    """Decoded for reading; bytes that are not UTF-8 become surrogates. Nothing gives the empty text."""
    return "" if content is None else content.decode("utf-8", "surrogateescape")


def split_lines(content: bytes | None) -> tuple[str, ...]:
    """Lines as git, Python and coverage count them: ended by ``\\n``, ``\\r\\n`` or ``\\r``, never by a form feed."""
    if content is None or is_binary(content):
        return ()
    unified = text_of(content).replace("\r\n", "\n").replace("\r", "\n")
    lines = unified.split("\n")
    return tuple(lines[:-1] if lines[-1] == "" else lines)


@lru_cache(maxsize=64)
def line_diff(before: bytes | None, after: bytes | None) -> LineDiff:
    """Compare two contents; ``None`` is a file that does not exist. Binary contents have no lines."""
    old, new = split_lines(before), split_lines(after)
    head = _common_prefix(old, new)
    tail = _common_prefix(old[head:][::-1], new[head:][::-1])
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    added: list[int] = []
    removed: list[int] = []
    around_before: set[int] = set()
    around_after: set[int] = set()
    for tag, old_from, old_to, new_from, new_to in _opcodes(old_middle, new_middle):
        if tag != "equal":
            removed.extend(range(head + old_from + 1, head + old_to + 1))
            added.extend(range(head + new_from + 1, head + new_to + 1))
            around_before.update(range(head + old_from, head + old_to + 2))
            around_after.update(range(head + new_from, head + new_to + 2))
    return LineDiff(
        added=tuple(added),
        removed=tuple(removed),
        after=new,
        before=old,
        around_after=frozenset(around_after),
        around_before=frozenset(around_before),
    )


def _opcodes(old: tuple[str, ...], new: tuple[str, ...]) -> list[tuple[str, int, int, int, int]]:
    if not old or not new or max(len(old), len(new)) > LONGEST_COMPARED:
        return [("replace", 0, len(old), 0, len(new))]
    return list(difflib.SequenceMatcher(None, old, new, autojunk=len(old) > 2000).get_opcodes())


def _common_prefix(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
