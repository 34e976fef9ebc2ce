"""Reads a dump of PostgreSQL within a transaction of ours, which psql would commit before anybody could look at it.

``pg_restore`` writes the dump as a script: statements, and below each ``COPY … FROM stdin;`` the rows of a table up to
a line of ``\\.``. Its version 15.14 and later ones put ``\\restrict`` around that, which is meant for psql. Knows
nothing of what is read. Source: PostgreSQL manual, COPY (text format) and pg_dump.

>>> # run_script(connection, process.stdout)
"""

from collections.abc import Iterator
from typing import IO, Any

import psycopg

from karkhana.domain.errors import DatabaseUnavailable

_END = b"\\.\n"
_BLOCK = 1 << 16
"""Bytes of rows that are sent together."""


class CutOff(Exception):
    """The script ends in the middle of a table."""


def run_script(connection: psycopg.Connection[Any], script: IO[bytes]) -> None:
    """Run what ``pg_restore`` writes.

    Raises :class:`CutOff`, or ``DatabaseUnavailable`` for what the server refuses.
    """
    try:
        with connection.cursor() as cursor:
            _run(cursor, script)
            # what the script set for itself: names without their schema would not be found
            cursor.execute("RESET ALL")
            # the server looks at new tables only when they are committed, and plans badly until then
            cursor.execute("ANALYZE")
    except psycopg.Error as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DatabaseUnavailable(
            f"the dump cannot be restored: {said}", "check the server, KARKHANA_DATABASE_URL and its rights"
        ) from error


def _run(cursor: psycopg.Cursor[Any], script: IO[bytes]) -> None:
    statements: list[bytes] = []
    for line in script:
        copies = line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n")
        if copies:
            cursor.execute(b"".join(statements))
            statements.clear()
            with cursor.copy(line) as copy:
                for rows in _rows(script):
                    copy.write(rows)
        elif not line.startswith(b"\\"):
            statements.append(line)
    cursor.execute(b"".join(statements))


def _rows(script: IO[bytes]) -> Iterator[bytes]:
    rows: list[bytes] = []
    size = 0
    for row in iter(script.readline, _END):
        if not row.endswith(b"\n"):
            raise CutOff
        rows.append(row)
        size += len(row)
        if size >= _BLOCK:
            yield b"".join(rows)
            rows.clear()
            size = 0
    yield b"".join(rows)
