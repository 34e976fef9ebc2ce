"""Reads what prose says about calls and their results: which is asked for, and which is what happens.

The words that tell the two apart are data (``cues.toml``). Nothing is run: whether a call does what the prose says
is for a trial to find out, so a wrong guess here costs a question and no more.

>>> [(item.kind, item.text, item.role) for item in read("`add(1, 2)` returns 2 instead of 3")]
[('call', 'add(1, 2)', ''), ('value', '2', 'actual'), ('value', '3', 'expected')]
"""

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import msgspec

from karkhana.engineers.symbolic.reproduction.spans import EXCEPTION, TICKS, Span, literal, spans
from karkhana.engineers.symbolic.reproduction.ticket import parsed

EXPECTED, ACTUAL, UNKNOWN = "expected", "actual", ""
ITEMS_MAX = 80
SENTENCE_MAX = 8_000
"""Characters of one sentence that are looked at."""
_GAP = 200
"""Characters before a result in which its cue is looked for."""

_WHOLE = re.compile(
    r"[\s`]*(?:raises?|throws?|crash(?:es)?|blows|fails with|dies|gives?|returns?|evaluates?|->|=>"
    r"|is (?:`?True|`?False)|(?:should|must) (?:be|return|give|evaluate to|not raise|raise|yield))",
    re.I,
)
"""After a comparison: it is spoken of as a whole."""
_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`])|\n\s*\n|\n(?=\s*(?:[-*#]|\d+\.)\s)")
_ARROW = re.compile(r"\s+(?:-{1,2}>|={1,2}>|→|returns?|gives?|yields?)\s+")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A call, or something said about a result."""

    kind: str
    """``call``, ``value``, ``raises`` or ``code``."""
    text: str
    """Python; the exception's name for ``raises``."""
    words: str = ""
    """The result as it stands in the prose, for results that are text."""
    role: str = UNKNOWN
    link: int | None = None
    """Number of the call in the same sentence that it is about."""
    message: str = ""
    bare: bool = False
    """Words of the prose itself, not set off as code or in quotes."""
    seen: bool = False
    """What the reporter says to see: "I get ..."."""
    sentence: int = 0


@functools.cache
def cues() -> dict[str, Any]:
    """Compiled cues by name; ``words`` stays a table."""
    text = resources.files("karkhana.engineers.symbolic.reproduction").joinpath("cues.toml").read_text("utf-8")
    data = tomllib.loads(text)
    return {name: re.compile(value, re.I) if isinstance(value, str) else value for name, value in data.items()}


def read(text: str, bound: frozenset[str] = frozenset()) -> tuple[Item, ...]:
    """Calls and results of a piece of prose in their order, each result with its role and the call it is about.

    ``bound``: names that an example of the ticket gives a value; what is said of one of them is said of a result.
    """
    items: list[Item] = []
    start = 0
    for number, end in enumerate([*(m.start() for m in _SENTENCE.finditer(text)), len(text)]):
        _sentence(
            text[start : min(end, start + SENTENCE_MAX)], text[max(0, start - _GAP) : start], number, items, bound
        )
        start = end
        if len(items) >= ITEMS_MAX:
            break
    return tuple(items[:ITEMS_MAX])


_JOINED = re.compile(r"\s*(?:,|and|or|/|, and|, or|resp\.|respectively)\s*")


def _sentence(text: str, before: str, number: int, items: list[Item], bound: frozenset[str]) -> None:
    first = len(items)
    last_role, position, gap, wish = UNKNOWN, 0, "", UNKNOWN
    for span in spans(text):
        between = text[position : span.start]
        # A heading such as "Expected:" stands before the sentence.
        gap = (between if position else _heading(before) + between)[-_GAP:]
        joined = bool(position and _JOINED.fullmatch(between))
        role = last_role if joined else role_of(gap, last_role, text[span.end : span.end + 60])
        if not role and wish and _WISHED.match(between):
            role = wish
        wish = UNKNOWN
        called = any(i.kind == "call" for i in items[first:])
        whole = bool(_WHOLE.match(text, span.end))
        if _is_subject(span, bound, wished=bool(_WISHED.match(text, span.end)), whole=whole):
            # "I expected `f(1)` to be 2": the wish is about what follows.
            found, wish = [Item(kind="call", text=span.text, words=span.text, sentence=number)], role
        else:
            found = list(_classify(span, gap, role, number, called, whole=whole))
        for item in found:
            items.append(item)
            if item.kind in ("value", "raises") and item.role:
                last_role = item.role
        if found:
            seen = bool(_SEEN.search(gap))
            items[-len(found) :] = [msgspec.structs.replace(i, seen=seen and i.role == ACTUAL) for i in found]
            position = span.end
    _add_words(text, number, first, items)
    calls = [n for n in range(first, len(items)) if items[n].kind == "call"]
    for n in range(first, len(items)):
        if items[n].kind in ("value", "raises") and items[n].link is None and calls:
            link = max((c for c in calls if c < n), default=calls[0])
            items[n] = msgspec.structs.replace(items[n], link=link)


_SEEN = re.compile(r"\b(?:I|we)(?:'m| am)? (?:only |just |still )?(?:get|got|see|saw|receive|observe)\w*\b[^.]*$", re.I)
_WISHED = re.compile(
    r"[\s`]*to (?:\w+ )?(?:be|return|give|equal|evaluate to|yield|print|output|become|produce|raise)\b"
)


