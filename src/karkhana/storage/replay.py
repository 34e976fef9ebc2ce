"""Rebuilds what a run did to the files, and its final patch, from the run's events alone.

No repository is needed: each ``tool.returned`` event names the content of every file that the call changed, before
and after. Knows nothing of which engineer worked, or how.

>>> # replay(log, "run_01…") == change.patch
"""

import msgspec

from karkhana.domain.changes import FileState
from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import AttemptsCompared, RunStarted, ToolReturned, WorkspaceOpened
from karkhana.git import File, make_patch
from karkhana.storage.event_log import EventLog


class RedactedContent(InvalidInput):
    """A file held a secret, which the trail does not keep; its exact bytes cannot be rebuilt."""


class FileHistory(msgspec.Struct, frozen=True):
    """One path over a run: as it was before the first change, and after the last."""

    before: FileState | None
    after: FileState | None


class States(msgspec.Struct, frozen=True):
    """The files that a run had changed at some moment."""

    files: dict[str, FileHistory]
    """Path → its history; a path that is again as it was is left out."""
    object_format: str
    """Of the repository's object names: ``sha1`` or ``sha256``."""


def replay(event_log: EventLog, run_id: str, until_seq: int | None = None) -> str:
    """The patch of the run, byte for byte; with ``until_seq``, as of that event.

    Raises ``UnknownRun``, ``RedactedContent`` when a changed file held a secret, or ``InvalidInput`` when content is
    missing from the store.
    """
    states = replay_states(event_log, run_id, until_seq)
    contents = {
        path: (_file(event_log, path, history.before), _file(event_log, path, history.after))
        for path, history in states.files.items()
    }
    return make_patch(contents, object_format=states.object_format)


def replay_states(event_log: EventLog, run_id: str, until_seq: int | None = None) -> States:
    """Which files the run had changed when event ``until_seq`` (default: the last one) was recorded."""
    files: dict[str, FileHistory] = {}
    attempts: dict[int, dict[str, FileHistory]] = {}
    object_format = "sha1"
    for entry in event_log.entries(run_id):
        if until_seq is not None and entry.seq > until_seq:
            break
        if isinstance(entry.event, RunStarted):
            object_format = "sha256" if len(entry.event.order.commit) == 64 else "sha1"
        elif isinstance(entry.event, WorkspaceOpened):
            # a fresh checkout: a step that was redone after a crash, or another attempt
            files = attempts[entry.event.attempt] = {}
        elif isinstance(entry.event, AttemptsCompared):
            files = attempts.get(entry.event.chosen, files)
        elif isinstance(entry.event, ToolReturned):
            for change in entry.event.changed:
                first = files[change.path].before if change.path in files else change.before
                files[change.path] = FileHistory(first, change.after)
    changed = {path: history for path, history in sorted(files.items()) if history.before != history.after}
    return States(changed, object_format)


def _file(event_log: EventLog, path: str, state: FileState | None) -> File | None:
    if state is None:
        return None
    blob = event_log.stored_blob(state.sha256)
    if blob.redacted:
        raise RedactedContent(
            f"{path!r} held a secret, which the trail does not keep, so its exact bytes cannot be rebuilt",
            "remove the secret from the repository; the other events can be read with: karkhana runs trace",
        )
    return state.mode, blob.content
