"""Which files of a repository a ticket is probably about, and which of its names and packages it speaks of.

Reads the base commit's files as text, on the host: nothing is imported, parsed or run. What a stack trace or the ticket
names outright goes before names that a file defines, and those before mere words in common (BM25, as in the map that
engineers with a model are given).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from karkhana.domain.tools import Match
from karkhana.domain.understanding import Concern
from karkhana.engineers.llm.repository_map import DEFINITION, is_test, scored
from karkhana.git import Repository
from karkhana.intake.words import take_apart

FILES_MAX = 1_500
LINES_MAX = 40_000
SHOWN = 5
NAMED, TRACED, DEFINED, WORDS = 0.9, 0.8, 0.45, 0.25
"""Confidence in a file that is named, is in the trace, alone defines a name of the ticket, or shares most words."""
SOURCES = frozenset(
    ("py", "pyi", "js", "jsx", "ts", "tsx", "go", "rs", "java", "kt", "rb", "php", "cs", "c", "h", "cc", "cpp", "swift")
)
MANIFESTS = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "package.json", "Cargo.toml", "go.mod"})
TEXT_MAX = 20_000
_DEFINITION = re.compile(DEFINITION)
_NAME = re.compile(r"(?:def|class|function|func|fn|interface|struct|enum|trait|type)\s+(?:\([^)]*\)\s*)?([A-Za-z_]\w*)")
_MENTIONED = re.compile(
    r"`([^`\n]{2,80})`|\b([A-Za-z_]\w*(?:\.\w+)*)\(|\b([A-Za-z]+_\w+|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)\b"
)
_REQUIRED = re.compile(
    r"""(?:^|["'\s])([A-Za-z][\w.-]{1,60})(?:\[[^\]\n]{0,80}\])?["']?\s*(?:[=<>~!^]=?|:\s*["']|;|$|["',])"""
)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a repository says to a ticket's words."""

    concerns: tuple[Concern, ...] = ()
    names: tuple[str, ...] = ()
    """Names and paths of the ticket that the repository has."""
    packages: tuple[str, ...] = ()
    """Packages of the ticket that the repository depends on."""

    def subject(self, text: str) -> str:
        """What a question can be about: a call of the ticket, or a name of the repository."""
        call = re.search(r"`?([A-Za-z_][\w.]{0,60}\([^()\n`]{1,80}\))`?", text[:TEXT_MAX])
        return call[1] if call else next(iter(self.names), "")


def surroundings(source: Repository, commit: str, text: str) -> Surroundings:
    """Of the commit's files for a ticket's text."""
    files = source.files(commit)
    text = text[:TEXT_MAX]
    sources = sorted(path for path in files if path.rpartition(".")[2] in SOURCES)
    sources.sort(key=is_test)
    manifests = [path for path in files if _is_manifest(path)][:20]
    wanted = [*sources[:FILES_MAX], *manifests]
    blobs = source.read_blobs(list(dict.fromkeys(files[path][1] for path in wanted)))
    texts = {path: blobs[files[path][1]].decode("utf-8", "replace") for path in wanted}
    found = _definitions({path: texts[path] for path in sources[:FILES_MAX]})
    mentioned = _mentioned(text)
    concerns, names = _concerns(text, list(files), found, mentioned)
    packages = _packages(text, (texts[path] for path in manifests))
    return Surroundings(concerns=concerns, names=names, packages=packages)


def _definitions(texts: Mapping[str, str]) -> dict[str, list[Match]]:
    found: dict[str, list[Match]] = {}
    for path, text in texts.items():
        lines = text.split("\n")[:LINES_MAX]
        found[path] = [Match(path, n, line[:200]) for n, line in enumerate(lines, 1) if _DEFINITION.match(line[:200])]
    return found


def _concerns(
    text: str, paths: list[str], found: dict[str, list[Match]], mentioned: tuple[str, ...]
) -> tuple[tuple[Concern, ...], tuple[str, ...]]:
    sure: defaultdict[str, float] = defaultdict(float)
    why: defaultdict[str, list[str]] = defaultdict(list)
    names: dict[str, None] = {}

    def add(path: str, confidence: float, reason: str) -> None:
        sure[path] = 1 - (1 - sure[path]) * (1 - confidence)
        why[path].append(reason)

    for path in paths:
        if path in text or ("/" not in path and re.search(rf"(?<![\w/.-]){re.escape(path)}(?![\w.-]*\w)", text)):
            add(path, NAMED, f"names {path}")
            names[path] = None
    for place, frame in enumerate(dict.fromkeys(each.partition(":")[0] for each in take_apart(text).frames)):
        same = [path for path in paths if path.rpartition("/")[2] == frame]
        for path in same[:5]:
            add(path, TRACED / len(same) * 0.8**place, f"its stack trace goes through {frame}")
            names.setdefault(path)
    defining: defaultdict[str, set[str]] = defaultdict(set)
    for path, matches in found.items():
        for match in matches:
            if defined := _NAME.search(match.text):
                defining[defined[1]].add(path)
    for name in mentioned:
        homes = sorted(defining.get(name, ()), key=lambda path: (is_test(path), path))
        if homes:
            names[name] = None
        for path in homes[:5]:
            add(path, DEFINED / len(homes) * (0.5 if is_test(path) else 1.0), f"defines {name}")
    ranked = scored(found, text) if found else {}
    best = max(ranked.values(), default=0.0)
    for path in sorted(ranked, key=lambda path: (-ranked[path], path))[:SHOWN]:
        if ranked[path] > 0:
            add(path, WORDS * ranked[path] / best, "shares words with it")
    order = sorted(sure, key=lambda path: (-sure[path], path))[:SHOWN]
    return tuple(
        Concern(path=path, confidence=round(sure[path], 2), because=tuple(dict.fromkeys(why[path]))[:3])
        for path in order
    ), tuple(names)[:20]


def _mentioned(text: str) -> tuple[str, ...]:
    """Identifiers of the ticket: the last part of each dotted one."""
    found: dict[str, None] = {}
    for match in _MENTIONED.finditer(text):
        whole = match[1] or match[2] or match[3]
        for name in re.findall(r"[A-Za-z_]\w*", whole)[:6]:
            if len(name) > 2:
                found.setdefault(name)
    return tuple(found)[:200]


def _is_manifest(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in MANIFESTS or (name.startswith("requirements") and name.endswith((".txt", ".in")))


def _packages(text: str, manifests: Iterable[str]) -> tuple[str, ...]:
    required = {_canonical(name) for each in manifests for name in _REQUIRED.findall(each[:200_000])}
    said = dict.fromkeys(_canonical(word) for word in re.findall(r"[A-Za-z][\w.-]{1,60}", text))
    return tuple(word for word in said if word in required and word not in _NO_PACKAGES)[:10]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).strip("-").casefold()


_NO_PACKAGES = frozenset(
    ("name", "version", "python", "license", "dependencies", "description", "from", "the", "all", "test", "tests")
)
"""Words of dependency files that are no packages in most tickets."""
