"""What a text looks like, in numbers: its length, figures, marks, kinds of words, and options to choose from.

Models of any make share these: a story with many figures is hard for all of them, a short question is not. Knows
nothing of models and outcomes. The lists of words are in ``shape.toml``.

>>> numbers = shape("How many eggs are left?", ["how", "many", "eggs", "are", "left"], [1.0] * 5, rarest=9.0)
>>> len(numbers) == len(NAMES), dict(zip(NAMES, numbers))["asks"]
(True, 1.0)
"""

import functools
import itertools
import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources

NAMES = (
    *("characters", "question", "words", "sentences", "sentence_words", "lines", "options"),
    *("option_length", "option_spread", "option_figures"),
    *("digits", "signs", "capitals", "foreign", "commas", "quotes", "percents", "dollars"),
    *("vocabulary", "word_length", "longest_word", "rarity", "rarest", "five_rarest", "unknown"),
    *("numbers", "different_numbers", "largest_number", "fractions"),
    *("asks", "gap", "which", "how_many", "all_above", "none_above", "statements"),
    *("number", "ratio", "comparison", "condition", "negation", "function", "person"),
)
"""What :func:`shape` gives, in order; the last seven are the lists of the file."""

_QUESTION_END = re.compile(r"\n\(?A[.)]")
_OPTION = re.compile(r"\n\(?[A-H][.)] ?(.*)")
_FIGURES = re.compile(r"[\s.,%$\d/:-]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_DIGIT = re.compile(r"\d")
_SIGN = re.compile(r"[-+*/=^()\[\]{}<>\\|&~_∃∀⊃∨·]")  # noqa: RUF001  # logic is written so
_CAPITAL = re.compile(r"[A-Z]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")


def shape(text: str, words: Sequence[str], rarity: Sequence[float], *, rarest: float) -> list[float]:
    """The numbers of ``NAMES``. ``words`` are the text's, in lower case, ``rarity`` is the log of one over the share
    of texts that has each *different* one of them, ``rarest`` that of one never seen before."""
    end = _QUESTION_END.search(text)
    question = text[: end.start()] if end else text
    sentences = len(_SENTENCE.findall(question)) or 1
    log = math.log1p
    count = len(words) or 1
    return [
        *(
            log(len(text)),
            log(len(question)),
            log(count),
            log(sentences),
            log(count / sentences),
            log(text.count("\n")),
        ),
        *_options(text),
        *_characters(text),
        *_vocabulary(words, rarity, rarest),
        *_numbers(text),
        *_phrases(question.rstrip(), text.lower()),
        *_lists(words),
    ]


def _options(text: str) -> tuple[float, ...]:
    options = _OPTION.findall(text)
    if not options:
        return 0.0, 0.0, 0.0, 0.0
    lengths = [len(option) for option in options]
    mean = sum(lengths) / len(lengths)
    spread = math.sqrt(sum((length - mean) ** 2 for length in lengths) / len(lengths))
    figures = sum(bool(_FIGURES.fullmatch(option)) for option in options)
    return math.log1p(len(options)), math.log1p(mean), math.log1p(spread), float(figures)


def _characters(text: str) -> tuple[float, ...]:
    length = len(text) or 1
    shares = (len(kind.findall(text)) / length for kind in (_DIGIT, _SIGN, _CAPITAL, _FOREIGN))
    quotes = text.count('"') + text.count("“")
    return *shares, *(math.log1p(n) for n in (text.count(","), quotes, text.count("%"), text.count("$")))


def _vocabulary(words: Sequence[str], rarity: Sequence[float], rarest: float) -> tuple[float, ...]:
    if not words or not rarity:
        return (0.0,) * 7
    lengths = [len(word) for word in words]
    highest = sorted(rarity)[-5:]
    return (
        len(rarity) / len(words),
        sum(lengths) / len(words),
        float(max(lengths)),
        sum(rarity) / len(rarity),
        highest[-1],
        sum(highest) / len(highest),
        sum(value >= rarest for value in rarity) / len(rarity),
    )


def _numbers(text: str) -> tuple[float, ...]:
    found = _NUMBER.findall(text)
    # beyond 15 digits the length alone is known; int() of a hostile run of digits would take long
    sizes = [float(number.replace(",", "").partition(".")[0][:15] or 0) for number in found]
    whole = not any("." in number for number in found)
    return math.log1p(len(found)), math.log1p(len(set(found))), math.log1p(max(sizes, default=0.0)), float(not whole)


def _phrases(question: str, lower: str) -> tuple[float, ...]:
    low = lower[: len(question)]
    return (
        float(question.endswith("?")),
        float(question.endswith(":") or "___" in question),
        float(low.startswith("which")),
        math.log1p(low.count("how many") + low.count("how much")),
        float("all of the above" in lower),
        float("none of" in lower),
        float("statement 1" in lower or "\ni." in lower),
    )


def _lists(words: Sequence[str]) -> list[float]:
    places = kinds()
    counts = Counter(map(places.get, words))
    return [math.log1p(counts[place]) for place in range(len(NAMES) - 7, len(NAMES))]


@functools.cache
def kinds() -> Mapping[str, int]:
    """The place in ``NAMES`` of the list that a word is on."""
    lists = tomllib.loads(resources.files(__package__).joinpath("shape.toml").read_text("utf-8"))
    pairs = itertools.chain.from_iterable(((word, NAMES.index(name)) for word in of) for name, of in lists.items())
    return dict(pairs)
