"""A patch as files, hunks and pairs of lines for a side-by-side view. Knows nothing of HTML.

Reads what ``git diff`` writes (git's documentation: "Generating patch text with -p"); applies nothing.

>>> [file] = read_patch("diff --git a/x b/x\\n--- a/x\\n+++ b/x\\n@@ -1,2 +1,2 @@\\n a\\n-old\\n+new\\n")
>>> (file.path, file.added, file.removed)
('x', 1, 1)
>>> [(pair.old and pair.old.text, pair.new and pair.new.text) for pair in file.hunks[0].pairs]
[('a', 'a'), ('old', 'new')]
"""

import re
from collections.abc import Iterator

import msgspec

LONGEST_LINE = 2000
"""Characters of a line that are shown."""
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
_QUOTED = re.compile(r"\\([0-7]{3}|.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class Line(msgspec.Struct, frozen=True):
    """One line of one side: what is before the part that differs, that part, and what is after it."""

    number: int
    text: str
    start: int = 0
    end: int = 0

    @property
    def parts(self) -> tuple[str, str, str]:
        text = self.text[:LONGEST_LINE] + ("…" if len(self.text) > LONGEST_LINE else "")
        return text[: self.start], text[self.start : self.end], text[self.end :]


class Pair(msgspec.Struct, frozen=True):
    """A row: a line before and the line that stands in its place after; ``None`` when there is none."""

    old: Line | None
    new: Line | None
    changed: bool


class Hunk(msgspec.Struct):
    """Lines that belong together."""

    heading: str
    """What git says the hunk is in, e.g. a function's first line."""
    pairs: list[Pair]


class File(msgspec.Struct, kw_only=True):
    """One file of a patch."""

    path: str
    kind: str = "changed"
    """``changed``, ``added`` or ``deleted``."""
    binary: bool = False
    notes: list[str] = []
    """Changes of the mode."""
    hunks: list[Hunk] = []
    added: int = 0
    removed: int = 0

    @property
    def anchor(self) -> str:
        """A name for links to it, from nothing but safe characters."""
        return "file-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in self.path)


def read_patch(patch: str) -> list[File]:
    """The files of ``patch``, in its order."""
    files: list[File] = []
    lines = patch.split("\n")
    place = 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if line.startswith("diff --git "):
            files.append(File(path=_named(line.removeprefix("diff --git ")), notes=[], hunks=[]))
        elif files:
            place = _header(files[-1], line, lines, place)
    return files


def _header(file: File, line: str, lines: list[str], place: int) -> int:
    found = _HUNK.match(line)
    if found is not None:
        taken, old, new = place, int(found[1]), int(found[2])
        while taken < len(lines) and lines[taken][:1] in (" ", "+", "-", "\\"):
            taken += 1
        body = lines[place:taken]
        file.added += sum(each[0] == "+" for each in body)
        file.removed += sum(each[0] == "-" for each in body)
        file.hunks.append(Hunk(found[3], list(_pairs(body, old, new))))
        return taken
    if line.startswith("new file mode"):
        file.kind = "added"
    elif line.startswith("deleted file mode"):
        file.kind = "deleted"
    elif line.startswith(("old mode", "new mode")):
        file.notes.append(line)
    elif line.startswith(("GIT binary patch", "Binary files")):
        file.binary = True
    elif line.startswith(("+++ ", "--- ")) and not line.endswith("/dev/null"):
        file.path = _unquoted(line[4:].rstrip("\t"))[2:]
    return place


def _pairs(body: list[str], old: int, new: int) -> Iterator[Pair]:
    removed: list[str] = []
    added: list[str] = []
    for line in body:
        sign, text = line[0], line[1:]
        if sign == "-":
            removed.append(text)
        elif sign == "+":
            added.append(text)
        elif sign == " ":
            yield from _block(removed, added, old, new)
            old, new = old + len(removed), new + len(added)
            removed, added = [], []
            yield Pair(Line(old, text), Line(new, text), changed=False)
            old, new = old + 1, new + 1
    yield from _block(removed, added, old, new)


def _block(removed: list[str], added: list[str], old: int, new: int) -> Iterator[Pair]:
    for n in range(max(len(removed), len(added))):
        before = removed[n] if n < len(removed) else None
        after = added[n] if n < len(added) else None
        if before is not None and after is not None:
            head, tail = _alike(before, after)
            ends = (0, 0) if head < 0 else (len(before) - tail, len(after) - tail)
            start = max(head, 0)
            yield Pair(Line(old + n, before, start, ends[0]), Line(new + n, after, start, ends[1]), True)
        else:
            yield Pair(
                None if before is None else Line(old + n, before), None if after is None else Line(new + n, after), True
            )


def _alike(before: str, after: str) -> tuple[int, int]:
    """How many characters at the start and at the end are the same; (-1, 0) when that is little of the line."""
    short = min(len(before), len(after))
    head = next((n for n in range(short) if before[n] != after[n]), short)
    tail = next((n for n in range(short - head) if before[-1 - n] != after[-1 - n]), short - head)
    indent = len(before) - len(before.lstrip())
    if head + tail - indent < 0.3 * (max(len(before), len(after)) - indent):
        return -1, 0
    return head, tail


def _named(names: str) -> str:
    """The path of a header, which is all there is for a binary or empty file: the same name twice."""
    if names.startswith('"'):
        return _unquoted(names[: names.index('" ') + 1] if '" ' in names else names)[2:]
    return names[: len(names) // 2][2:]


def _unquoted(name: str) -> str:
    """A path as git quotes it: C escapes, bytes in octal."""
    if not (name.startswith('"') and name.endswith('"')):
        return name
    raw = bytearray()
    place, inner = 0, name[1:-1]
    for found in _QUOTED.finditer(inner):
        raw += inner[place : found.start()].encode("utf-8", "surrogateescape")
        code = found[1]
        raw += bytes([int(code, 8) & 255]) if len(code) == 3 else _ESCAPES.get(code, code).encode()
        place = found.end()
    raw += inner[place:].encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")
