"""A ticket's text as blocks: prose, code, interpreter sessions, tracebacks, plain output.

Bounded and read-only: ticket text is untrusted, nothing of it is ever executed here. Knows Markdown,
reStructuredText and pasted terminals as people write them; knows nothing of what the blocks claim.

>>> [block.kind for block in blocks("It is wrong:\\n\\n>>> add(1, 1)\\n3\\n")]
['prose', 'session']
"""

import ast
import re
import textwrap
import warnings

import msgspec

TEXT_MAX = 60_000
"""Characters of a ticket that are looked at."""
CODE_MAX = 8_000
"""Characters of one block that may be code."""
BLOCKS_MAX = 120

_FENCE = re.compile(r"^ {0,8}(`{3,}|~{3,})[ \t]*([\w.+-]*)")
_TRACEBACK = re.compile(r"^\s*(?:E\s+)?Traceback \(most recent call last\):")
_ERROR = re.compile(
    r"^\s*(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Iteration|Failed|Invalid)?\b(?::|\s*$)"
)
_IPYTHON_IN = re.compile(r"^\s*In ?\[\d+\]: ?")
_IPYTHON_OUT = re.compile(r"^\s*Out ?\[\d+\]: ?")
_IPYTHON_MORE = re.compile(r"^\s*\.\.\.+: ?")
_PYTHON = frozenset(
    {"", "py", "python", "python3", "python2", "pycon", "ipython", "doctest", "console", "pytb", "text", "plain"}
)


_COMMENT = re.compile(r"<!--.{0,4000}?-->", re.DOTALL)
_FOLDED = re.compile(r"</?(?:details|summary)>")
_QUOTE = re.compile(r"^(?:> )+|^>(?=\s*$)")
_HEADING = re.compile(r"^\s*(?:#{1,6}\s|\*\*[^*]+\*\*:?\s*$|[A-Z][\w ]{2,30}:\s*$)")
_RULE = re.compile(r"^\|?(?:\s*:?-{3,}:?\s*\|)+(?:\s*:?-{3,}:?\s*)?$")
"""The line below a table's heading, without the space around it: two runs of it in a row would take squares."""
_MACHINE = re.compile(
    r"^\s*(?:#{1,6}\s*|\*\*\s*)?(?:your |my )?(?:environment|(?:system|platform|version|python|package)s? "
    r"(?:info(?:rmation)?|details|versions?)|versions?|platform|setup)\b[^\n:]{0,30}(?:\*\*)?:?(?:\*\*)?\s*$",
    re.I,
)
"""A heading over what the reporter's machine is."""


class Block(msgspec.Struct, frozen=True):
    """One piece of a ticket."""

    kind: str
    """``prose``, ``code``, ``session``, ``trace`` or ``output``."""
    text: str
    lead: str = ""
    """The prose before it, up to the block before that: often says what the block shows."""


def parsed(text: str) -> ast.Module | None:
    """The syntax tree of untrusted text, ``None`` when it is no Python or too much of it."""
    if len(text) > CODE_MAX:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    # Hostile nesting ends the parser in more ways than one.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Found:
    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.prose: list[str] = []

    def flush(self) -> str:
        """End the prose gathered so far, and return it."""
        text = "\n".join(self.prose).strip("\n")
        self.prose = []
        if text.strip():
            self.blocks.append(Block("prose", text))
        return text

    def add(self, text: str, *, python: bool = True) -> None:
        """Add a block of code, output or both, told apart by what it holds."""
        lead = self.flush()
        text = textwrap.dedent(text).strip("\n")
        for kind, part in _kinds(text, python=python):
            self.blocks.append(Block(kind, part, lead))


def blocks(text: str) -> tuple[Block, ...]:
    """The blocks of a ticket in their order, at most ``BLOCKS_MAX``."""
    lines = _plain(text[:TEXT_MAX])
    found = _Found()
    position = 0
    while position < len(lines) and len(found.blocks) < BLOCKS_MAX:
        line = lines[position]
        fence = _FENCE.match(line)
        if fence:
            position = _fenced(lines, position, fence, found)
        elif line.lstrip().startswith(">>> ") or _IPYTHON_IN.match(line):
            position = _until_blank(lines, position, found)
        elif _TRACEBACK.match(line):
            position = _traceback(lines, position, found)
        elif _indented(lines, position, found):
            position = _indent_block(lines, position, found)
        elif _RULE.match(line.strip()) and found.prose and "|" in found.prose[-1]:
            position = _table(lines, position, found)
        elif _MACHINE.match(line):
            position = _section(lines, position)
        else:
            found.prose.append(line)
            position += 1
    found.flush()
    return tuple(found.blocks)


