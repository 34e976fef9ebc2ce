"""``karkhana backup``: everything that cannot be made again, as it stood at one moment, in one file.

Of SQLite the trail's and the engine's databases at the same moment, while workers write; of PostgreSQL one dump of
both. Caches, checkouts and environments are made again when they are missed. The key that opens stored secrets is
not in it: without the key they stay sealed, wherever the backup lies.

>>> # back_up(settings, Path("/backup"), progress=print).file
"""

import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from karkhana import __version__
from karkhana.domain.errors import InvalidInput
from karkhana.domain.settings import Settings
from karkhana.factory.archive import FORMAT, Manifest, described, write_archive
from karkhana.factory.engine_dbos import APPLICATION_VERSION
from karkhana.storage import backup_postgres
from karkhana.storage.backup_sqlite import copy_databases
from karkhana.storage.contents import Contents, contents
from karkhana.storage.database import FILE_NAME, sqlite_file

ENGINE = "engine.sqlite3"
"""The durable engine's database, when it is SQLite."""
DUMP = "database.dump"
KEPT = ("score.json", "prices.json", "strategies")
"""Of the home folder: what outcomes taught, prices of one's own, and strategies. All else is made again."""
Progress = Callable[[str], None]


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    file: str
    bytes: int
    sha256: str
    manifest: Manifest


def back_up(settings: Settings, target: Path, progress: Progress = lambda _line: None) -> BackedUp:
    """Write a backup to ``target``, or into it under a name with the time when it is a folder.

    Raises ``InvalidInput`` when there is nothing to back up or the place cannot be written, ``DatabaseUnavailable``.
    """
    now = datetime.now(UTC)
    if target.is_dir():
        target /= f"karkhana-{now:%Y%m%dT%H%M%SZ}.tar.gz"
    if not target.parent.is_dir():
        raise InvalidInput(f"there is no folder {target.parent}", "Make it first.")
    with _staging(target) as name:
        folder = Path(name)
        kind, server, found = _databases(settings, folder, progress)
        _files(settings.home, folder)
        members = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        manifest = Manifest(
            format=FORMAT,
            made_at=now.isoformat(timespec="seconds"),
            version=__version__,
            line=APPLICATION_VERSION,
            kind=kind,
            server=server,
            contents=found,
            members=described(folder, members),
        )
        progress(f"writing {target}")
        write_archive(target, manifest, folder)
    (written,) = described(target.parent, [target.name])
    return BackedUp(file=str(target), bytes=written.size, sha256=written.sha256, manifest=manifest)


def _staging(target: Path) -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent)
    except OSError as error:
        raise InvalidInput(f"{target.parent} cannot be written: {error.strerror}", "Choose another place.") from error


def _databases(settings: Settings, folder: Path, progress: Progress) -> tuple[str, str, Contents]:
    file = sqlite_file(settings.database_url, settings.home)
    if file is None:
        assert settings.database_url is not None
        return _dumped(settings.database_url, folder, progress)
    if not file.is_file():
        raise InvalidInput(f"there is no database {file}", "Nothing was kept yet; check KARKHANA_HOME.")
    engine = settings.home / ENGINE
    copy_databases([*([engine] if engine.is_file() else []), file], folder, progress)
    copied = (folder / file.name).replace(folder / FILE_NAME)
    connecting = sa.create_engine(f"sqlite:///{copied}", poolclass=sa.NullPool)
    with connecting.connect() as connection:
        found = contents(connection)
    _refuse_foreign(found, str(file))
    return "sqlite", sqlite3.sqlite_version, found


def _dumped(url: str, folder: Path, progress: Progress) -> tuple[str, str, Contents]:
    seen: list[tuple[str, Contents]] = []
    progress("dumping the database")
    backup_postgres.dump(
        url, folder / DUMP, lambda connection: seen.append((backup_postgres.version(connection), contents(connection)))
    )
    server, found = seen[0]
    _refuse_foreign(found, sa.make_url(url).render_as_string(hide_password=True))
    return "postgresql", server, found


def _refuse_foreign(found: Contents, where: str) -> None:
    if not found.schema:
        raise InvalidInput(f"{where} is no database of Karkhana", "Check KARKHANA_HOME and KARKHANA_DATABASE_URL.")


def _files(home: Path, folder: Path) -> None:
    for name in KEPT:
        for source in [home / name, *(home / name).rglob("*")]:
            if source.is_file() and not source.is_symlink():
                target = folder / source.relative_to(home)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
