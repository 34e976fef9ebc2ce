"""What the ticket and the failing tests talk about: words that a collection lacks, texts that a pattern should match.

Knows texts; runs nothing, above all no pattern of the repository.

>>> told = Told("CONCURRENTLY should be a keyword\\n\\ndef test_concurrently_is_keyword(): ...")
>>> told.words_like(("COMMITTED", "COMPLETION"))[0]
('CONCURRENTLY', 1.0)
"""

import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from karkhana.engineers.symbolic.localisation.signals import words_of

_WORDS = 6
_MOST_STRINGS = 200
_STRING = re.compile(r"\"\"\"(?P<long>[\s\S]{1,2000}?)\"\"\"|'(?P<one>[^'\n]{1,400})'|\"(?P<two>[^\"\n]{1,400})\"")
_PROSE = 0.35
"""Weight of a word that is neither quoted nor written like its future neighbours."""
_TITLE = 3.0
"""Weight of a word of the ticket's first line, beside 1 for one elsewhere."""
_ALIKE = 0.9
"""Share of strings that must look alike for another one to be made like them."""
_FOREIGN = 0.25
"""Relevance of a pattern none of whose own words and signs the tests mention."""
_BEGINNING = 400
"""Characters of the ticket that say what it is about."""


class Told:
    """The text of a ticket and of the tests that fail, ticket first."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._relevance: dict[tuple[str, ...], Mapping[str, float]] = {}

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Lower-case words without the commonest."""
        return words_of(self.text)

    @functools.cached_property
    def strings(self) -> tuple[str, ...]:
        """What stands between quotes."""
        found = (m["long"] or m["one"] or m["two"] or "" for m in _STRING.finditer(self.text))
        return tuple(dict.fromkeys(found))[:_MOST_STRINGS]

    def mentions(self, name: str) -> bool:
        """Whether an identifier occurs, also as a part of another one."""
        return bool(name) and name in self.text

    @functools.cached_property
    def _counts(self) -> dict[str, float]:
        title, _, rest = self.text.partition("\n")
        counts: dict[str, float] = {}
        for weight, part in ((_TITLE, title), (1.0, rest)):
            for word in re.findall(r"[^\W\d_]\w*", part):
                # A word of an identifier counts as much as one that stands alone.
                for piece in {word, *re.split(r"_+", word)} - {""}:
                    counts[piece] = counts.get(piece, 0.0) + weight
        return counts

    def words_like(self, neighbours: Sequence[str]) -> list[tuple[str, float]]:
        """(word, weight up to 1) of what could stand among strings such as these: same case, same signs around.

        What stands between quotes or is written as the neighbours are is likelier than a word of prose.
        """
        if not neighbours:
            return []
        shaped = _shape(neighbours)
        if shaped is None:
            return []
        front, back, style = shaped
        present = set(neighbours)
        scores: dict[str, float] = {}
        sure: set[str] = set()
        quoted = set(self.strings)
        for word, count in self._counts.items():
            plain = word.lower()
            if len(word) < 2 or (plain not in self.words and word not in quoted):
                continue
            made = front + (word if style is None else style(word)) + back
            if made in present:
                continue
            as_written = word if style is None else style(word)
            certain = made in quoted or word in quoted or (as_written == word and style is str.upper)
            scores[made] = scores.get(made, 0.0) + (1.0 if certain else _PROSE) * math.log1p(count)
            if certain:
                sure.add(made)
        best = max(scores.values(), default=1.0)
        ordered = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:_WORDS]
        return [(word, round(score / best * (1.0 if word in sure else _PROSE), 4)) for word, score in ordered]

    @functools.cached_property
    def beginning(self) -> frozenset[str]:
        """Lower-case words of the ticket's first lines."""
        return frozenset(re.findall(r"[a-z]+", self.text[:_BEGINNING].lower()))

    def relevance(self, patterns: tuple[str, ...]) -> Mapping[str, float]:
        """Pattern → how much the signs and words that it alone has occur in what the tests say, 0 to 1."""
        if patterns not in self._relevance:
            own = {pattern: _own(pattern) for pattern in patterns}
            common = Counter(sign for signs in own.values() for sign in signs)
            said = "\n".join(self.strings) or self.text
            found: dict[str, float] = {}
            for pattern, signs in own.items():
                share = sum(1.0 / common[sign] for sign in signs if sign in said)
                found[pattern] = min(1.0, max(_FOREIGN, share))
            self._relevance[patterns] = found
        return self._relevance[patterns]


def _shape(neighbours: Sequence[str]) -> tuple[str, str, Callable[[str], str] | None] | None:
    """(what stands in front, what stands behind, case) that nearly all share; ``None`` when they are no words."""
    matches = [m for n in neighbours if (m := re.fullmatch(r"(\W*)(\w[\w ]*)(\W*)", n))]
    if not matches:
        return None
    ((front, back), _), *_ = Counter((m[1], m[3]) for m in matches).most_common(1)
    bodies = [m[2] for m in matches if (m[1], m[3]) == (front, back)]
    least = _ALIKE * len(neighbours)
    if len(bodies) < least:
        return None
    if sum(b == b.upper() != b.lower() for b in bodies) >= least:
        return front, back, str.upper
    if sum(b == b.lower() for b in bodies) >= least:
        return front, back, str.lower
    return front, back, None


def _own(pattern: str) -> frozenset[str]:
    """Words and escaped signs of a pattern: what it is about."""
    signs = {sign[1] for sign in re.findall(r"\\[^\w\s]", pattern)}
    signs |= set(re.findall(r"(?<![\\\w])[^\W\d_]{3,}", pattern))
    return frozenset(signs | set(re.findall(r"[@#&%!~;:`\"'<>_]", pattern)))
