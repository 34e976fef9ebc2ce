"""Reads a Python traceback out of text: the frames, the exception and its message. Knows nothing of its causes.

>>> trace = read('Traceback (most recent call last):\\n  File "a.py", line 3, in f\\n    g(1)\\nKeyError: 1')
>>> trace.exception, trace.message, trace.frames[0].source
('KeyError', '1', 'g(1)')
"""

import re

import msgspec

FRAMES_MAX = 60

_FRAME = re.compile(r'^\s*File "([^"\n]{1,400})", line (\d{1,7})(?:, in ([^\s]{1,200}))?')
_LAST = re.compile(r"^\s*((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: ?(.*))?$")


class TraceFrame(msgspec.Struct, frozen=True):
    """One frame as it was pasted."""

    path: str
    line: int
    function: str
    source: str = ""


class Trace(msgspec.Struct, frozen=True):
    """A traceback as it was pasted."""

    frames: tuple[TraceFrame, ...]
    """Outermost first."""
    exception: str
    """Name without its module."""
    message: str = ""
    module: str = ""


def read(text: str) -> Trace | None:
    """The last traceback of a text; ``None`` when no exception is named."""
    frames: list[TraceFrame] = []
    last: re.Match[str] | None = None
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.strip().startswith("Traceback (most recent"):
            frames, last = [], None
            continue
        found = _FRAME.match(line)
        if found and len(frames) < FRAMES_MAX:
            source = lines[number + 1].strip() if number + 1 < len(lines) else ""
            if _FRAME.match(source) or _is_error(source):
                source = ""
            frames.append(TraceFrame(found[1], int(found[2]), found[3] or "", source))
        elif last is None and (frames or number or len(lines) == 1) and _is_error(line) and not line.startswith("    "):
            last = _LAST.match(line)
    if last is None:
        return None
    module, _, name = last[1].rpartition(".")
    return Trace(tuple(frames), name, (last[2] or "").strip(), module)


def _is_error(line: str) -> bool:
    found = _LAST.match(line)
    if not found or len(line) > 2000:
        return False
    name = found[1].rpartition(".")[2]
    return name[:1].isupper() and (
        bool(re.search(r"(Error|Exception|Warning|Exit|Interrupt|Iteration|Invalid)", name)) or bool(found[2])
    )
