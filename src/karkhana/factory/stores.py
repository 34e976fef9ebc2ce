"""Everything that is kept, opened together: for commands that look, and below the whole factory.

Importing this module is cheap: neither the engine nor the rooms come with it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from karkhana.domain.settings import Settings
from karkhana.factory.configuration import load_settings, secrets_key
from karkhana.storage.audit import Audit
from karkhana.storage.database import Database, open_database
from karkhana.storage.event_log import EventLog
from karkhana.storage.messages import MessageStore
from karkhana.storage.redaction import Redactor, secret_values
from karkhana.storage.runs import RunStore
from karkhana.storage.sealed import SealedSecrets
from karkhana.storage.session_store import SessionStore
from karkhana.storage.tasks import TaskStore
from karkhana.storage.token_store import TokenStore


@dataclass(frozen=True)
class Stores:
    """Everything that is kept."""

    settings: Settings
    database: Database
    tasks: TaskStore
    runs: RunStore
    events: EventLog
    messages: MessageStore
    audit: Audit
    tokens: TokenStore
    sessions: SessionStore
    sealed: SealedSecrets
    redactor: Redactor


@contextmanager
def open_stores(settings: Settings | None = None) -> Iterator[Stores]:
    """Open the database of ``settings`` (default: the ones of this process). Raises ``DatabaseUnavailable``."""
    settings = settings or load_settings({})
    doors = [name for door in settings.intake.values() for name in door.variables]
    redactor = Redactor(secret_values(os.environ, (*settings.secret_variables, *doors)))
    with open_database(settings.database_url, settings.home) as database:
        yield Stores(
            settings=settings,
            database=database,
            tasks=TaskStore(database, redactor=redactor),
            runs=RunStore(database, redactor=redactor),
            events=EventLog(database, redactor),
            messages=MessageStore(database),
            audit=Audit(database, redactor),
            tokens=TokenStore(database),
            sessions=SessionStore(database),
            sealed=SealedSecrets(database, secrets_key(settings), learn=redactor.learn),
            redactor=redactor,
        )
