"""``karkhana restore``: a backup becomes the factory's home and database, once everything in it was seen to be whole.

The file's hashes, the database's structure, and the hash chains of every run and of the audit are checked; an older
schema is brought to today's, a newer one is refused. For SQLite that is done beside the home, which is touched last;
what was there is moved into a folder, not removed. On PostgreSQL the dump is read in one transaction, within which all
that is checked.

>>> # restore(settings, Path("karkhana.tar.gz"), force=False, progress=print).damaged
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import DatabaseUnavailable, InvalidInput
from karkhana.domain.settings import Settings
from karkhana.factory.archive import Manifest, read_archive, sync
from karkhana.factory.backup import DUMP, ENGINE, KEPT
from karkhana.storage import backup_postgres
from karkhana.storage.audit import Audit
from karkhana.storage.backup_sqlite import check_whole, claim_alone
from karkhana.storage.contents import Contents, contents
from karkhana.storage.database import FILE_NAME, Database, open_database, sqlite_file
from karkhana.storage.event_log import EventLog
from karkhana.storage.redaction import Redactor
from karkhana.storage.tables import SCHEMA_VERSION, runs

Progress = Callable[[str], None]
AUDIT = "audit"
"""Stands for the audit where runs are named."""
_EVERY = 1000
"""Runs between two reports of progress."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored."""

    home: str
    manifest: Manifest
    contents: Contents
    """As it is now, in today's schema."""
    damaged: dict[str, list[str]]
    """Run, or ``audit`` → what is wrong with its chain; it was so when the backup was made."""
    replaced: str = ""
    """The folder that holds what was there before."""


def restore(
    settings: Settings,
    source: Path,
    *,
    force: bool = False,
    accept_damage: bool = False,
    progress: Progress = lambda _line: None,
) -> Restored:
    """Restore ``source``. ``force``: in place of what is there; ``accept_damage``: with trails that do not verify.

    Raises ``InvalidInput`` for a file that is no whole backup, a place that is not empty or is in use, a newer
    schema, another kind of database, or damaged trails; and ``DatabaseUnavailable``.
    """
    if not source.is_file():
        raise InvalidInput(f"there is no file {source}", "Name a file that karkhana backup wrote.")
    home, file = settings.home, sqlite_file(settings.database_url, settings.home)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    there = _there(home, file)
    if there and not force:
        raise InvalidInput(f"{home} is not empty: it has {there[0].name}", "Use another KARKHANA_HOME, or --force.")
    with tempfile.TemporaryDirectory(prefix="restoring-", dir=home) as name:
        folder = Path(name)
        progress(f"reading {source}")
        manifest = read_archive(source, folder)
        _refuse(manifest, "postgresql" if file is None else "sqlite")
        place = _Place(home, folder, manifest, tuple(there), accept_damage, progress)
        if file is not None:
            return place.with_file(file)
        assert settings.database_url is not None
        return place.with_server(settings.database_url, replace=force)


@dataclass(frozen=True)
class _Place:
    """Where a backup that was unpacked into ``folder`` goes."""

    home: Path
    folder: Path
    manifest: Manifest
    there: tuple[Path, ...]
    """What is in the way."""
    accept_damage: bool
    progress: Progress

    def with_file(self, file: Path) -> Restored:
        """Look at everything in the folder, then put it in its place."""
        staged = self.folder / FILE_NAME
        for name in (FILE_NAME, ENGINE):
            if (self.folder / name).exists():
                self.progress(f"checking {name}")
                check_whole(self.folder / name)
        with open_database(f"sqlite:///{staged}", self.folder) as database:
            found, damaged = self._looked_at(database)
        claim_alone(staged)
        for old in self.there:
            if old in (file, self.home / ENGINE):
                claim_alone(old)
        replaced = self._aside()
        staged.replace(file)
        self._move(ENGINE, *KEPT)
        return self._told(found, damaged, replaced)

    def with_server(self, url: str, *, replace: bool) -> Restored:
        """Have the server read the dump, and look at it there before it counts."""
        self.progress("restoring the database")
        dump = self.folder / DUMP
        found, damaged = backup_postgres.restore(url, dump, self._looked_at, replace=replace)
        replaced = self._aside()
        self._move(*KEPT)
        return self._told(found, damaged, replaced)

    def _looked_at(self, database: Database) -> tuple[Contents, dict[str, list[str]]]:
        """What there is, and which trails are damaged. Raises ``InvalidInput`` when that is not accepted."""
        found, damaged = _checked(database, self.manifest), _damaged(database, self.progress)
        if damaged and not self.accept_damage:
            run_id, problems = next(iter(damaged.items()))
            raise InvalidInput(
                f"{len(damaged)} trails in the backup do not verify, the first: {run_id}: {problems[0]}",
                "Use another backup, or restore it as it is with --accept-damage.",
            )
        return found, damaged

    def _aside(self) -> str:
        if not self.there:
            return ""
        replaced = self.home / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        replaced.mkdir(mode=0o700)
        for path in self.there:
            path.replace(replaced / path.name)
        return str(replaced)

    def _move(self, *names: str) -> None:
        for name in names:
            if (self.folder / name).exists():
                (self.folder / name).replace(self.home / name)
        sync(self.home)

    def _told(self, found: Contents, damaged: dict[str, list[str]], replaced: str) -> Restored:
        return Restored(home=str(self.home), manifest=self.manifest, contents=found, damaged=damaged, replaced=replaced)


def _there(home: Path, file: Path | None) -> list[Path]:
    names = [home / ENGINE, *([file] if file is not None else []), *(home / name for name in KEPT)]
    return [path for path in names if path.exists()]


def _refuse(manifest: Manifest, kind: str) -> None:
    if manifest.contents.schema > SCHEMA_VERSION:
        raise InvalidInput(
            f"the backup was made by a newer version of Karkhana ({manifest.version}, schema "
            f"{manifest.contents.schema}; known here: {SCHEMA_VERSION})",
            "Upgrade Karkhana first.",
        )
    if manifest.kind != kind:
        step = "Set KARKHANA_DATABASE_URL to an empty database." if kind == "sqlite" else "Unset KARKHANA_DATABASE_URL."
        raise InvalidInput(f"the backup is of {manifest.kind}, and this factory uses {kind}", step)


def _checked(database: Database, manifest: Manifest) -> Contents:
    with database.reading() as connection:
        found = contents(connection)
    if msgspec.structs.replace(found, schema=manifest.contents.schema) != manifest.contents:
        raise DatabaseUnavailable(
            f"the backup holds other rows than it says: {found} instead of {manifest.contents}", "Use another backup."
        )
    return found


def _damaged(database: Database, progress: Progress) -> dict[str, list[str]]:
    log = EventLog(database, Redactor({}))
    damaged = {}
    for number, run_id in enumerate(_runs(database), 1):
        if problems := log.verify(run_id):
            damaged[run_id] = [problem.message for problem in problems]
        if number % _EVERY == 0:
            progress(f"{number} trails verified")
    if problem := Audit(database, Redactor({})).verify():
        damaged[AUDIT] = [problem.message]
    return damaged


def _runs(database: Database) -> Iterator[str]:
    after = ""
    query = sa.select(runs.c.run_id).order_by(runs.c.run_id).limit(_EVERY)
    while True:
        with database.reading() as connection:
            page = list(connection.execute(query.where(runs.c.run_id > after)).scalars())
        if not page:
            return
        yield from page
        after = page[-1]
