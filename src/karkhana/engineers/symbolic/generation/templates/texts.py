"""Inside strings: regular expressions, format specifications, and wordings that the failing test shows to be wrong."""

import ast
import difflib
import functools
import re
from collections.abc import Iterator

import libcst as cst

from karkhana.behaviour.spectra import Failure
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.scene import Idea, Scene, template, words

_LONGEST = 240
_WHOLE = 1.5
"""How much likelier a string is at fault that is just what came."""
_AT_ONCE = 6
"""Places of one pattern in which the same slip is mended together."""
_ALTERNATIVES = 3
_NAMED = 2.5
"""How much likelier a slip is about what the ticket names."""
_SIGNS = 5
_CONTEXT = 3
"""Words around a difference that help to find where it comes from."""


@template("regular-expression")
def regular_expression(scene: Scene) -> Iterator[Idea]:
    """An anchor, escape, quantifier, group or class of a pattern that is a little wrong."""
    view = scene.view
    nodes = [node for node in view.suspicious(cst.SimpleString) if _is_pattern(scene, node)]
    known = _patterns_of(view.module_text or view.text)
    relevance = scene.told.relevance(known) if len(known) > 1 and scene.told.text else {}
    for node in nodes:
        body = node.raw_value
        start = view.span(node)[0] + len(node.prefix) + len(node.quote)
        own = relevance.get(body, 1.0) ** 2
        for spans, weight in _slips(scene, body):
            edits = tuple(Edit(start + begin, start + end, text) for begin, end, text in spans)
            yield Idea(view.line(node), edits, weight * own)
        if "r" not in node.prefix.lower() and "\\" in body:
            at = view.span(node)[0]
            yield Idea(view.line(node), (Edit(at, at, "r"),), 0.5 * own)
    for call in view.suspicious(cst.Call):
        if view.text_of(call.func).startswith("re.") and call.args:
            yield from _flags(scene, call)


def _flags(scene: Scene, call: cst.Call) -> Iterator[Idea]:
    """A flag that a call of ``re`` lacks."""
    view = scene.view
    end = view.span(call.args[-1])[1]
    last = view.text_of(call.args[-1])
    joint = " | " if "re." in last else ", flags="
    for flag, weight in (("IGNORECASE", 0.6), ("DOTALL", 0.6), ("MULTILINE", 0.6), ("VERBOSE", 0.1)):
        if f"re.{flag}" not in last and f"re.{flag[0]}" not in last.split():
            yield Idea(view.line(call), (Edit(end, end, f"{joint}re.{flag}"),), weight * 0.7)


_Span = tuple[int, int, str]


def _slips(scene: Scene, body: str) -> Iterator[tuple[tuple[_Span, ...], float]]:
    """(replacements, weight): the known slips one by one and all of a kind at once, then classes and alternatives."""
    slips = words()["patterns"]
    assert isinstance(slips, list)
    spoken = _spoken(scene)
    for find, replacement, weight in slips:
        found = [(m.start(), m.end(), m.expand(replacement)) for m in re.finditer(find, body)]
        own = weight * (_NAMED if any(sign in (text, body[a:b]) for a, b, text in found for sign in spoken) else 1.0)
        for span in found:
            yield (span,), own
        if 1 < len(found) <= _AT_ONCE:
            yield tuple(found), own
    yield from _classes(body)
    for match in re.finditer(r"(?<=[(|:])\w+(?:\|\w+)+(?=\))", body):
        for word, weight in scene.told.words_like(match[0].split("|"))[:_ALTERNATIVES]:
            yield ((match.end(), match.end(), f"|{word}"),), weight


def _spoken(scene: Scene) -> frozenset[str]:
    """Pieces of patterns that stand for what the ticket talks about: ``\\s`` for "newline"."""
    table = words()["signs"]
    assert isinstance(table, list)
    return frozenset(sign for names, signs in table if scene.told.beginning & set(names) for sign in signs)


@functools.lru_cache(maxsize=16)
def _patterns_of(module_text: str) -> tuple[str, ...]:
    """The raw strings of a file."""
    found = re.findall(r"\b[rR](?:'''([\s\S]+?)'''|\"\"\"([\s\S]+?)\"\"\"|'([^'\n]+)'|\"([^\"\n]+)\")", module_text)
    return tuple(dict.fromkeys("".join(groups) for groups in found))


def _classes(body: str) -> Iterator[tuple[tuple[_Span, ...], float]]:
    """A sign that the pattern is about, left out of what may stand between: ``[^"]`` → ``[^"<]``, ``.`` → ``[^_]``."""
    signs = list(dict.fromkeys(re.findall(r"\\([^\w\s])|([_<>\"'`~@#:;,])", body)))
    texts = [rf"\{escaped}" if escaped else plain for escaped, plain in signs][:_SIGNS]
    closed = [(m.end() - 1, m.end() - 1, m[1]) for m in re.finditer(r"\[\^((?:\\.|[^\]\\])+)\]", body)]
    for start, end, inside in closed:
        for sign in texts:
            if sign not in inside:
                yield ((start, end, sign),), 0.5
    for match in re.finditer(r"(?<!\\)\.(?=[*+])", body):
        for sign in texts:
            yield ((match.start(), match.end(), f"[^{sign}]"),), 0.3


