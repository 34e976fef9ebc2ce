"""The trail: an append-only, hash-chained log of what happened in each run.

An event's hash is SHA-256(previous hash + canonical JSON of [run_id, seq, at, type, event]); the newest hash stands
in the run's own row. The append, that head and the check of the lease are one transaction. Everything is redacted
before it is stored; large values lie in a content-addressed store beside the log. Knows nothing of what events mean.

>>> # log = EventLog(database, Redactor({})); log.trail(run_id).record(Noted(text="hello"))
"""

import hashlib
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import AnyEvent, Entry
from karkhana.domain.json import canonical
from karkhana.storage.appender import Appender, Row
from karkhana.storage.appending import appender
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.packing import pack, plain_json, unpack
from karkhana.storage.redaction import Redactor
from karkhana.storage.runs import lease_lost, unknown_run
from karkhana.storage.tables import blobs, events, runs
from karkhana.storage.verification import Problem, chained, stored_rows, verify_blobs, verify_chain

_KNOWN_BLOBS = 4096
_KNOWN_S = 6 * 3600.0
"""Seconds after which content is stored again that was stored before: retention may have removed it meanwhile."""
_PAGE = 500


class Stored(NamedTuple):
    """An event as it lies in the log."""

    run_id: str
    seq: int
    at: str
    type: str
    payload: str
    """Canonical JSON; large values are named only."""


class Blob(msgspec.Struct, frozen=True):
    """Stored content; ``redacted`` when a secret was taken out of it, so it is not what it was."""

    content: bytes
    redacted: bool


