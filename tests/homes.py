"""Homes as a first run leaves them, for tests that are about what comes after.

Migrating two databases and compiling the instruments of sandboxes takes more than a second of CPU, so one home is made
per test process, and copied.
"""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from karkhana.factory.engine_dbos import DbosRuntime
from karkhana.storage.database import open_database
from karkhana.workspace.instruments import Instruments


def ready_home(home: Path) -> Path:
    """Make ``home``, with both databases, without a row, and the instruments."""
    home.mkdir(mode=0o700)
    for file in _template().glob("*.sqlite3"):
        shutil.copy(file, home)
    shutil.copytree(_template() / "instruments", home / "instruments", copy_function=_link)
    return home


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="karkhana-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = folder / "home"
    open_database(None, home).close()
    Instruments(home).folder()
    DbosRuntime(home=home, database_url=None, executor="nobody", body=lambda _run, _token: {}).close()
    return home


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
