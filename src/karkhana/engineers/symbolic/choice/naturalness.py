"""Does a change look like this code base? An interpolated token trigram model of the repository's own text.

Code repeats itself, most of all within one file (Hindle et al., "On the naturalness of software", 2012; Tu et al.,
"On the localness of software", 2014). Identifiers are kept, strings are one token. Probabilities are smoothed by
Witten and Bell's method. Knows text; knows nothing of candidates.

>>> model = TokenModel(["for item in items:\\n    total += item.price\\n" * 3])
>>> model.bits("total += item.price") < model.bits("total -= price.item")
True
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

_TOKEN = re.compile(
    r"[^\W\d]\w*|\d[\w.]*|\"\"\"|'''|\"[^\"\n]*\"|'[^'\n]*'|\*\*=?|//=?|[<>=!+\-*/%&|^@:]=|->|<<|>>|[^\w\s]|\n"
)
_START = ("\n", "\n")
_MOST_TOKENS = 400_000


def tokens(text: str) -> list[str]:
    """Identifiers, numbers, operators, line ends; every string is ``''``; comments are left out.

    >>> tokens("x = 'a'  # b")
    ['x', '=', "''"]
    """
    bare = re.sub(r"(?m)(?<!['\"\w])#[^\n'\"]*$", "", text)
    return ["''" if token[0] in "'\"" else token for token in _TOKEN.findall(bare)]


class TokenModel:
    """How usual a sequence of tokens is, in bits."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Earlier texts first; what exceeds 400,000 tokens is left out."""
        self._counts: tuple[Counter[tuple[str, ...]], ...] = (Counter(), Counter(), Counter())
        """How often each single token, pair and triple was seen."""
        self._after: tuple[Counter[tuple[str, ...]], ...] = (Counter(), Counter(), Counter())
        """History → tokens seen behind it, all and (``_kinds``) distinct ones."""
        self._kinds: tuple[Counter[tuple[str, ...]], ...] = (Counter(), Counter(), Counter())
        left = _MOST_TOKENS
        for text in texts:
            stream = tokens(text)[:left]
            left -= len(stream)
            self._learn([*_START, *stream])
        self._vocabulary = len(self._counts[0]) + 1

    def _learn(self, stream: Sequence[str]) -> None:
        for order, counts in enumerate(self._counts):
            grams = Counter(zip(*(stream[2 - order + shift :] for shift in range(order + 1)), strict=False))
            for gram, count in grams.items():
                history = gram[:-1]
                self._kinds[order][history] += gram not in counts
                self._after[order][history] += count
                counts[gram] += count

    def bits(self, text: str, before: str = "", without: str = "") -> float:
        """Surprise of ``text`` in bits per token, behind the line ``before``; 0 when it holds no token.

        Occurrences within ``without`` do not count: a line that stands in the corpus is no witness for itself.
        """
        own = tokens(text)
        if not own:
            return 0.0
        history = [*_START, *tokens(before)][-2:]
        stream = [*history, *own]
        removed = _grams([*_START, *tokens(without)]) if without else Counter()
        total = 0.0
        for position in range(2, len(stream)):
            total -= math.log2(self._probability(tuple(stream[position - 2 : position + 1]), removed))
        return total / len(own)

    def seen(self, text: str, without: str = "") -> float:
        """Share of the token triples of ``text`` that occur elsewhere in the corpus; 1 for a shorter text."""
        triples = [g for g in _grams([*_START, *tokens(text)]).elements() if len(g) == 3][1:]
        if not triples:
            return 1.0
        removed = _grams([*_START, *tokens(without)]) if without else Counter()
        return sum(self._counts[2][g] > removed[g] for g in triples) / len(triples)

    def _probability(self, gram: tuple[str, ...], removed: Counter[tuple[str, ...]]) -> float:
        estimate = 1.0 / self._vocabulary
        for order in range(3):
            part = gram[2 - order :]
            history = part[:-1]
            kinds = self._kinds[order][history]
            behind = self._after[order][history]
            if not kinds or not behind:
                break
            count = max(0, self._counts[order][part] - removed[part])
            estimate = (count + kinds * estimate) / (behind + kinds)
        return estimate


def _grams(stream: Sequence[str]) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for order in range(3):
        found.update(zip(*(stream[2 - order + shift :] for shift in range(order + 1)), strict=False))
    return found
