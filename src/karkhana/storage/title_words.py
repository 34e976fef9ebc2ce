"""The words of titles, so that a task is found by the beginnings of some of them without reading every title.

A table of (word, task) pairs in the order of words, the same on both databases, whose extensions for this differ.
Knows nothing of runs.

>>> words_of("Fix test_total() at  checkout")
['at', 'checkout', 'fix', 'test', 'test_total', 'total']
>>> fits(["test", "c"], "Fix test_total() at checkout"), fits(["otal"], "total")
(True, False)
"""

import re
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from karkhana.storage.tables import task_words, tasks
from karkhana.storage.upserting import upsert

LONGEST = 40
"""Characters of a word that count."""
MOST = 48
"""Words of a title."""
ASKED = 6
"""Words of a question that count."""
SHORTEST = 3
"""Characters that a word needs to be looked up: most titles have one that begins with a given letter or two."""
RARE = 1000
"""Titles that are read one by one to see whether they have the other words too."""
NEWEST = 1000
"""Tasks that are looked at when all words are common, or too short."""
_WORD = re.compile(r"\w+")


def words_of(title: str) -> list[str]:
    """Its words in lower case, and the parts of those that underscores hold together; sorted, each once."""
    whole = [word[:LONGEST] for word in _WORD.findall(title.casefold())]
    parts = [part for word in whole if "_" in word for part in word.split("_") if part]
    return sorted(dict.fromkeys([*whole, *parts][:MOST]))


def asked(text: str) -> list[str]:
    """The words that somebody looks for."""
    return list(dict.fromkeys(word[:LONGEST] for word in _WORD.findall(text.casefold())))[:ASKED]


def fits(words: Iterable[str], title: str) -> bool:
    """Whether each of ``words`` is the beginning of a word of the title."""
    known = words_of(title)
    return all(any(each.startswith(word) for each in known) for word in words)


def store_words(connection: sa.Connection, ordinal: int, title: str) -> None:
    """Have the task of this number found by its title."""
    rows = [{"word": word, "ordinal": ordinal} for word in words_of(title)]
    if rows:
        # another task may have had the number, and be gone
        connection.execute(upsert(connection, task_words).on_conflict_do_nothing(), rows)


def candidates(connection: sa.Connection, words: Sequence[str]) -> list[int]:
    """Numbers of tasks, the newest first, among which are those that fit ``words``: see :func:`fits`.

    When all of the words are common or short, the newest :data:`NEWEST` that may fit.
    """
    counted = sorted((_count(connection, word), word) for word in words if len(word) >= SHORTEST)
    if not counted:
        newest = sa.select(tasks.c.ordinal).order_by(tasks.c.ordinal.desc()).limit(NEWEST if words else 0)
        return [row.ordinal for row in connection.execute(newest)]
    if counted[0][0] <= RARE:
        query = _having(counted[0][1]).order_by(task_words.c.ordinal.desc())
        return list(dict.fromkeys(row.ordinal for row in connection.execute(query)))
    every: sa.CompoundSelect[tuple[int]] | sa.Select[tuple[int]] = _having(counted[0][1]).distinct()
    if len(counted) > 1:
        every = sa.intersect(*(_having(word) for _, word in counted))
    found = every.subquery()
    return list(connection.execute(sa.select(found.c.ordinal).order_by(found.c.ordinal.desc()).limit(NEWEST)).scalars())


def _having(word: str) -> sa.Select[tuple[int]]:
    like = task_words.c.word >= word, task_words.c.word < word + "\U0010ffff"
    return sa.select(task_words.c.ordinal).where(*like)


def _count(connection: sa.Connection, word: str) -> int:
    some = _having(word).limit(RARE + 1).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())