def _is_pattern(scene: Scene, node: cst.SimpleString) -> bool:
    view = scene.view
    if len(node.value) > _LONGEST or "b" in node.prefix.lower():
        return False
    if "r" in node.prefix.lower():
        return True
    parent = view.parent(view.parent(node) or node)
    return isinstance(parent, cst.Call) and view.text_of(parent.func).startswith("re.")


@template("format")
def format_(scene: Scene) -> Iterator[Idea]:
    """A conversion or a format specification that is a little wrong; an ``f`` that is missing."""
    view = scene.view
    slips = words()["formats"]
    assert isinstance(slips, list)
    for node in view.suspicious(cst.SimpleString):
        if _is_documentation(scene, node) or len(node.value) > _LONGEST or not re.search(r"[%{]", node.value):
            continue
        if "r" in node.prefix.lower():
            continue
        start = view.span(node)[0]
        for find, replacement, weight in slips:
            for match in re.finditer(find, node.value):
                edit = Edit(start + match.start(), start + match.end(), match.expand(replacement))
                yield Idea(view.line(node), (edit,), weight)
        if re.search(r"\{\w[\w.\[\]()]*\}", node.value) and not node.prefix:
            yield Idea(view.line(node), (Edit(start, start, "f"),), 1.0)
    for part in view.suspicious(cst.FormattedStringExpression):
        start, end = view.span(part)
        inner = view.span(part.expression)[1]
        if part.conversion is None:
            yield Idea(view.line(part), (Edit(inner, inner, "!r"),), 0.6)
        else:
            yield Idea(view.line(part), (Edit(inner, inner + 2, ""),), 0.6)
        if part.format_spec:
            yield Idea(view.line(part), (Edit(inner, end - 1, ""),), 0.3)


def _is_documentation(scene: Scene, node: cst.CSTNode) -> bool:
    return isinstance(scene.view.parent(node), cst.Expr)


@template("wording")
def wording(scene: Scene) -> Iterator[Idea]:
    """A string of the function from which the text that the test did not expect came."""
    view = scene.view
    pairs = list(dict.fromkeys(pair for failure in scene.failures for pair in differences(failure)))
    if not pairs:
        return
    for node in view.suspicious(cst.SimpleString, cst.FormattedStringText):
        if _is_documentation(scene, node) or len(node.value) > _LONGEST:
            continue
        begin, end = view.span(node)
        if isinstance(node, cst.SimpleString):
            begin, end = begin + len(node.prefix) + len(node.quote), end - len(node.quote)
        text = view.text[begin:end]
        for wrong, right in pairs:
            old, new = _escaped(wrong), _escaped(right)
            if old and text.count(old) == 1:
                at = begin + text.index(old)
                whole = _WHOLE if text == old else 1.0
                yield Idea(view.line(node), (Edit(at, at + len(old), new),), whole * min(1.0, 0.3 + 0.15 * len(old)))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def differences(failure: Failure) -> Iterator[tuple[str, str]]:
    """(what came, what was expected) at the places where two compared texts differ, with growing context.

    >>> list(differences(Failure(type="AssertionError", message="assert 'a-b' == 'a+b'")))[:1]
    [('-', '+')]
    """
    match = re.match(r"assert (?P<both>.+)", failure.message)
    if match is None:
        return
    try:
        compared = ast.parse(match["both"].strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return
    if not isinstance(compared, ast.Compare) or not isinstance(compared.ops[0], ast.Eq | ast.In):
        return
    left, right = _text_of(compared.left), _text_of(compared.comparators[0])
    if left is not None and right is not None:
        yield from _pieces(left[:1000], right[:1000])
        yield from _pieces(right[:1000], left[:1000])


def _text_of(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _pieces(came: str, wanted: str) -> Iterator[tuple[str, str]]:
    mine, other = _parts(came), _parts(wanted)
    blocks = difflib.SequenceMatcher(None, mine, other, autojunk=False).get_opcodes()
    changed = [b[1:] for b in blocks if b[0] != "equal"]
    if len(changed) > 6:
        return
    if len(changed) > 1:
        changed.append((changed[0][0], changed[-1][1], changed[0][2], changed[-1][3]))
    for i, j, k, m in changed:
        for context in range(_CONTEXT):
            wrong = "".join(mine[max(0, i - context) : j + context])
            right = "".join(other[max(0, k - context) : m + context])
            if wrong and wrong != right:
                yield wrong, right


def _parts(text: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", text)
