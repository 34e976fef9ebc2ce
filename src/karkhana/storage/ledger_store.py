"""The ledger's rows, many at a time: one transaction opens and closes entries and moves the balances of budgets.

Statements are ready-made and take many rows at once, since they are on the way of every model call. Knows nothing of
what a budget allows: its caller decides between :meth:`LedgerTransaction.balances`, which locks them until the end,
and :meth:`LedgerTransaction.set_balances`.
"""

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
from msgspec.structs import astuple

from karkhana.storage.database import Database, connect_sqlite
from karkhana.storage.failures import explained

_MOST_ROWS = 64
"""Rows that a statement takes on SQLite. Each number of rows is a statement of its own, which the driver keeps."""


class OpenEntry(msgspec.Struct):
    """A call that is about to be made. Amounts in trillionths of a dollar; ``None``: the price is not known."""

    entry: int
    writer: int
    at: float
    day: str
    key_id: str
    team: str
    task_id: str
    provider: str
    model: str
    prices: str
    reserved: int | None
    state: str = "open"
    attempt: str = ""
    """What the provider was told as the name of the request."""


class ClosedEntry(msgspec.Struct):
    """What came of it, with the tokens of each kind."""

    entry: int
    state: str
    cost: int | None
    settled_at: float
    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_long: int | None = None
    output: int | None = None
    reasoning: int | None = None


class BudgetRow(NamedTuple):
    budget: int
    scope: str
    period: str
    soft: int | None
    hard: int | None


class BalanceRow(NamedTuple):
    budget: int
    start: str
    spent: int
    reserved: int


class LostEntry(NamedTuple):
    """An entry of a writer that is gone, closed with what was reserved for it."""

    entry: int
    day: str
    key_id: str
    team: str
    task_id: str
    reserved: int | None


_OPEN = f"INSERT INTO ledger_entries ({', '.join(OpenEntry.__struct_fields__)}) "
_OPEN_TYPES = ("BIGINT", "BIGINT", "DOUBLE PRECISION", *["TEXT"] * 7, "BIGINT", "TEXT", "TEXT")
_CLOSE = "UPDATE ledger_entries SET " + ", ".join(  # noqa: S608 - names of our own
    f"{name} = v.column{number}" for number, name in enumerate(ClosedEntry.__struct_fields__, 1) if number > 1
)
_CLOSED_TYPES = ("BIGINT", "TEXT", "BIGINT", "DOUBLE PRECISION", *["BIGINT"] * 6)
_BEGIN_SQLITE = "BEGIN IMMEDIATE"
_BEGIN_POSTGRES = "BEGIN; LOCK TABLE ledger_entries IN ROW EXCLUSIVE MODE"
"""A new budget adds up the entries there are: it must wait for those that are on their way."""
_BALANCE_TYPES = ("BIGINT", "TEXT", "BIGINT", "BIGINT")


class _Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...
    def fetchall(self) -> list[Any]: ...


class _Connection(Protocol):
    def execute(self, query: Any, params: Any = ..., /) -> _Cursor: ...
    def close(self) -> None: ...


