"""Parses Python source that nobody vouches for.

libcst reads newer syntax than the running interpreter, and runs nothing. But it walks the source by recursion:
at 5,000 nested brackets it ends the process with a segmentation fault, and at 5,000 chained operators it takes
half a minute to give up. So the depth is estimated first, in one linear pass, and what is too deep is not parsed.

Knows nothing of what the source means.

>>> depth("x = a(b[c], d)") < DEEPEST < depth("x = " + "-" * 1000 + "1")
True
"""

import re
from collections.abc import Iterator
from typing import TypeVar, overload

import libcst as cst

DEEPEST = 600
"""Tokens in one unbroken expression, with those of the expressions around it; libcst copes with about 900."""
LARGEST = 4_000_000
"""Bytes; parsing takes about a second per 200 kB."""

Node = TypeVar("Node", bound=cst.CSTNode)

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    | (?P<string>[a-zA-Z]{0,3}
        (?: \"\"\"(?:[^\\]|\\.)*?\"\"\" | \'\'\'(?:[^\\]|\\.)*?\'\'\' | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' ))
    | (?P<open>[(\[{]) | (?P<close>[)\]}]) | (?P<comma>,) | (?P<line>\n|;)
    | (?P<elif>\belif\b) | (?P<token>\w+|[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)


class Unparsable(Exception):
    """The source is no Python that can be read, so nothing can be said about it."""


def parse(content: bytes | str) -> cst.Module:
    """The syntax tree; of bytes by the encoding that they declare. Raises ``Unparsable``."""
    if len(content) > LARGEST:
        raise Unparsable(f"{len(content)} bytes or characters are too many to read")
    try:
        if depth(content if isinstance(content, str) else content.decode("utf-8", "replace")) > DEEPEST:
            raise Unparsable("an expression is nested too deeply")
        return cst.parse_module(content)
    # SyntaxError: an encoding that is not declared; LookupError: a declared one that does not exist
    except (cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError, LookupError, RecursionError) as error:
        raise Unparsable(str(error)) from error


@overload
def nodes(root: cst.CSTNode) -> Iterator[cst.CSTNode]: ...
@overload
def nodes(root: cst.CSTNode, *kinds: type[Node]) -> Iterator[Node]: ...
def nodes(root: cst.CSTNode, *kinds: type[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """``root`` and everything below it, if ``kinds`` are given only those, in the order of the source.

    In place of ``libcst.matchers``, whose import alone costs a third of a second.
    """
    waiting: list[cst.CSTNode] = [root]
    while waiting:
        node = waiting.pop()
        if not kinds or isinstance(node, kinds):
            yield node
        waiting.extend(reversed(node.children))


def depth(text: str) -> int:
    """An upper estimate of how deep the tree of ``text`` gets, in tokens."""
    counts, around, elifs, deepest = [0], 0, 0, 0
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        if kind == "comment":
            continue
        if kind == "line" and len(counts) == 1:
            counts[0] = 0
            continue
        if kind == "comma":
            counts[-1] = 0
        elif kind == "close" and len(counts) > 1:
            counts.pop()
            around -= counts[-1]
        elif kind != "line":
            counts[-1] += 1 + (_fields(found[0]) if kind == "string" else 0)
            elifs = _elifs(elifs, found[0])
            deepest = max(deepest, around + counts[-1], 3 * elifs)
            if kind == "open":
                around += counts[-1]
                counts.append(0)
    return deepest


def statements(text: str) -> list[range]:
    """The lines of each top-level statement, decorators and trailing comments included, without parsing.

    An estimate like :func:`depth`: it can be wrong in source that is meant to confuse it.

    >>> statements("import a\\n@b\\ndef c():\\n    pass\\n")
    [range(1, 2), range(2, 5)]
    """
    starts: list[int] = []
    nesting, line, position, decorated = 0, 1, 0, False
    for found in _TOKEN.finditer(text):
        line += text.count("\n", position, found.start())
        position = found.start()
        kind, word = found.lastgroup, found[0]
        nesting += (kind == "open") - (kind == "close")
        at_margin = position == 0 or text[position - 1] == "\n"
        outermost = nesting == (kind == "open")
        if at_margin and outermost and kind not in ("comment", "line") and word not in _CONTINUED:
            if not decorated:
                starts.append(line)
            decorated = word == "@"
    last = text.count("\n") + (not text.endswith("\n"))
    ends = [*starts[1:], last + 1]
    return [range(start, end) for start, end in zip(starts, ends, strict=True)] if starts else []


_CONTINUED = frozenset({"elif", "else", "except", "finally"})


def _fields(string: str) -> int:
    """Replacement fields of a formatted string, which may hold expressions with strings in them."""
    prefix = re.match(r"[a-zA-Z]*", string)
    return string.count("{") if prefix and "f" in prefix[0].lower() else 0


def _elifs(count: int, word: str) -> int:
    """Branches of one ``if`` hang below each other; a new definition or ``if`` ends the chain."""
    if word == "elif":
        return count + 1
    return 0 if word in ("def", "class", "if") else count