def _is_subject(span: Span, bound: frozenset[str], *, wished: bool, whole: bool) -> bool:
    """Whether a span is what the sentence speaks of, by the verb behind it."""
    if span.text in bound:
        return span.ticked and (wished or whole or span.text.isidentifier())
    tree = expression(span.text) if wished else None
    return tree is not None and has_call(tree) and not isinstance(tree, ast.Compare) and not literal(span.text)


def _heading(before: str) -> str:
    lines = before.rstrip().split("\n")
    last = lines[-1].strip()
    return last + " " if len(last) < 60 and (last.startswith(("#", "*")) or last.endswith((":", "*"))) else ""


def role_of(gap: str, last: str, after: str = "") -> str:
    """What the words before (and after) a result say it is, given the role of the result before it."""
    words = cues()
    if words["missing_error"].search(gap):
        return EXPECTED
    if words["opposite"].search(gap) and last:
        return ACTUAL if last == EXPECTED else EXPECTED
    breaks = list(words["break"].finditer(gap))
    clause = gap[breaks[-1].start() :] if breaks else gap
    if words["unwanted"].search(clause):
        return ACTUAL
    if words["expected"].search(clause):
        return EXPECTED
    if words["after_expected"].search(after):
        return EXPECTED
    if words["actual"].search(clause) or words["after_actual"].search(after):
        return ACTUAL
    return UNKNOWN


def expression(text: str) -> ast.expr | None:
    """The tree of untrusted text that is one expression."""
    tree = parsed(text.strip())
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    return tree.body[0].value


def has_call(node: ast.AST) -> bool:
    """Whether something is computed in an expression."""
    return any(isinstance(n, ast.Call | ast.Subscript | ast.BinOp) for n in ast.walk(node))


def _classify(span: Span, gap: str, role: str, number: int, after_call: bool, *, whole: bool = False) -> Iterator[Item]:
    """What one span is; a relation is a call and its value."""
    text = span.text
    exception = EXCEPTION.fullmatch(text) or (span.ticked and _ANY_EXCEPTION.fullmatch(text)) or None
    if exception or (
        re.fullmatch(r"(?:[a-z_]\w*\.)*[A-Z]\w+", text) and re.search(r"(rais|throw)\w*\W*(an?\W*)?$", gap)
    ):
        name = text.split(":")[0]
        message = (exception[1] or "") if exception else ""
        # An exception that nothing else is said about is what happens.
        yield Item(kind="raises", text=name, message=message, role=role or ACTUAL, sentence=number)
        return
    arrow = _ARROW.split(text) if span.ticked else []
    if len(arrow) == 2 and expression(arrow[0]) is not None and has_call(expression(arrow[0]) or ast.Pass()):
        yield Item(kind="call", text=arrow[0].strip(), sentence=number)
        yield Item(kind="value", text=arrow[1].strip(), words=arrow[1].strip(), sentence=number, role=role)
        return
    tree = expression(text)
    if tree is None:
        if span.ticked and parsed(text) is not None:
            yield Item(kind="code", text=text, sentence=number)
        elif span.ticked and role:
            yield Item(kind="value", text="", words=text, role=role, sentence=number)
        return
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1 and has_call(tree.left) and not whole:
        operator, right = tree.ops[0], tree.comparators[0]
        if isinstance(operator, ast.Eq | ast.Is) and literal(ast.unparse(right)):
            yield Item(kind="call", text=ast.unparse(tree.left), sentence=number)
            yield Item(kind="value", text=ast.unparse(right), role=role, sentence=number)
            return
    if literal(text):
        # Quoted words of the prose are only a result when they look like one, or the sentence says so.
        bare = not span.ticked and bool(_QUOTED.fullmatch(text)) and not _stated(gap)
        yield Item(kind="value", text=text, words=_phrase(text, span), role=role, bare=bare, sentence=number)
    elif has_call(tree):
        value = after_call and bool(role) and is_constructed(tree)
        kind = "value" if value or (role and _stated(gap)) else "call"
        yield Item(kind=kind, text=text, words=text, role=role if kind == "value" else UNKNOWN, sentence=number)
    elif span.ticked and role:
        python = text if isinstance(tree, ast.Attribute | ast.UnaryOp | ast.Name | ast.Tuple | ast.List) else ""
        yield Item(kind="value", text=python, words=text, role=role, sentence=number)