class LedgerStore:
    """Writes through a connection of its own. For one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._postgres = database.kind == "postgresql"
        self._connection: Any = None
        self._process = 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator["LedgerTransaction"]:
        """Committed when the body ends, rolled back when it raises. No other writer's comes in between on SQLite; on
        PostgreSQL none that takes one of the same balances.
        """
        with explained(self._database.where):
            connection = self._connected()
            try:
                connection.execute(_BEGIN_POSTGRES if self._postgres else _BEGIN_SQLITE)
                yield LedgerTransaction(connection, self._postgres)
                connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def close(self) -> None:
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
        self._connection = None

    def _roll_back(self) -> None:
        try:
            self._connection.rollback()
        except Exception:
            # whatever is wrong with this connection, the error that is on its way says more, and a new one may work
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _connected(self) -> Any:
        # a connection must not be used on the other side of a fork
        if self._connection is None or self._process != os.getpid():
            self._connection, self._process = self._connect(), os.getpid()
        return self._connection

    def _connect(self) -> Any:
        address = self._database.engine.url
        if not self._postgres:
            return connect_sqlite(str(address.database))
        # the driver takes 0.1 s to import, which only its users pay
        import psycopg

        text = address.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(text, autocommit=True, connect_timeout=10)


class LedgerTransaction:
    """What can be done within :meth:`LedgerStore.transaction`. Entries are closed before balances are locked, by
    everybody, so that nobody waits for one who waits for him.
    """

    def __init__(self, connection: _Connection, postgres: bool) -> None:
        self._connection = connection
        self._postgres = postgres
        self._wrote = False
        """Whether there is anything that taking the transaction back would undo."""

    def new_writer(self, now: float) -> int:
        """A number that no other writer has or had."""
        rows = self._run("INSERT INTO ledger_writers (seen_at) VALUES (?) RETURNING writer", (now,))
        return int(rows[0][0])

    def seen(self, writer: int, now: float) -> None:
        """The writer is alive."""
        self._do("UPDATE ledger_writers SET seen_at = ? WHERE writer = ?", (now, writer))

    def budgets(self, scopes: Iterable[str]) -> list[BudgetRow]:
        """Budgets of these scopes as they are now."""
        found: list[BudgetRow] = []
        for listed, values in self._listed(("TEXT",), [(scope,) for scope in sorted(scopes)]):
            query = f"SELECT budget, scope, period, soft, hard FROM budgets WHERE scope IN ({listed})"  # noqa: S608 - placeholders
            found += map(BudgetRow._make, self._run(query, values))
        return found

    def balances(self, wanted: Iterable[tuple[int, str]]) -> list[BalanceRow]:
        """Balances of budgets and the starts of their periods, made if need be, locked until the end."""
        rows = sorted(wanted)
        found = self._balances(rows)
        if len(found) < len(rows):
            missing = [BalanceRow(budget, start, 0, 0) for budget, start in rows]
            for listed, values in self._listed(_BALANCE_TYPES, missing):
                # "WHERE true": SQLite would take ON for a join
                query = f"INSERT INTO budget_balances (budget, start, spent, reserved) SELECT * FROM ({listed}) AS v"  # noqa: S608 - placeholders
                self._do(query + " WHERE true ON CONFLICT DO NOTHING", values)
            found = self._balances(rows)
        return found

    def _balances(self, rows: Sequence[tuple[int, str]]) -> list[BalanceRow]:
        found: list[BalanceRow] = []
        for listed, values in self._listed(("BIGINT", "TEXT"), rows):
            query = f"SELECT budget, start, spent, reserved FROM budget_balances WHERE (budget, start) IN ({listed})"  # noqa: S608 - placeholders
            query += " ORDER BY budget, start" + (" FOR UPDATE" if self._postgres else "")
            found += map(BalanceRow._make, self._run(query, values))
        return found

    def set_balances(self, rows: Sequence[BalanceRow]) -> None:
        for listed, values in self._listed(_BALANCE_TYPES, rows):
            query = f"UPDATE budget_balances SET spent = v.column3, reserved = v.column4 FROM ({listed}) AS v"  # noqa: S608 - placeholders
            self._do(query + " WHERE budget = v.column1 AND start = v.column2", values)

    def open(self, rows: Sequence[OpenEntry]) -> None:
        for listed, values in self._listed(_OPEN_TYPES, [astuple(row) for row in rows]):
            self._do(_OPEN + listed, values)

    def close(self, rows: Sequence[ClosedEntry], state: Literal["open", "unknown"] = "open") -> set[int]:
        """Close those that are in ``state``; which they were."""
        if not (self._postgres or self._wrote):
            # Nearly always it is all of them, and being told of each would give the interpreter away once for each.
            if self._closed(rows, state) == len(rows):
                return {row.entry for row in rows}
            self._connection.execute("ROLLBACK")
            self._connection.execute(_BEGIN_SQLITE)
        closed: set[int] = set()
        for listed, values in self._listed(_CLOSED_TYPES, [astuple(row) for row in rows]):
            # not a parameter: SQLite would prepare the statement anew for each value, since an index depends on it
            query = f"{_CLOSE} FROM ({listed}) AS v WHERE entry = v.column1 AND state = '{state}' RETURNING entry"
            closed.update(row[0] for row in self._run(query, values))
        return closed

    def _closed(self, rows: Sequence[ClosedEntry], state: str) -> int:
        count = 0
        for listed, values in self._listed(_CLOSED_TYPES, [astuple(row) for row in rows]):
            count += self._do(
                f"{_CLOSE} FROM ({listed}) AS v WHERE entry = v.column1 AND state = '{state}'", values
            ).rowcount
        return count

    def charge_lost(self, before: float, now: float, limit: int = 1000) -> list[LostEntry]:
        """Close entries that writers left open who were last seen before ``before``, each with what was reserved."""
        # one recovery at a time on PostgreSQL: entries that another one holds are left to it
        skip = " FOR UPDATE SKIP LOCKED" if self._postgres else ""
        query = (
            "UPDATE ledger_entries SET state = 'unknown', cost = reserved, settled_at = ? WHERE entry IN"
            " (SELECT entry FROM ledger_entries WHERE state = 'open' AND writer IN"
            " (SELECT writer FROM ledger_writers WHERE seen_at < ?) ORDER BY entry LIMIT ?"
        )
        query += skip + ") RETURNING entry, day, key_id, team, task_id, reserved"
        return [LostEntry._make(row) for row in self._run(query, (now, before, limit))]

    def _listed(self, types: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Sequence[Any]]]:
        """Rows as a query whose columns are named column1, column2 and so on, with its values."""
        if not self._postgres:
            for chunk in _chunks(rows):
                yield _values(types, len(chunk)), [value for row in chunk for value in row]
        elif rows:
            # one value, since its driver takes more than a microsecond for each
            yield _elements(types), (msgspec.json.encode(rows).decode(),)

    def _run(self, query: str, values: Sequence[Any]) -> list[Any]:
        return self._do(query, values).fetchall()

    def _do(self, query: str, values: Sequence[Any]) -> _Cursor:
        self._wrote = True
        return self._connection.execute(query.replace("?", "%s") if self._postgres else query, values)


@functools.cache
def _values(types: tuple[str, ...], rows: int) -> str:
    # The columns that they go to have their types, and SQLite needs no other.
    row = ", ".join("?" for _ in types)
    return "VALUES " + ", ".join([f"({row})"] * rows)


@functools.cache
def _elements(types: tuple[str, ...]) -> str:
    columns = ", ".join(f"CAST(r->>{n} AS {kind}) AS column{n + 1}" for n, kind in enumerate(types))
    return f"SELECT {columns} FROM json_array_elements(CAST(? AS json)) AS r"  # noqa: S608 - types of our own


def _chunks(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), _MOST_ROWS):
        yield rows[start : start + _MOST_ROWS]
