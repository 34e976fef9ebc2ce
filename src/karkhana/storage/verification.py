"""Finds what was done to a trail. Knows nothing of what events mean, but that ``changed`` names file contents.

The chain is walked backwards from the head that stands in the run's own row: an event's true place is where its hash
is linked from, whatever its ``seq`` says now.
"""

import enum
import hashlib
import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.json import canonical
from karkhana.storage.appender import Row
from karkhana.storage.packing import blob_names
from karkhana.storage.tables import GENESIS, blobs, events

_PAGE = 100


class ProblemKind(enum.StrEnum):
    """What can be wrong."""

    ALTERED = "altered"
    REMOVED = "removed"
    REORDERED = "reordered"
    INSERTED = "inserted"
    TRUNCATED = "truncated"
    HEAD = "head"
    """The run's own row does not fit its events."""
    BLOB_ALTERED = "blob_altered"
    BLOB_MISSING = "blob_missing"


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    kind: ProblemKind
    seq: int
    """The event's place (of a range, the first); for a blob, of the first event that names it."""
    message: str


def digest(row: Row) -> str:
    """The hash that ``row`` must have, from its other columns; empty for what cannot have been recorded."""
    try:
        return chained(row.previous_hash, (row.run_id, row.seq, row.at, row.type), row.payload.encode())
    except UnicodeEncodeError:
        return ""


def chained(previous_hash: str, place: tuple[str, int, str, str], payload: bytes) -> str:
    """The hash of an event; ``place``: run, seq, time and type, ``payload``: the event as canonical JSON."""
    return hashlib.sha256(b"%s%s,%s]" % (previous_hash.encode(), canonical(place)[:-1], payload)).hexdigest()


def stored_rows(connection: sa.Connection, run_id: str) -> list[Row]:
    """The events of a run by ``seq``, whatever bytes they hold now."""
    texts = [events.c.at, events.c.type, events.c.payload, events.c.previous_hash, events.c.hash]
    columns: list[sa.ColumnElement[Any]] = [events.c.seq, *texts]
    if connection.dialect.name == "sqlite":
        # a flipped byte may not be UTF-8 any more, and the driver would refuse to read the row as text
        columns = [sa.cast(column, sa.LargeBinary).label(column.name) for column in columns]
    query = sa.select(*columns).where(events.c.run_id == run_id).order_by(events.c.seq)
    rows = []
    for found in connection.execute(query):
        seq, *fields = (_text(value) for value in found)
        rows.append(Row(run_id, int(seq) if seq.isdecimal() else -1, *fields))
    return rows


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def verify_chain(rows: Sequence[Row], head_seq: int, head_hash: str) -> list[Problem]:
    """Compare the events of a run with the head of its trail."""
    newest = next((row for row in rows if row.hash == head_hash), None)
    if newest is not None and newest.seq != head_seq and digest(newest) == head_hash:
        # the event's own place is part of its hash, so it is the head that is wrong
        miscounted = Problem(
            ProblemKind.HEAD, head_seq, f"the run's own row counts {head_seq} events, not {newest.seq}"
        )
        return [miscounted, *verify_chain(rows, newest.seq, head_hash)]
    places = _places(rows, head_seq, head_hash)
    problems = [p for index, row in enumerate(rows) if (p := _judge(row, places.get(index))) is not None]
    at = {place: rows[index] for index, place in places.items()}
    wrong = {problem.seq for problem in problems}
    problems += [p for p in _broken_links(at) if p.seq not in wrong and p.seq + 1 not in wrong]
    problems += _gaps(at, head_seq)
    if not problems:
        problems += _head(at, head_seq, head_hash)
    return sorted(problems, key=lambda problem: (problem.seq, problem.kind))


def _places(rows: Sequence[Row], head_seq: int, head_hash: str) -> dict[int, int]:
    """Index of each row that belongs to the chain → its true place."""
    by_hash: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_hash.setdefault(row.hash, []).append(index)
    places: dict[int, int] = {}
    place, wanted = head_seq, head_hash
    while place > 0 and (found := by_hash.pop(wanted, None)):
        index = next((i for i in found if rows[i].seq == place), found[0])
        places[index] = place
        place, wanted = place - 1, rows[index].previous_hash
    taken = set(places.values())
    for index, row in enumerate(rows):
        if index not in places and 0 < row.seq <= head_seq and row.seq not in taken:
            places[index] = row.seq
            taken.add(row.seq)
    return places


