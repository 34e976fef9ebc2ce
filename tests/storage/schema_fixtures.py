"""Databases as earlier versions made them, with rows in every table; and what became of the rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from storage_support import ORDER

import karkhana.storage
from karkhana.domain.json import canonical
from karkhana.storage.database import connect_sqlite

Rows = dict[str, list[dict[str, Any]]]
STATED: dict[tuple[str, str], tuple[Any, ...]] = {
    ("tasks", "priority"): (10, 1),
    ("tasks", "type"): ("bugfix", "feature"),
    ("tasks", "status"): ("queued", "delivered"),
    ("tasks", "order_json"): (canonical(ORDER).decode(), canonical(ORDER).decode()),
    ("runs", "status"): ("waiting_for_review", "delivered"),
    ("audit_head", "chain"): (1,),
    ("ledger_entries", "state"): ("open", "settled"),
}
"""Values that a check, or the code of a migration, asks for; as many as the table may have rows."""


def configured(connection: sa.Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(karkhana.storage.__file__).parent / "migrations"))
    return config


def versions() -> list[str]:
    """Every schema that there ever was, the first one first."""
    found = ScriptDirectory.from_config(configured()).walk_revisions()
    return sorted(str(script.revision) for script in found)


def engine_of(url: str) -> sa.Engine:
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        return sa.create_engine(url, creator=lambda: connect_sqlite(path), poolclass=sa.NullPool)
    return sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sa.NullPool)


def migrate_to(url: str, version: str) -> None:
    """What the version that made this schema would have made."""
    with engine_of(url).connect() as connection, connection.begin():
        command.upgrade(configured(connection), version)


def reflected(connection: sa.Connection) -> list[sa.Table]:
    found = sa.MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def fill(url: str) -> Rows:
    """Put two rows into every empty table, and return all rows of all tables."""
    with engine_of(url).connect() as connection, connection.begin():
        for table in reflected(connection):
            if connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0:
                limits = [len(STATED[table.name, c.name]) for c in table.columns if (table.name, c.name) in STATED]
                for number in range(min([2, *limits])):
                    connection.execute(table.insert().values(dict(_row(connection, table, number))))
    return rows(url)


def rows(url: str) -> Rows:
    """All rows of all tables, in an order of their own."""
    with engine_of(url).connect() as connection, connection.begin():
        return {
            table.name: sorted(
                (dict(row) for row in connection.execute(sa.select(table)).mappings()),
                key=lambda row: [str(value) for value in row.values()],
            )
            for table in reflected(connection)
        }


def lost(before: Rows, after: Rows) -> list[str]:
    """What is no longer there, or not as it was; columns and tables may have come."""
    problems = []
    for name, old in before.items():
        new = [{column: row.get(column) for column in old[0]} for row in after.get(name, [])] if old else []
        problems += [f"{name}: {row}" for row in old if row not in new]
    return problems


def _row(connection: sa.Connection, table: sa.Table, number: int) -> Iterator[tuple[str, Any]]:
    referring = 0
    for column in table.columns:
        if (table.name, column.name) in STATED:
            yield column.name, STATED[table.name, column.name][number]
        elif column.foreign_keys:
            target = next(iter(column.foreign_keys)).column
            known = sorted(connection.execute(sa.select(target)).scalars())
            # of two references to the same table, the second goes to the other row: none may be to itself
            yield column.name, known[(number + referring) % len(known)]
            referring += 1
        else:
            yield column.name, _value(column, table.name, number)


def _value(column: sa.Column[Any], table: str, number: int) -> Any:
    kind = column.type.python_type
    if kind is bool:
        return bool(number)
    if kind is bytes:
        return b"\x00\xff" + bytes([number])
    if kind is float:
        return 1_778_574_600.25 + number
    if kind is int:
        return 2**40 + number if isinstance(column.type, sa.BigInteger) else number + 1
    return f'{{"{table}": {number}, "text": "caf\u00e9 \u0939"}}'
