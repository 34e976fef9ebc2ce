"""Chooses and wires the rooms that stations call on."""

import functools
from collections.abc import Mapping

from karkhana.delivery.git_forge import GitForge
from karkhana.domain.errors import InvalidInput
from karkhana.engineers.registry import default_engineers
from karkhana.factory.autonomy import autonomy_book
from karkhana.factory.job import Rooms
from karkhana.factory.models import Models
from karkhana.factory.outcomes import outcome_book
from karkhana.factory.second_opinion import all_gates
from karkhana.factory.stores import Stores
from karkhana.factory.understanding import Understander
from karkhana.ports import Engineer
from karkhana.storage.lesson_store import LessonStore
from karkhana.storage.route_store import RouteStore


def rooms_for(stores: Stores, engineers: Mapping[str, Engineer] | None = None, models: Models | None = None) -> Rooms:
    """The rooms of one process; ``engineers`` replaces the usual ones."""
    book = outcome_book(stores)
    engineers = engineers or default_engineers()
    return Rooms(
        runs=stores.runs,
        engineers=engineers,
        gates=all_gates(engineers),
        forge=GitForge(),
        redact=stores.redactor.nested,
        book=book,
        autonomy=autonomy_book(stores, book),
        lessons=LessonStore(stores.database),
        models=models,
        events=lambda run_id: (entry.event for entry in stores.events.entries(run_id)),
        content=functools.partial(kept_content, stores),
        understander=Understander(stores),
        outcomes=RouteStore(stores.database),
    )


def kept_content(stores: Stores, sha256: str) -> bytes:
    """A file's version as it was. Raises ``InvalidInput`` if it held a secret, which is not kept."""
    blob = stores.events.stored_blob(sha256)
    if blob.redacted:
        raise InvalidInput("a file held a secret, which the trail does not keep", "Work on the ticket anew.")
    return blob.content
