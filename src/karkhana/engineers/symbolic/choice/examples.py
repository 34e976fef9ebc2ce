"""Examples of what a function gives, from its documentation and from the ticket: checks that no test made.

An example is (call, expected), both Python text. Sessions (``>>> f(3)`` with the answer on the next line) are read
exactly; prose as :mod:`karkhana.engineers.symbolic.reproduction.sentences` reads it. Some of what is found is no
example at all: what neither the program nor any change keeps counts for nothing. Texts are untrusted: nothing is run.

>>> examples("f", "    >>> f(3)\\n    4\\n\\n    So f(0) == 1.", "")
(('f(3)', '4'), ('f(0)', '1'))
"""

import ast
import re

from karkhana.engineers.symbolic.reproduction.sentences import ACTUAL, expression, read

_MOST = 12
_SESSION = re.compile(r"(?m)^[ \t]*>>> ?(?P<call>.+?)[ \t]*\n[ \t]*(?P<expected>(?!>>>|\.\.\. |Traceback)\S.*?)[ \t]*$")
_MARKED = re.compile(r"(?P<call>\w+\(.*\))\s*(?:#\s*)?(?:==+>|=>|-+>|➞|→|➡|#=>|#)\s*(?P<expected>\S.*?)[ \t]*$")
"""What stands behind an arrow or in a comment behind a call."""
_PROSE_CHARS = 6000


def examples(name: str, text: str, tests: str, *, claimed: bool = False) -> tuple[tuple[str, str], ...]:
    """Examples of the function ``name`` in ``text``, without those whose arguments ``tests`` hold.

    ``claimed``: the text is a ticket, in which what is said to happen is not what should.
    """
    known = _squeezed(tests)
    found: dict[str, str] = {}
    if name not in text:
        return ()
    for match in _SESSION.finditer(text):
        _add(found, name, match["call"], match["expected"])
    prose = _SESSION.sub("", text)
    for line in prose.splitlines():
        marked = _MARKED.search(line) if name + "(" in line else None
        if marked is not None:
            _add(found, name, marked["call"], marked["expected"])
    items = read(prose[:_PROSE_CHARS])
    for item in items:
        call = items[item.link] if item.link is not None and item.kind == "value" and item.text else None
        if call is not None and not (claimed and item.role == ACTUAL):
            _add(found, name, call.text, item.text)
    # Tests may call the function by another name.
    fresh = ((call, said) for call, said in found.items() if _squeezed(call.partition("(")[2]) not in known)
    return tuple(fresh)[:_MOST]


def documented(name: str, function: str, file: str, tests: str) -> tuple[tuple[str, str], ...]:
    """Examples in the documentation of a function, and in sessions anywhere in its file."""
    sessions = [match[0] for match in _SESSION.finditer(file) if name in match["call"]]
    return examples(name, "\n".join([documentation(function), *sessions]), tests)


def _add(found: dict[str, str], name: str, call: str, expected: str) -> None:
    """Keep the first answer that is said of a call, if both are what they seem."""
    asked, answer = expression(call), expression(expected)
    if isinstance(asked, ast.Call) and isinstance(asked.func, ast.Name) and asked.func.id == name and answer:
        found.setdefault(ast.unparse(asked), ast.unparse(answer))


def _squeezed(text: str) -> str:
    return re.sub(r"[\s\"']", "", text)


def documentation(text: str) -> str:
    """The first string of a function's text, and its comments."""
    parts = re.split(r'"""|\'\'\'', text)
    comments = [line.split("#", 1)[1] for line in text.splitlines() if "#" in line]
    return "\n".join([parts[1] if len(parts) > 2 else "", *comments])
