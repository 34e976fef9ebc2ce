"""Slips in a rewritten function: names that nothing defines, and one wrong detail in what is nearly right.

A name that is missing is imported when the standard library has it under its usual name, becomes an attribute when the
class has it, or the name that it was meant to be. What fails by a detail gets every small change that the templates
know. Knows texts and templates; runs nothing.
"""

import ast
import difflib
import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources

import msgspec

from karkhana.behaviour.spectra import FunctionPlace, Spectrum
from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.choice.vetoes import TOO_DEEP, undefined_names
from karkhana.engineers.symbolic.circumstances import Circumstances
from karkhana.engineers.symbolic.generation.hypotheses import Place, hypotheses
from karkhana.engineers.symbolic.patching import whole_file
from karkhana.engineers.symbolic.rewriting import parts

_ALIKE = 0.75
"""Similarity from which on a missing name is taken for another one."""
_NEIGHBOURS = 400
"""Small changes that are tried on what nearly passes."""


class Mended(msgspec.Struct, frozen=True):
    """A rewritten function whose names are all defined, as far as that could be done."""

    text: str
    imports: tuple[str, ...] = ()


@functools.cache
def usual_imports() -> Mapping[str, str]:
    """Name → the statement that people bring it in with."""
    text = resources.files(__package__).joinpath("imports.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    modules = {name: f"import {name}" for name in data["modules"]}
    members = {name: f"from {module} import {name}" for module, names in data["members"].items() for name in names}
    return {**members, **modules}


def mended(place: Place, text: str, imports: tuple[str, ...] = ()) -> Mended:
    """``text``, the function of ``place`` rewritten, with its missing names brought in or put right."""
    lines = place.file_text.splitlines(keepends=True)
    before, end = lines[: place.suspect.place.start - 1], place.suspect.place.start - 1 + len(place.text.splitlines())
    brought = "".join(f"{line}\n" for line in imports)
    module = brought + "".join([*before, text, *lines[end:]])
    needed: list[str] = list(imports)
    for name in sorted(undefined_names(module) - undefined_names(place.file_text)):
        statement = usual_imports().get(name)
        if statement is not None:
            needed.append(statement)
            continue
        meant = _meant(name, place)
        if meant:
            text = re.sub(rf"(?<![\w.]){re.escape(name)}\b", meant, text)
    return Mended(text, tuple(dict.fromkeys(needed)))


def _meant(name: str, place: Place) -> str:
    members = _members(place)
    if name in members:
        return f"self.{name}"
    known = set(re.findall(r"(?<![\w.])[A-Za-z_]\w*", place.text)) | _top_names(place.file_text)
    near = difflib.get_close_matches(name, sorted(known - {name}), n=1, cutoff=_ALIKE)
    return near[0] if near else ""


def _members(place: Place) -> frozenset[str]:
    """Names of the class that the function belongs to."""
    classes = place.suspect.place.classes
    try:
        tree = ast.parse(place.file_text)
    except TOO_DEEP:
        return frozenset()
    own = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and classes and n.name == classes[-1]]
    defined = {s.name for c in own for s in c.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)}
    read = {n.attr for c in own for n in ast.walk(c) if isinstance(n, ast.Attribute) and _is_self(n.value)}
    return frozenset(defined | read)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


@functools.lru_cache(maxsize=32)
def _top_names(file_text: str) -> frozenset[str]:
    try:
        tree = ast.parse(file_text)
    except TOO_DEEP:
        return frozenset()
    named = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)}
    bound = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    imported = {
        (a.asname or a.name).partition(".")[0]
        for n in tree.body
        if isinstance(n, ast.Import | ast.ImportFrom)
        for a in n.names
    }
    return frozenset(named | bound | imported)


def neighbours(
    place: Place, text: str, spectrum: Spectrum, known: Circumstances, *, lessons: Mapping[str, float], told: str
) -> Iterator[tuple[str, float, str]]:
    """(template, score relative to the best, text) of what is one small change away from ``text``, best first."""
    where = place.suspect.place
    count = len(text.splitlines())
    moved = FunctionPlace(
        name=where.name, classes=where.classes, top=where.top, start=where.start, end=where.start + count - 1
    )
    lines = dict.fromkeys(range(where.start, where.start + count), 0.5)
    # What was changed already is where the slip is, as a rule.
    for edit in parts(place.text, text):
        first = where.start + place.text[: edit.start].count("\n")
        lines.update({n: 1.0 for n in range(first, first + max(1, edit.text.count("\n"))) if n in lines})
    suspect = msgspec.structs.replace(place.suspect, place=moved, lines=lines)
    file_text = whole_file(place.file_text, where.start, place.text, parts(place.text, text))
    near = Place(suspect=suspect, text=text, file_text=file_text)
    found = hypotheses(
        (near,),
        spectrum,
        literals=known.literals,
        expected=known.expected,
        lessons=lessons,
        limit=_NEIGHBOURS,
        told=told,
    )
    best = max((idea.score for idea in found), default=1.0)
    for idea in found:
        if not idea.fresh:
            yield idea.kind, idea.score / best, apply(text, idea.edits)
