"""Copies SQLite databases while others write to them: all of them as they stood at one moment.

Writers wait for that moment (milliseconds), so that no database is ahead of another; the copying itself reads from
snapshots that writers do not disturb. Source: https://www.sqlite.org/backup.html, https://www.sqlite.org/wal.html.

>>> # copy_databases([home / "engine.sqlite3", home / "karkhana.sqlite3"], Path("/backup"))
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from karkhana.domain.errors import DatabaseUnavailable, InvalidInput
from karkhana.storage.database import BUSY_S
from karkhana.storage.failures import explained

PAGES = 16_384
"""Pages between two reports of progress."""
Progress = Callable[[str], None]


def copy_databases(sources: Sequence[Path], folder: Path, progress: Progress = lambda _line: None) -> None:
    """Copy ``sources`` into ``folder`` under their own names, each as one file without a log beside it.

    Raises ``DatabaseUnavailable`` or, when a writer does not let go, ``InfrastructureFailure``.
    """
    with contextlib.ExitStack() as stack:
        readers = []
        with contextlib.ExitStack() as still:
            for source in sources:
                stopping = still.enter_context(_opened(source))
                with explained(str(source)):
                    stopping.execute("BEGIN IMMEDIATE")
            for source in sources:
                reader = stack.enter_context(_opened(source))
                with explained(str(source)):
                    reader.execute("BEGIN")
                    # only reading something takes the snapshot
                    reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
                readers.append(reader)
        for source, reader in zip(sources, readers, strict=True):
            with explained(str(source)):
                _copy(reader, folder / source.name, progress)


def check_whole(file: Path) -> None:
    """Raises ``DatabaseUnavailable`` when SQLite finds the file damaged."""
    with explained(str(file)), _opened(file) as connection:
        said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if said != "ok":
        raise DatabaseUnavailable(f"{file.name} is damaged: {said}", "use another backup")


def claim_alone(file: Path) -> None:
    """Make ``file`` one file without a log beside it. Raises ``InvalidInput`` when another process has it open."""
    with explained(str(file)), _opened(file, timeout_s=0.0) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorcode & 0xFF) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise InvalidInput(f"{file} is in use", "Stop its workers and its dashboard first.") from error


def _copy(reader: sqlite3.Connection, target: Path, progress: Progress) -> None:
    def tell(_status: int, remaining: int, total: int) -> None:
        progress(f"{target.name}: {total - remaining} of {total} pages")

    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writer:
        reader.backup(writer, pages=PAGES, progress=tell)
        # the copy says of itself that it has a log beside it, as its source has
        writer.execute("PRAGMA journal_mode=DELETE").fetchone()


@contextlib.contextmanager
def _opened(path: Path, timeout_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
    with explained(str(path)):
        uri = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None)
    try:
        yield connection
    finally:
        # ends the transaction, too
        connection.close()