def _judge(row: Row, place: int | None) -> Problem | None:
    if place is None:
        return Problem(ProblemKind.INSERTED, row.seq, f"event {row.seq} ({row.type}) was inserted")
    if digest(msgspec.structs.replace(row, seq=place)) != row.hash:
        return Problem(ProblemKind.ALTERED, place, f"event {place} ({row.type}) was altered")
    if row.seq != place:
        return Problem(
            ProblemKind.REORDERED, place, f"event {place} ({row.type}) was moved: it now stands at {row.seq}"
        )
    return None


def _broken_links(at: Mapping[int, Row]) -> Iterator[Problem]:
    for place, row in at.items():
        following = at.get(place + 1)
        if following is not None and following.previous_hash != row.hash:
            yield Problem(
                ProblemKind.ALTERED, place, f"event {place} ({row.type}) was rewritten: event {place + 1} names another"
            )
    if 1 in at and at[1].previous_hash != GENESIS:
        yield Problem(ProblemKind.ALTERED, 1, f"event 1 ({at[1].type}) is not the beginning of a trail")


def _gaps(at: Mapping[int, Row], head_seq: int) -> Iterator[Problem]:
    known = sorted(at)
    for before, after in itertools.pairwise([0, *known]):
        if after > before + 1:
            yield Problem(ProblemKind.REMOVED, before + 1, f"{_range(before + 1, after - 1)} removed")
    last = known[-1] if known else 0
    if last < head_seq:
        yield Problem(ProblemKind.TRUNCATED, last + 1, f"{_range(last + 1, head_seq)} cut off at the end")


def _range(first: int, last: int) -> str:
    return f"event {first} was" if first == last else f"events {first} to {last} were"


def _head(at: Mapping[int, Row], head_seq: int, head_hash: str) -> Iterator[Problem]:
    newest = at[head_seq].hash if head_seq in at else GENESIS
    if newest != head_hash:
        yield Problem(ProblemKind.HEAD, head_seq, f"the run's own row names another hash than event {head_seq} has")


def verify_blobs(connection: sa.Connection, rows: Sequence[Row]) -> list[Problem]:
    """Check the content of every blob that the events refer to; what retention removed is known by its hash alone."""
    first: dict[str, int] = {}
    for row in rows:
        for name in references(row.payload):
            first.setdefault(name, row.seq)
    problems = []
    names = list(first)
    for start in range(0, len(names), _PAGE):
        page = names[start : start + _PAGE]
        query = sa.select(blobs.c.sha256, blobs.c.size, blobs.c.data, blobs.c.pruned_at).where(blobs.c.sha256.in_(page))
        stored = {found.sha256: found for found in connection.execute(query)}
        for name in page:
            if name not in stored:
                problems.append(_blob_problem(ProblemKind.BLOB_MISSING, name, first[name], "is missing"))
            elif stored[name].pruned_at is None and not _intact(name, stored[name].size, stored[name].data):
                problems.append(_blob_problem(ProblemKind.BLOB_ALTERED, name, first[name], "was altered"))
    return problems


def references(payload: str) -> Iterator[str]:
    """The names of the blobs that an event refers to: its large values, and contents of files that it tells of."""
    if '"$blob"' not in payload and '"changed":[{' not in payload:
        return
    try:
        data = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # the chain has already named it
        return
    yield from blob_names(data)
    changed = data.get("changed") if isinstance(data, dict) else None
    for change in changed if isinstance(changed, list) else ():
        for side in ("before", "after"):
            state = change.get(side) if isinstance(change, dict) else None
            if isinstance(state, dict) and isinstance(state.get("sha256"), str):
                yield state["sha256"]


def _intact(name: str, size: int, data: bytes) -> bool:
    try:
        content = zlib.decompress(data)
    except (zlib.error, TypeError):
        return False
    return len(content) == size and hashlib.sha256(content).hexdigest() == name


def _blob_problem(kind: ProblemKind, name: str, seq: int, what: str) -> Problem:
    return Problem(kind, seq, f"blob {name} {what}; event {seq} refers to it")
