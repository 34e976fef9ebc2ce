"""Turns what the database drivers say into the errors that a user is shown.

A fault that mending the machine would cure is ``DatabaseUnavailable``; one that a retry may cure is
``InfrastructureFailure``; anything else is a bug and keeps its own traceback.
"""

import contextlib
import sqlite3
from collections.abc import Iterator

import sqlalchemy.exc

from karkhana.domain.errors import DatabaseUnavailable, InfrastructureFailure, KarkhanaError

_DISK = ("the disk that holds {where} is full or failing", "free some space, or set KARKHANA_HOME to another disk")
_READ_ONLY = ("{where} cannot be written", "check the owner and the mode of the file and its folder")
_DAMAGED = ("{where} is not a Karkhana database, or is damaged", "move it away, or restore it from a backup")
_SQLITE = {
    sqlite3.SQLITE_FULL: _DISK,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: ("{where} cannot be opened", "check that the folder exists and is yours"),
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
}
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SERVER = "check the server, and KARKHANA_DATABASE_URL"
_POSTGRES = {
    "53": ("the server of {where} has run out of resources: {said}", "free some space or memory on the server"),
    "28": ("{where} refuses the user or password", "check KARKHANA_DATABASE_URL"),
    "3D": ("{where} does not exist", "create it: createdb NAME"),
    "42501": ("the user may not write to {where}", "grant it CREATE on the schema and all rights on the tables"),
    "25006": ("{where} is read-only", "use the primary server"),
}
"""By SQLSTATE or its class (PostgreSQL manual, appendix A)."""
_PASSING = ("40", "55P03", "57", "08")


@contextlib.contextmanager
def explained(where: str, *, opening: bool = False) -> Iterator[None]:
    """Translate driver errors that rise from the body; ``where`` names the database without its password."""
    try:
        yield
    except Exception as error:  # only to pass on what is no driver's error as it is
        told = explanation(error, where, opening=opening)
        if told is error:
            raise
        raise told from error


def explanation(error: Exception, where: str, *, opening: bool = False) -> Exception:
    """What a user is shown of ``error``; itself when it is no error of a driver, or a bug."""
    if isinstance(error, sqlalchemy.exc.DBAPIError | sqlite3.Error):
        return _explain(error, where, opening)
    # psycopg is only imported when its databases are used; its errors are known by their SQLSTATE
    return _explain(error, where, opening) if hasattr(error, "sqlstate") else error


def _explain(error: Exception, where: str, opening: bool) -> Exception:
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig is not None else error
    known: KarkhanaError | None
    if isinstance(cause, sqlite3.Error):
        known = _explain_sqlite(cause, where)
    else:
        known = _explain_postgres(cause, where, opening)
    return known or error


def _explain_sqlite(cause: sqlite3.Error, where: str) -> KarkhanaError | None:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return InfrastructureFailure(f"{where} is locked by another process", "try again")
    if code in _SQLITE:
        message, step = _SQLITE[code]
        return DatabaseUnavailable(message.format(where=where), step)
    return None


def _explain_postgres(cause: BaseException, where: str, opening: bool) -> KarkhanaError | None:
    state = getattr(cause, "sqlstate", None)
    said = (str(cause).strip().splitlines() or [""])[0]
    if state is None:
        lost = type(cause).__name__ in ("OperationalError", "ConnectionTimeout", "InterfaceError")
        if not lost:
            return None
        if opening:
            return DatabaseUnavailable(f"cannot connect to {where}: {said}", _SERVER)
        return InfrastructureFailure(f"the connection to {where} was lost: {said}", _SERVER)
    for prefix, (message, step) in _POSTGRES.items():
        if state.startswith(prefix):
            return DatabaseUnavailable(message.format(where=where, said=said), step)
    if state.startswith(_PASSING):
        return InfrastructureFailure(f"{where}: {said}", _SERVER)
    return None
