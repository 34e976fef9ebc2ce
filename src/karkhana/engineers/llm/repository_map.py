"""A map of the repository for a ticket: files and what they define, the most relevant first, within a bound of tokens.

One search of the workspace finds the definitions of every language that names them in the usual way. A file counts by
the words that it shares with the ticket and the failing tests, rare words more (BM25, Robertson and Zaragoza 2009),
and much more if a traceback or the ticket names its path. Knows nothing of models.

>>> found = [Match("cart.py", 3, "def total(prices):"), Match("user.py", 1, "class User:")]
>>> print(drawn(found, "total() ignores the discount", tokens=100))
cart.py
  3: def total(prices):
user.py
  1: class User:
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from karkhana.domain.errors import ToolRefused
from karkhana.domain.tools import Match, Search
from karkhana.engineers.llm.conversation import CHARACTERS
from karkhana.ports import Tools

DEFINITION = (
    r"^\s*(?:(?:export|default|public|private|protected|static|abstract|final|async|pub(?:\([a-z]+\))?|unsafe|override)\s+)*"
    r"(?:def|class|function|func|fn|interface|struct|enum|trait|impl|type|module|sub)\s+[A-Za-z_$(]"
)
"""A line that defines something: Python, JavaScript, TypeScript, Go, Rust, Java, C#, Ruby, PHP, …"""
SOURCES = "*.[pjtgrckslm]*"
"""Names of files worth searching; what is no source seldom has a line like that."""
_DEFINITIONS = 8_000
_PER_FILE = 40
_NAMED = 12.0
"""What a path is worth that the ticket or a traceback names."""
_TEST = 0.4
"""Factor for files of tests: the change mostly belongs elsewhere."""
_K, _B = 1.2, 0.75
"""BM25's constants."""


def repository_map(tools: Tools, wanted: str, *, tokens: int) -> str:
    """Drawn for what is wanted (the ticket and the failing tests); empty if nothing could be found out."""
    try:
        found = tools.call(Search(pattern=DEFINITION, glob=SOURCES, limit=_DEFINITIONS))
    except ToolRefused:
        return ""
    return drawn(found.matches, wanted, tokens=tokens)


def drawn(definitions: Iterable[Match], wanted: str, *, tokens: int) -> str:
    """The map as text, at most ``tokens`` long (estimated)."""
    files: dict[str, list[Match]] = {}
    for match in definitions:
        files.setdefault(match.path, []).append(match)
    lines: list[str] = []
    left = int(tokens * CHARACTERS)
    for path in ranked(files, wanted):
        part = [path, *(f"  {match.line}: {match.text.strip()[:120]}" for match in _best(files[path], wanted))]
        size = sum(len(line) + 1 for line in part)
        if size > left:
            part, size = [path], len(path) + 1
        if size > left:
            break
        lines += part
        left -= size
    return "\n".join(lines)


def ranked(files: dict[str, list[Match]], wanted: str) -> list[str]:
    """Paths, the most relevant first."""
    scores = scored(files, wanted)
    return sorted(scores, key=lambda path: (-scores[path], path))


def scored(files: dict[str, list[Match]], wanted: str) -> dict[str, float]:
    """Path → how much it shares with what is wanted."""
    bags = {path: Counter(words(" ".join([path, *(match.text for match in found)]))) for path, found in files.items()}
    asked = set(words(wanted))
    known = Counter(word for bag in bags.values() for word in bag.keys() & asked)
    mean = sum(map(Counter.total, bags.values())) / max(1, len(bags))
    scores = {path: _score(bag, asked, known, len(bags), mean) for path, bag in bags.items()}
    for path in scores:
        scores[path] *= _TEST if is_test(path) else 1.0
        scores[path] += _NAMED if path in wanted or path.rpartition("/")[2] in wanted else 0.0
    return scores


def is_test(path: str) -> bool:
    """Whether a path is that of a test, by its name."""
    return re.search(r"(^|[/_.])tests?([/_.]|$)", path) is not None


def words(text: str) -> list[str]:
    """Words of a text and of the identifiers in it, in lower case.

    >>> words("CartTotal ignores parse_http2")
    ['cart', 'total', 'ignores', 'parse', 'http2']
    """
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return [word.lower() for word in re.findall(r"[A-Za-z][A-Za-z0-9]{2,}", split.replace("_", " "))]


def _score(bag: Counter[str], asked: set[str], known: Counter[str], files: int, mean: float) -> float:
    length = _K * (1 - _B + _B * bag.total() / max(mean, 1.0))
    total = 0.0
    for word in bag.keys() & asked:
        rare = math.log(1 + (files - known[word] + 0.5) / (known[word] + 0.5))
        total += rare * bag[word] * (_K + 1) / (bag[word] + length)
    return total


def _best(found: Sequence[Match], wanted: str) -> list[Match]:
    """Of a file with many definitions those that share words with what is wanted, in the file's order."""
    if len(found) <= _PER_FILE:
        return list(found)
    asked = set(words(wanted))
    order = sorted(range(len(found)), key=lambda i: (-len(asked & set(words(found[i].text))), i))
    return [found[i] for i in sorted(order[:_PER_FILE])]
