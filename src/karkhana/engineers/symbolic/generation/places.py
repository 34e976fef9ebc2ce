"""Where changes may be made: suspicious functions, and the constants of modules and classes that these read.

A constant may stand in another file than the function that reads it: imports are followed. Knows texts; knows
nothing of templates.

>>> sources("import os\\nfrom .words import WORDS, other as thing\\n", "shop/text.py")
{'WORDS': ('shop/words/WORDS.py', 'shop/words.py'), 'thing': ('shop/words/other.py', 'shop/words.py')}
"""

import ast
import functools
import re
from collections.abc import Callable, Mapping

import msgspec

from karkhana.behaviour.spectra import FunctionPlace
from karkhana.engineers.symbolic.generation.declarations import Declaration, declarations, names_in
from karkhana.engineers.symbolic.generation.told import Told
from karkhana.engineers.symbolic.localisation.localise import Suspect

_DECLARED = 0.7
"""Suspicion of constants, as a share of that of the functions that use them."""
_TOLD = 0.7
"""The same for constants that only the failing tests name."""
_FILES = 8
"""Imported files that are looked into; reading them costs calls of a tool."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A suspect with its text."""

    suspect: Suspect
    text: str
    """From the ``def`` to the last line; the whole file when it is about declarations."""
    file_text: str
    declarations: tuple[Declaration, ...] = ()
    """Constants of the module and its classes to change, in place of a function."""

    @property
    def is_file(self) -> bool:
        """It is about what stands outside functions."""
        return not self.suspect.place.name

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.suspect.place.qualified or self.suspect.path.rsplit("/", 1)[-1].removesuffix(".py")


def cut(file_text: str, suspect: Suspect) -> str:
    """The lines of a suspect's function."""
    lines = file_text.splitlines(keepends=True)
    return "".join(lines[suspect.place.start - 1 : suspect.place.end])


def declared(
    places: tuple[Place, ...],
    test_text: str = "",
    *,
    told: str = "",
    read: Callable[[str], str | None] | None = None,
) -> tuple[Place, ...]:
    """One more place per file: the constants of its module and classes that suspicious functions or tests name.

    ``read`` gives the text of a file of the repository: with it, constants that suspicious files import from others
    are found too. ``told`` is what the ticket and the tests say.
    """
    best = max((place.suspect.score for place in places), default=1.0) or 1.0
    used: dict[str, float] = dict.fromkeys(names_in(test_text), _TOLD)
    for place in places:
        for name in names_in(place.text):
            used[name] = max(used.get(name, 0.0), place.suspect.score / best)
    spoken = "\n".join([told, test_text])
    found: list[Place] = []
    paths = dict.fromkeys(place.suspect.path for place in places)
    for path in paths:
        own = [place for place in places if place.suspect.path == path]
        score = max(place.suspect.score for place in own)
        # What another file's suspects read counts here only when this file has it imported: see below.
        here = dict.fromkeys(names_in(test_text), _TOLD)
        for place in own:
            for name in names_in(place.text):
                here[name] = max(here.get(name, 0.0), place.suspect.score / score if score else 0.0)
        found.append(declared_in(path, own[0].file_text, here, spoken, score=score, **_tests(own)))
    if read is not None:
        for path, names in _imported(places, used).items():
            text = read(path) if path not in paths else None
            far = declared_in(path, text, names, spoken, score=best, **_tests(places)) if text else None
            if far is not None and far.declarations:
                found.append(far)
    return tuple(found)


def _tests(places: "tuple[Place, ...] | list[Place]") -> dict[str, tuple[int, ...]]:
    return {
        "failing": tuple(sorted({n for place in places for n in place.suspect.failing})),
        "passing": tuple(sorted({n for place in places for n in place.suspect.passing})),
    }


def declared_in(
    path: str,
    text: str,
    used: Mapping[str, float],
    told: str,
    *,
    score: float,
    failing: tuple[int, ...],
    passing: tuple[int, ...],
) -> Place:
    """The constants of one file; ``used``: name → how suspicious what reads it is, up to 1."""
    constants = declarations(text, used, Told(told))
    own = _DECLARED * score
    suspect = Suspect(
        path=path,
        place=FunctionPlace(name="", top=1, start=1, end=text.count("\n") + 1),
        score=own,
        lines={1: own, **{line: own * d.strength for d in constants for line in _lines(d)}},
        failing=failing,
        passing=passing,
    )
    return Place(suspect=suspect, text=text, file_text=text, declarations=constants)


def _lines(declaration: Declaration) -> range:
    return range(declaration.line, declaration.line + declaration.text.count("\n") + 1)


def _imported(places: tuple[Place, ...], used: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Path that may be a file → names that suspicious functions use from there, the most suspicious functions first."""
    found: dict[str, dict[str, float]] = {}
    for place in sorted(places, key=lambda p: -p.suspect.score):
        names = names_in(place.text)
        for name, (module, home) in sources(place.file_text, place.suspect.path).items():
            as_module = re.search(rf"(?<![\w.]){re.escape(name)}\.\w", place.text) and name.islower()
            path = module if as_module else home
            if name not in names or (path not in found and len(found) >= _FILES):
                continue
            own = found.setdefault(path, {})
            # ``module.CONSTANT``: every name that the function has may be one of the module's.
            for one in names if as_module else (name,):
                own[one] = max(own.get(one, 0.0), used.get(one, 0.0))
    return found


@functools.lru_cache(maxsize=64)
def sources(file_text: str, path: str) -> Mapping[str, tuple[str, str]]:
    """Name that a module imports from its own package → the file that it is when it is a module, or that defines it."""
    try:
        tree = ast.parse(file_text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    folder = path.split("/")[:-1]
    found: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom):
            continue
        words = node.module.split(".") if node.module else []
        if node.level:
            base = [*folder[: len(folder) - node.level + 1], *words]
        elif words and words[0] in folder:
            base = [*folder[: folder.index(words[0])], *words]
        else:
            continue
        for alias in node.names:
            module = "/".join([*base, alias.name]) + ".py"
            home = "/".join(base)
            found[alias.asname or alias.name] = (module, f"{home}.py" if words else f"{home}/__init__.py")
    return found
