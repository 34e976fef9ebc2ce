"""A ticket's text taken apart: its title, the words of its prose, and the frames of its stack traces.

Reads the first :data:`TEXT_MAX` characters line by line, so that hostile text costs no more than long text. Knows
nothing of what the words mean.

>>> parts = take_apart("total() ignores the discount\\n\\nSeen since 2.1.")
>>> parts.title, parts.prose
(('total', 'ignores', 'the', 'discount'), ('seen', 'since', '0', '0'))
>>> take_apart('It fails\\nFile "/srv/shop/cart.py", line 3, in total\\nKeyError: 1').frames
('cart.py:total',)
"""

import re

import msgspec

TEXT_MAX = 60_000
LINE_MAX = 400
WORDS_MAX = 1_500
FRAMES_MAX = 60

_WORD = re.compile(r"[A-Za-z][A-Za-z']{1,40}|\d+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FENCE = re.compile(r"^ {0,8}(?:`{3,}|~{3,})")
_PYTHON = re.compile(r'^\s*File "([^"\n]{1,300})", line \d{1,7}(?:, in ([\w<>.]{1,120}))?')
_JAVA = re.compile(r"^\s*at ([\w$.<>/]{3,200})\(([\w$.]{1,80})(?::\d+)?\)")
_SCRIPT = re.compile(r"^\s*at (?:async )?(?:([\w$.<>]{1,120}) )?\(?([^\s()]{1,200}?):\d+(?::\d+)?\)?\s*$")
_ERROR = re.compile(
    r"^\s*(?:E\s+)?(?:Caused by: |Uncaught )?((?:[A-Za-z_]\w{0,60}\.){0,8}[A-Z]\w{0,60}"
    r"(?:Error|Exception|Warning|Exit|Interrupt|Failure))\b(?::|\s*$)"
)
_TRACEBACK = re.compile(r"^\s*(?:E\s+)?Traceback \(most recent call last\)")


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket is made of."""

    headline: str
    """The first line with anything on it."""
    title: tuple[str, ...]
    """Words of the headline in small letters, in order; every number is ``0``."""
    prose: tuple[str, ...]
    """Words of all other text outside of code and traces."""
    code: tuple[str, ...]
    """Words of code, sessions and output."""
    frames: tuple[str, ...]
    """``FILE:FUNCTION`` of a trace's frames, without folders and line numbers; those nearest to the error first."""
    error: str
    """The exception that a trace ends with, without its module; empty without any."""
    blocks: int
    """How many blocks of code or output there are."""


def take_apart(text: str) -> Parts:
    """The parts of a ticket's text."""
    lines = [line[:LINE_MAX] for line in text[:TEXT_MAX].replace("\r\n", "\n").split("\n")]
    start = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    headline = lines[start].strip() if start < len(lines) else ""
    prose: list[str] = []
    code: list[str] = []
    frames: list[str] = []
    outward = True
    error = ""
    fenced, blocks, indented = False, 0, False
    for line in lines[start + 1 :]:
        frame, kind = _frame(line)
        if frame:
            frames.append(frame)
            outward = kind != "python"
            continue
        found = _ERROR.match(line)
        if found:
            error = found[1].rpartition(".")[2]
        if _FENCE.match(line):
            fenced = not fenced
            blocks += fenced
            continue
        session = line.lstrip().startswith((">>> ", "$ ", "In ["))
        deep = not fenced and (line.startswith(("    ", "\t")) or session)
        blocks += deep and not indented
        indented = deep
        into = code if fenced or deep or found or _TRACEBACK.match(line) else prose
        if len(into) < WORDS_MAX:
            into += words(line)
    if not error and (found := _ERROR.search(headline)):
        error = found[1].rpartition(".")[2]
    near = frames if outward else frames[::-1]
    return Parts(
        headline=headline,
        title=words(headline),
        prose=tuple(prose[:WORDS_MAX]),
        code=tuple(code[:WORDS_MAX]),
        frames=tuple(near[:FRAMES_MAX]),
        error=error,
        blocks=blocks,
    )


def words(text: str) -> tuple[str, ...]:
    """The words of a text and of the identifiers in it, in small letters; every number is ``0``.

    >>> words("parseHttp fails on 3.11")
    ('parse', 'http', 'fails', 'on', '0', '0')
    """
    split = _HUMP.sub(" ", text.replace("_", " "))
    return tuple("0" if word[0].isdigit() else word.casefold() for word in _WORD.findall(split))


def _frame(line: str) -> tuple[str, str]:
    """``FILE:FUNCTION`` of a frame, and how its language orders them; empty for any other line."""
    found = _PYTHON.match(line)
    if found:
        return f"{_name(found[1])}:{found[2] or ''}", "python"
    if " at " not in f" {line[:40].lstrip()}":
        return "", ""
    found = _JAVA.match(line)
    if found:
        return f"{found[2]}:{found[1].rpartition('.')[2]}", "outward"
    found = _SCRIPT.match(line)
    if found and "." in _name(found[2]):
        return f"{_name(found[2])}:{found[1] or ''}", "outward"
    return "", ""


def _name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