class EventLog:
    """The trails of all runs of a database."""

    def __init__(self, database: Database, redactor: Redactor, clock: Clock = utc_now) -> None:
        self._database = database
        self._store = ContentStore(appender(database), redactor, clock)
        self._clock = clock
        database.at_close(self.close)

    def trail(self, run_id: str, epoch: int | None = None) -> "RunTrail":
        """Where the events of ``run_id`` go. With ``epoch``, only as long as that lease holds."""
        return RunTrail(self._store, self._clock, run_id, epoch)

    def redacted(self, text: str) -> str:
        """``text`` as the trail would store it."""
        return self._store.redactor.text(text)

    def entries(self, run_id: str, after: int = 0, *, kinds: Collection[str] = ()) -> Iterator[Entry]:
        """The events with a ``seq`` above ``after``, in order; only of these ``kinds`` (tags), if any.

        Raises ``UnknownRun``, or ``InvalidInput`` for an event that this version cannot read.
        """
        for row in self._each(run_id, after, kinds):
            yield self._entry(row)

    def across(self, run_ids: Sequence[str], kinds: Collection[str]) -> Iterator[Entry]:
        """The events of these ``kinds`` of many runs, of each in order: one look at the log for hundreds of them."""
        for start in range(0, len(run_ids), _PAGE):
            some = run_ids[start : start + _PAGE]
            query = sa.select(events).where(events.c.run_id.in_(some), events.c.type.in_(kinds))
            with self._database.reading() as connection:
                rows = connection.execute(query.order_by(events.c.run_id, events.c.seq)).all()
            yield from map(self._entry, rows)

    def stored(self, run_id: str, after: int = 0, *, bare: Collection[str] = ()) -> Iterator[Stored]:
        """As :meth:`entries`, but as they lie there; of the types in ``bare`` nothing but that they are there."""
        columns: list[Any] = [events.c.seq, events.c.at, events.c.type, events.c.payload]
        if bare:
            columns[-1] = sa.case((events.c.type.in_(sorted(bare)), ""), else_=events.c.payload).label("payload")
        for row in self._each(run_id, after, columns=columns):
            yield Stored(run_id, row.seq, row.at, row.type, row.payload)

    def at(self, run_id: str, seqs: Collection[int]) -> list[Entry]:
        """The events with these numbers, in order."""
        query = sa.select(events).where(events.c.run_id == run_id, events.c.seq.in_(sorted(seqs)))
        with self._database.reading() as connection:
            rows = list(connection.execute(query.order_by(events.c.seq)))
        return [self._entry(row) for row in rows]

    def _value(self, sha256: str) -> bytes:
        """A large value of an event; of one that retention removed only that it was there."""
        with self._database.reading() as connection:
            pruned = sa.select(blobs.c.size).where(blobs.c.sha256 == sha256, blobs.c.pruned_at.is_not(None))
            size = connection.execute(pruned).scalar()
        return self.blob(sha256) if size is None else f"({size} bytes, removed; SHA-256 {sha256})".encode()

    def event(self, row: Stored | sa.Row[Any]) -> AnyEvent:
        """The event in a stored row. Raises ``InvalidInput`` for one that this version cannot read."""
        try:
            if '"$' not in row.payload:
                return _decoder.decode(row.payload)
            data = unpack(msgspec.json.decode(row.payload), self._value)
            return msgspec.convert(data, AnyEvent, str_keys=True)  # type: ignore[no-any-return]
        except msgspec.DecodeError as error:
            raise InvalidInput(
                f"event {row.seq} of {row.run_id} cannot be read: {error}", "see: karkhana runs verify RUN"
            ) from error

    def blob(self, sha256: str) -> bytes:
        """Content by its name. Raises ``InvalidInput`` when it is not there."""
        return self.stored_blob(sha256).content

    def stored_blob(self, sha256: str) -> Blob:
        """The same, and whether it was redacted."""
        with self._database.reading() as connection:
            query = sa.select(blobs.c.data, blobs.c.redacted, blobs.c.pruned_at).where(blobs.c.sha256 == sha256)
            row = connection.execute(query).one_or_none()
        if row is None:
            raise InvalidInput(f"blob {sha256} is not in the store", "see what is damaged: karkhana runs verify RUN")
        if row.pruned_at is not None:
            day = datetime.fromtimestamp(row.pruned_at, UTC).date()
            raise InvalidInput(f"blob {sha256} was removed on {day}, as old as it was", "see: [retention] payload_days")
        try:
            return Blob(zlib.decompress(row.data), row.redacted)
        except zlib.error as error:
            raise InvalidInput(f"blob {sha256} is damaged", "see: karkhana runs verify RUN") from error

    def verify(self, run_id: str) -> list[Problem]:
        """Everything that is wrong with the run's trail; empty when it is as it was written.

        Names each altered, removed, reordered, inserted or truncated event and each altered or missing blob.
        Raises ``UnknownRun``.
        """
        with self._database.reading() as connection:
            query = sa.select(runs.c.trail_seq, runs.c.trail_hash).where(runs.c.run_id == run_id)
            head = connection.execute(query).one_or_none()
            if head is None:
                raise unknown_run(run_id)
            rows = stored_rows(connection, run_id)
            return verify_chain(rows, head.trail_seq, head.trail_hash) + verify_blobs(connection, rows)

    def head(self, run_id: str) -> tuple[int, str]:
        """The seq and the hash of the newest event: noted elsewhere, they show a cut-off end. Raises ``UnknownRun``."""
        head = self._store.appender.head(run_id)
        if head is None:
            raise unknown_run(run_id)
        return head.seq, head.hash

    def close(self) -> None:
        self._store.appender.close()

    def _each(
        self, run_id: str, after: int, kinds: Collection[str] = (), columns: Sequence[Any] = (events,)
    ) -> Iterator[sa.Row[Any]]:
        page = self._rows(run_id, after, kinds, columns)
        if not page:
            self._require(run_id)
        while page:
            yield from page
            # what is appended from now on belongs to the next look
            page = self._rows(run_id, page[-1].seq, kinds, columns) if len(page) == _PAGE else []

    def _require(self, run_id: str) -> None:
        with self._database.reading() as connection:
            if connection.execute(sa.select(runs.c.run_id).where(runs.c.run_id == run_id)).scalar() is None:
                raise unknown_run(run_id)

    def _rows(self, run_id: str, after: int, kinds: Collection[str], columns: Sequence[Any]) -> list[sa.Row[Any]]:
        query = sa.select(*columns).where(events.c.run_id == run_id, events.c.seq > after)
        if kinds:
            query = query.where(events.c.type.in_(kinds))
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(events.c.seq).limit(_PAGE)))

    def _entry(self, row: sa.Row[Any]) -> Entry:
        return Entry(
            run_id=row.run_id,
            seq=row.seq,
            at=row.at,
            type=row.type,
            event=self.event(row),
            previous_hash=row.previous_hash,
            hash=row.hash,
        )