def _plain(text: str) -> list[str]:
    """Lines without the marks of forms, mails and terminals."""
    text = _COMMENT.sub("", text.replace("\r\n", "\n").replace("\t", "    "))
    return [_QUOTE.sub("", line) for line in _FOLDED.sub("", text).split("\n")]


def _table(lines: list[str], start: int, found: _Found) -> int:
    """The end of a table; each row becomes a sentence: its cells with their headings."""
    heads = _cells(found.prose.pop())
    end = start + 1
    while end < len(lines) and "|" in lines[end]:
        first, *cells = _cells(lines[end]) or [""]
        told = [f"{head} {cell}" for head, cell in zip(heads[1:], cells, strict=False) if cell]
        found.prose += ["", f"{first} {', '.join(told)}."]
        end += 1
    found.prose.append("")
    return end


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _section(lines: list[str], start: int) -> int:
    """The end of a section about the reporter's machine: its numbers are no results."""
    end = start + 1
    while end < len(lines) and not (_HEADING.match(lines[end]) or _FENCE.match(lines[end])):
        if not lines[end].strip() and not lines[start].lstrip().startswith(("#", "*")):
            break
        end += 1
    return end


def _kinds(text: str, *, python: bool) -> list[tuple[str, str]]:
    if not text.strip():
        return []
    if not python:
        return [("output", text)]
    lines = text.split("\n")
    if any(line.lstrip().startswith(">>>") for line in lines):
        return [("session", textwrap.dedent(text))]
    if any(_IPYTHON_IN.match(line) for line in lines):
        return [("session", _from_ipython(lines))]
    start = next((n for n, line in enumerate(lines) if _TRACEBACK.match(line)), None)
    if start is not None:
        before = "\n".join(lines[:start]).strip("\n")
        return [*_kinds(before, python=True), ("trace", "\n".join(lines[start:]))]
    tree = parsed(text)
    return [("code" if tree is not None and tree.body else "output", text)]


def _from_ipython(lines: list[str]) -> str:
    out = []
    for line in lines:
        if _IPYTHON_IN.match(line):
            out.append(">>> " + _IPYTHON_IN.sub("", line))
        elif _IPYTHON_MORE.match(line):
            out.append("... " + _IPYTHON_MORE.sub("", line))
        else:
            out.append(_IPYTHON_OUT.sub("", line))
    return "\n".join(out)


def _fenced(lines: list[str], start: int, fence: re.Match[str], found: _Found) -> int:
    end = start + 1
    while end < len(lines) and not re.match(rf"^ {{0,8}}{re.escape(fence[1][0])}{{{len(fence[1])},}}\s*$", lines[end]):
        end += 1
    language = fence[2].lower()
    found.add("\n".join(lines[start + 1 : end]), python=language in _PYTHON)
    return end + 1


def _until_blank(lines: list[str], start: int, found: _Found) -> int:
    """A pasted session without a fence: to the blank line after which no prompt follows."""
    end = start
    while end < len(lines) and not _FENCE.match(lines[end]):
        if not lines[end].strip():
            after = next((number for number in range(end, len(lines)) if lines[number].strip()), len(lines))
            more = lines[after] if after < len(lines) else ""
            if not more.lstrip().startswith(">>>") and not _IPYTHON_IN.match(more):
                break
            end = after
            continue
        end += 1
    found.add("\n".join(lines[start:end]))
    return end


def _traceback(lines: list[str], start: int, found: _Found) -> int:
    """A pasted traceback without a fence: to the line that names the exception."""
    depth = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > depth):
        end += 1
    if end < len(lines) and _ERROR.match(lines[end]):
        end += 1
    found.add("\n".join(lines[start:end]))
    return end


def _indented(lines: list[str], position: int, found: _Found) -> bool:
    line = lines[position]
    if not line.startswith("    ") or not line.strip() or line.lstrip()[:2] in ("* ", "- ", "+ "):
        return False
    before = next((text for text in reversed(found.prose) if text.strip()), "")
    blank = not found.prose or not found.prose[-1].strip()
    return blank or before.rstrip().endswith(":")


def _indent_block(lines: list[str], start: int, found: _Found) -> int:
    end = start
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith("    ")):
        end += 1
    found.add("\n".join(lines[start:end]))
    return end
