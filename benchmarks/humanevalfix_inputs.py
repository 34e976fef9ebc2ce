"""Fresh inputs like given ones: same types, same shape, same range of values. Used only to judge repairs.

A precondition that a documentation states in words ("positive", "sorted letters", "of equal length") cannot be read by
a program, so what every example has in common is kept: signs, the letters in use, whether anything is empty, and
that two arguments are equally long.
"""

import copy
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

Arguments = tuple[Any, ...]


class Habits:
    """What the examples of one argument (at any depth) have in common."""

    def __init__(self, values: Sequence[Any]) -> None:
        plain = [v for value in values for v in _walk(value)]
        self.integers = [v for v in plain if type(v) is int]
        self.floats = [v for v in plain if type(v) is float]
        self.letters = sorted({c for v in plain if isinstance(v, str) for c in v})
        self.words = sorted({v for v in plain if isinstance(v, str)})
        self.empty_text = "" in self.words
        self.empty_list = any(isinstance(v, list | tuple | dict) and not v for v in plain)
        self.others = [v for v in plain if v is None or isinstance(v, bool)]


def _walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, list | tuple | set):
        for part in value:
            yield from _walk(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _walk(key)
            yield from _walk(part)


def fresh_inputs(examples: Sequence[Arguments], random: Random) -> Iterator[Arguments]:
    """Endlessly many inputs: an example with some of its values replaced."""
    habits = [Habits([e[n] for e in examples if n < len(e)]) for n in range(max(map(len, examples)))]
    locked = all(len({len(v) for v in e if isinstance(v, list | str | tuple)}) < 2 for e in examples)
    while True:
        example = copy.deepcopy(random.choice(examples))
        keep = locked and sum(isinstance(v, list | str | tuple) for v in example) > 1
        rate = random.choice((0.2, 0.5, 1.0))
        yield tuple(
            _vary(value, habit, random, rate, resize=not keep) for value, habit in zip(example, habits, strict=False)
        )


def _vary(value: Any, habits: Habits, random: Random, rate: float, *, resize: bool) -> Any:
    if isinstance(value, list | tuple):
        items = [_vary(v, habits, random, rate, resize=resize) for v in value]
        if resize and random.random() < rate:
            _resize(items, habits, random)
        return type(value)(items)
    if isinstance(value, dict):
        return {
            _vary(k, habits, random, rate, resize=True): _vary(v, habits, random, rate, resize=True)
            for k, v in value.items()
            if random.random() < 0.9 or len(value) == 1
        }
    if random.random() > rate:
        return value
    return _plain(value, habits, random, resize=resize)


def _resize(items: list[Any], habits: Habits, random: Random) -> None:
    kind = random.randrange(4)
    if not items:
        return
    if kind == 0 and (len(items) > 1 or habits.empty_list):
        items.pop(random.randrange(len(items)))
    elif kind == 1:
        items.insert(random.randrange(len(items) + 1), copy.deepcopy(random.choice(items)))
    elif kind == 2:
        random.shuffle(items)
    elif habits.empty_list and random.random() < 0.2:
        items.clear()


def _plain(value: Any, habits: Habits, random: Random, *, resize: bool) -> Any:
    if type(value) is int:
        low, high = min(habits.integers), max(habits.integers)
        if random.random() < 0.5:
            return max(low, value + random.randint(-3, 3))
        return random.randint(low, min(high + 3, low + 4 * max(abs(value), 8)))
    if type(value) is float:
        low_, high_ = min(habits.floats), max(habits.floats)
        places = len(repr(value).partition(".")[2])
        return round(random.uniform(low_, high_ + 1.0), min(places, 3))
    if isinstance(value, str):
        return _text(value, habits, random, resize=resize)
    if value is None or isinstance(value, bool):
        return random.choice(habits.others)
    return value


def _text(value: str, habits: Habits, random: Random, *, resize: bool) -> str:
    letters = list(value)
    if not letters or not habits.letters:
        return value if not habits.words else random.choice(habits.words)
    for _ in range(random.choice((1, 1, 2, len(letters)))):
        kind = random.randrange(5 if resize else 2)
        if not letters:
            break
        place = random.randrange(len(letters))
        if kind == 0:
            letters[place] = random.choice(_like(letters[place], habits.letters))
        elif kind == 1:
            other = random.randrange(len(letters))
            letters[place], letters[other] = letters[other], letters[place]
        elif kind == 2 and (len(letters) > 1 or habits.empty_text):
            letters.pop(place)
        elif kind == 3:
            letters.insert(place, random.choice(_like(letters[place], habits.letters)))
        elif kind == 4 and len(letters) < 40:
            letters[place:place] = letters[place : place + random.randint(1, 4)]
    return "".join(letters)


def _like(letter: str, letters: list[str]) -> list[str]:
    """Letters of the same kind: digits for digits, letters for letters, the rest for the rest."""
    kinds = (str.isdigit, str.islower, str.isupper)
    kind = next((k for k in kinds if k(letter)), None)
    if kind is None:
        found = [c for c in letters if not c.isalnum()]
    elif kind is str.isdigit:
        found = [c for c in letters if c.isdigit()]
    else:
        found = [c for c in letters if c.isalpha()]
    return found or letters