_ANY_EXCEPTION = re.compile(r"(?:[a-z_]\w*\.){1,6}[A-Z]\w+: ([^\n]{1,300})")
"""An exception by its module and message, whatever its name ends with."""


def is_constructed(tree: ast.expr) -> bool:
    """Whether an expression builds a value, like ``Decimal('1')``, rather than calls something."""
    if not isinstance(tree, ast.Call):
        return False
    name = tree.func.attr if isinstance(tree.func, ast.Attribute) else getattr(tree.func, "id", "")
    return name[:1].isupper() or name in (
        "datetime",
        "date",
        "time",
        "timedelta",
        "set",
        "frozenset",
        "tuple",
        "deque",
        "defaultdict",
        "array",
    )


_QUOTED = re.compile(r"""["'][^\W\d_][\w'\u2019-]*(?: [\w'\u2019,-]+){2,}[.!?]?["']""")
"""Three words or more."""
_STATED = re.compile(
    r"\b(?:return|be|give|equal|produce|yield|print|output|evaluate to|instead of|rather than|got|returns|returned"
    r"|expected|gives|gave)\s*:?\s*$",
    re.I,
)


def _stated(gap: str) -> bool:
    """Whether the words just before call for a value: ``should return …``."""
    return bool(_STATED.search(gap))


def _phrase(text: str, span: Span) -> str:
    return text if span.ticked or _PLAIN_NUMBER.fullmatch(text) else ""


_PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


_PHRASE = re.compile(
    r"\b(?:should (?:\w+ )?(?:be|return|give|read|say|print|become|produce|yield|output)|expected|instead of"
    r"|rather than|returns|gives|prints|got|but (?:is|was)|reads)(?:\s*:)?\s{1,60}"
    r"(?:the string |the text )?([^\s`'\"(][^\n,;`]{0,80}?)"
    r"(?=\s+(?:instead|rather|but|and|when|for|while|because|where|which|not|although|\()"
    r"|[.;,!]?(?:\s|$)(?![a-z\d])|[,;]|$)",
    re.I,
)


def _add_words(text: str, number: int, first: int, items: list[Item]) -> None:
    """Results that stand in the prose without quotes: ``should be 1.0 MB``, ``returns an empty list``."""
    table = cues()["words"]
    plain = TICKS.sub(lambda m: "`" * len(m[0]), text)
    last = UNKNOWN
    for match in re.finditer(r"\b(?:an )?empty (?:list|string|dict|dictionary|tuple|set)\b", plain, re.IGNORECASE):
        role = role_of(plain[max(0, match.start() - 60) : match.start()], last, plain[match.end() : match.end() + 60])
        if role and not any(i.text == table[match[0].lower()] for i in items[first:]):
            items.append(Item(kind="value", text=table[match[0].lower()], role=role, sentence=number))
    for match in _PHRASE.finditer(plain):
        phrase = match[1].strip().rstrip(".")
        role = role_of(plain[max(0, match.start() - 60) : match.start(1)], last)
        last = role or last
        known = table.get(phrase.lower())
        if known is not None and any(i.text == known for i in items[first:]):
            continue
        if known is not None:
            items.append(Item(kind="value", text=known, words="", role=role, sentence=number))
        elif (
            role
            and phrase
            and not any(i.words == phrase or (i.text and i.text in phrase.split()) for i in items[first:])
        ):
            items.append(Item(kind="value", text="", words=phrase, role=role, bare=True, sentence=number))
