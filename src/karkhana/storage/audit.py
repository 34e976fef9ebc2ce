"""The audit: who did what, when, and what came of it; append-only and hash-chained, one chain for the whole factory.

An entry's hash is SHA-256(previous hash + canonical JSON of all its columns), and the newest one stands in a row of its
own, so that an end that is cut off shows too. Texts are redacted and bounded before they are stored. A run's own trail
(:mod:`karkhana.storage.event_log`) tells what the factory did; the audit tells what people and programs asked of it.
Knows nothing of what actions mean.

>>> # stores.audit.record(principal, action="run.cancel", target=run_id, product="shop", details={"why": "too slow"})
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from karkhana.domain.access import Principal
from karkhana.domain.json import canonical
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.event_log import timestamp
from karkhana.storage.redaction import Redactor
from karkhana.storage.tables import GENESIS, audit_entries, audit_head
from karkhana.storage.verification import Problem, ProblemKind

LONGEST = 500
"""Characters of a name, an action or a target."""
LONGEST_DETAIL = 4000
"""Characters of one text of the details."""
_PAGE = 1000
# made once: to make them for each entry takes longer than to carry them out
_HEAD = sa.select(audit_head.c.seq, audit_head.c.hash).with_for_update()
_ENTER = sa.insert(audit_entries)
_MOVE = sa.update(audit_head)
_TEXTS = ("at", "actor", "via", "token_id", "action", "target", "product", "outcome", "details")


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did, or was refused."""

    seq: int
    """From 1 on, without gaps."""
    at: str
    """RFC 3339 in UTC with microseconds."""
    actor: str
    via: str
    """How they were recognised: ``link``, ``session``, ``token``, ``terminal``, ``door``."""
    token_id: str
    action: str
    """What: ``run.cancel``, ``session.begin``; a noun and a verb."""
    target: str
    """Which: an identifier; may be empty."""
    product: str
    """Empty: of no product."""
    outcome: str
    """``done``, ``refused`` or ``failed``."""
    details: dict[str, Any]
    previous_hash: str
    hash: str


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries; what is empty does not restrict."""

    actor: str = ""
    action: str = ""
    """Exactly, or all of a noun with ``run.*``."""
    target: str = ""
    product: str = ""
    outcome: str = ""
    words: str = ""
    """Anywhere in the actor, action, target or details."""
    since: str = ""
    until: str = ""
    """Times as in :attr:`AuditEntry.at`; ``until`` itself is left out."""
    visible: tuple[bool, frozenset[str]] = (True, frozenset())
    """Of which products, as :meth:`Principal.products` says: all but these, or these only."""


_ALL = AuditFilter()


class Audit:
    """All entries of a database."""

    def __init__(self, database: Database, redactor: Redactor, clock: Clock = utc_now) -> None:
        self._database = database
        self._redactor = redactor
        self._clock = clock

    def record(
        self,
        principal: Principal,
        *,
        action: str,
        target: str = "",
        product: str = "",
        outcome: str = "done",
        details: Mapping[str, object] | None = None,
    ) -> int:
        """Store one entry durably before returning; its number."""
        with self._database.writing() as connection:
            return self.record_within(
                connection,
                principal,
                action=action,
                target=target,
                product=product,
                outcome=outcome,
                details=details,
            )

    def record_within(
        self,
        connection: sa.Connection,
        principal: Principal,
        *,
        action: str,
        target: str = "",
        product: str = "",
        outcome: str = "done",
        details: Mapping[str, object] | None = None,
    ) -> int:
        """The same as a part of a transaction of the caller's, which must have the right to write."""
        head = connection.execute(_HEAD).one()
        texts = {
            "at": timestamp(self._clock()),
            "actor": principal.name,
            "via": principal.via,
            "token_id": principal.token_id,
            "action": action,
            "target": target,
            "product": product,
            "outcome": outcome,
        }
        row = {name: self._text(text, LONGEST) for name, text in texts.items()}
        row["details"] = canonical(self._nested(dict(details or {}))).decode()
        newest = _chained(head.hash, head.seq + 1, row)
        connection.execute(_ENTER, {"seq": head.seq + 1, "previous_hash": head.hash, "hash": newest, **row})
        connection.execute(_MOVE, {"seq": head.seq + 1, "hash": newest})
        return int(head.seq) + 1

    def entries(
        self, chosen: AuditFilter = _ALL, *, before: int = 0, after: int = 0, limit: int = 50
    ) -> list[AuditEntry]:
        """The newest first; below the number ``before`` and above ``after``, where these are not 0."""
        query = sa.select(audit_entries).where(*_conditions(chosen))
        if before:
            query = query.where(audit_entries.c.seq < before)
        if after:
            query = query.where(audit_entries.c.seq > after)
        with self._database.reading() as connection:
            return [_entry(row) for row in connection.execute(query.order_by(audit_entries.c.seq.desc()).limit(limit))]

    def exported(self, chosen: AuditFilter = _ALL) -> Iterator[AuditEntry]:
        """All that are chosen, the oldest first; read page by page."""
        last = 0
        query = sa.select(audit_entries).where(*_conditions(chosen)).order_by(audit_entries.c.seq).limit(_PAGE)
        while True:
            with self._database.reading() as connection:
                page = [_entry(row) for row in connection.execute(query.where(audit_entries.c.seq > last))]
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1].seq

    def head(self) -> tuple[int, str]:
        """The number and the hash of the newest entry: noted elsewhere, they show a chain that was made anew."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(audit_head.c.seq, audit_head.c.hash)).one()
        return int(row.seq), str(row.hash)

    def verify(self) -> Problem | None:
        """The first thing that is wrong, with the number of its entry; ``None`` when all is as it was written."""
        previous, last = GENESIS, 0
        with self._database.reading() as connection:
            head = connection.execute(sa.select(audit_head.c.seq, audit_head.c.hash)).one_or_none()
            if head is None:
                return Problem(ProblemKind.HEAD, 0, "the row that names the newest entry was removed")
            while page := _stored(connection, last):
                for row in page:
                    problem = _judge(row, last + 1, previous, head.seq)
                    if problem is not None:
                        return problem
                    previous, last = row["hash"], row["seq"]
        if last < head.seq:
            return Problem(ProblemKind.TRUNCATED, last + 1, f"the entries from {last + 1} to {head.seq} were cut off")
        if previous != head.hash:
            return Problem(ProblemKind.HEAD, last, f"the newest entry is {last}, and another hash was noted for it")
        return None

    def _text(self, text: str, longest: int) -> str:
        # PostgreSQL has no NUL in texts, and what is no UTF-8 could not be hashed
        clean = self._redactor.text(text).encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
        return clean if len(clean) <= longest else clean[: longest - 1] + "…"

    def _nested(self, value: object) -> Any:
        if isinstance(value, Mapping):
            return {self._text(str(key), LONGEST): self._nested(each) for key, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._nested(each) for each in value]
        if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
            return value
        return self._text(str(value), LONGEST_DETAIL)


def _chained(previous: str, seq: int, row: Mapping[str, str]) -> str:
    """The hash that an entry must have."""
    told = canonical([previous, seq, *(row[name] for name in _TEXTS)])
    return hashlib.sha256(told).hexdigest()


def _stored(connection: sa.Connection, after: int) -> list[dict[str, Any]]:
    """A page of entries, whatever bytes they hold now."""
    texts = [audit_entries.c[name] for name in (*_TEXTS, "previous_hash", "hash")]
    columns: list[sa.ColumnElement[Any]] = [*texts]
    if connection.dialect.name == "sqlite":
        # a flipped byte may not be UTF-8 any more, and the driver would refuse to read the row as text
        columns = [sa.cast(column, sa.LargeBinary).label(column.name) for column in columns]
    query = sa.select(audit_entries.c.seq, *columns).where(audit_entries.c.seq > after)
    found = connection.execute(query.order_by(audit_entries.c.seq).limit(_PAGE)).mappings()
    return [{name: _plain(value) for name, value in row.items()} for row in found]


def _plain(value: object) -> object:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _judge(row: Mapping[str, Any], seq: int, previous: str, newest: int) -> Problem | None:
    if row["seq"] > newest:
        return Problem(ProblemKind.INSERTED, row["seq"], f"entry {row['seq']} was inserted behind the newest")
    if row["seq"] != seq:
        return Problem(ProblemKind.REMOVED, seq, f"entry {seq} was removed")
    try:
        expected = _chained(row["previous_hash"], seq, row)
    except UnicodeEncodeError:
        expected = ""
    if expected != row["hash"]:
        return Problem(ProblemKind.ALTERED, seq, f"entry {seq} ({row['action']}) was altered")
    if row["previous_hash"] != previous:
        return Problem(ProblemKind.ALTERED, seq, f"entry {seq} does not follow the one before it")
    return None


def _conditions(chosen: AuditFilter) -> Iterator[sa.ColumnElement[bool]]:
    table = audit_entries.c
    for name in ("actor", "target", "product", "outcome"):
        if wanted := getattr(chosen, name):
            yield table[name] == wanted
    if chosen.action.endswith(".*"):
        # as a range, which the index serves: "/" follows "." in ASCII
        yield (table.action >= chosen.action[:-1]) & (table.action < chosen.action[:-2] + "/")
    elif chosen.action:
        yield table.action == chosen.action
    if chosen.words:
        yield sa.or_(
            *(table[name].icontains(chosen.words, autoescape=True) for name in ("actor", "action", "target", "details"))
        )
    if chosen.since:
        yield table.at >= chosen.since
    if chosen.until:
        yield table.at < chosen.until
    everywhere, named = chosen.visible
    if not everywhere:
        yield table.product.in_(sorted(named))
    elif named:
        yield table.product.not_in(sorted(named))


def _entry(row: sa.Row[Any]) -> AuditEntry:
    fields = {name: getattr(row, name) for name in AuditEntry.__struct_fields__}
    return AuditEntry(**{**fields, "details": msgspec.json.decode(row.details)})