_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class ContentStore:
    """Content by its SHA-256, redacted; remembers what it has stored, so keeping it again is nearly free."""

    def __init__(self, appender: Appender, redactor: Redactor, clock: Clock) -> None:
        self.appender = appender
        self.redactor = redactor
        self._clock = clock
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._renamed: dict[str, str] = {}
        self._lock = threading.Lock()
        self._since = time.monotonic()

    def keep(self, content: bytes) -> str:
        """Store ``content`` redacted; its name is the hash of what was stored."""
        plain = hashlib.sha256(content)
        with self._lock:
            if time.monotonic() - self._since > _KNOWN_S:
                self._since = time.monotonic()
                self._known.clear()
            known = self._known.get(plain.digest())
        if known is not None:
            return known
        clean = self.redactor.data(content)
        redacted = clean != content
        name = hashlib.sha256(clean).hexdigest() if redacted else plain.hexdigest()
        # level 1: a third of the time of the default for a tenth more space
        self.appender.keep(name, len(clean), redacted, zlib.compress(clean, 1), self._clock().timestamp())
        with self._lock:
            if redacted:
                self._renamed[plain.hexdigest()] = name
            self._known[plain.digest()] = name
            if len(self._known) > _KNOWN_BLOBS:
                self._known.popitem(last=False)
        return name

    def rename(self, payload: bytes) -> bytes:
        """Replace the hash of content that held a secret by the name that it is stored under.

        Else the hash would be lost, and a way to check guesses of the secret.
        """
        for original, name in list(self._renamed.items()):
            payload = payload.replace(original.encode(), name.encode())
        return payload


class RunTrail:
    """The trail of one run (:class:`karkhana.ports.Trail`). Thread-safe."""

    def __init__(self, store: ContentStore, clock: Clock, run_id: str, epoch: int | None) -> None:
        self._store = store
        self._clock = clock
        self._run_id = run_id
        self._epoch = epoch
        self._lock = threading.Lock()
        self._seq = -1
        self._hash = ""

    def record(self, event: AnyEvent) -> None:
        """Store one event durably before returning. Raises ``LeaseLost`` or ``UnknownRun``."""
        payload = self._payload(event)
        kind = str(event.__struct_config__.tag)
        with self._lock:
            if self._seq < 0:
                self._look_up()
            while not self._append(kind, payload):
                self._look_up()

    def keep(self, content: bytes) -> str:
        """Store ``content`` by its SHA-256 (hex), redacted like everything else, and return that."""
        return self._store.keep(content)

    def _append(self, kind: str, payload: bytes) -> bool:
        seq, at = self._seq + 1, timestamp(self._clock())
        newest = chained(self._hash, (self._run_id, seq, at, kind), payload)
        row = Row(self._run_id, seq, at, kind, payload.decode(), self._hash, newest)
        if not self._store.appender.append(row, self._epoch):
            return False
        self._seq, self._hash = seq, newest
        return True

    def _look_up(self) -> None:
        """Someone else appended (an approval, say), or the lease is lost."""
        head = self._store.appender.head(self._run_id)
        if head is None:
            raise unknown_run(self._run_id)
        if self._epoch is not None and head.epoch != self._epoch:
            raise lease_lost(self._run_id, self._epoch)
        self._seq, self._hash = head.seq, head.hash

    def _payload(self, event: AnyEvent) -> bytes:
        store = self._store
        data = msgspec.to_builtins(event, builtin_types=(bytes,), str_keys=True)
        payload = plain_json(data)
        if payload is None:
            payload = canonical(pack(data, store.keep, store.redactor.data))
        if store.redactor.suspects(payload):
            payload = canonical(pack(store.redactor.nested(data), store.keep, store.redactor.data))
        return store.rename(payload)


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds.

    >>> timestamp(datetime(2026, 5, 12, 8, 30, tzinfo=UTC))
    '2026-05-12T08:30:00.000000Z'
    """
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
