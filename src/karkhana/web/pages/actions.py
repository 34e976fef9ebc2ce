"""What a person can do with a run, besides deciding on its change: stop it, have it tried again, let it go on.

Nothing is carried out here: a run is told, or a task stands in the queue, and a worker does the rest.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from karkhana.domain.access import Role
from karkhana.domain.errors import KarkhanaError
from karkhana.factory.again import Repetition, let_go_on, repeat, rewound
from karkhana.factory.replies import answer_within
from karkhana.storage.run_lists import RunRow
from karkhana.web.once import Keep, once
from karkhana.web.site import Site, site_of, who


@dataclass(frozen=True)
class Done:
    """What came of it."""

    told: str
    details: Mapping[str, object] = field(default_factory=dict)
    """For the audit."""
    after: Callable[[], None] = lambda: None
    """What is left to be done once all is written."""


Act = Callable[[Site, Request, RunRow], Callable[[sa.Connection], Done]]
"""Reads what it needs, and gives what is to be written, in one transaction with the audit."""


def cancel(request: Request) -> Response:
    """``POST /runs/RUN/cancel``: as ``karkhana runs cancel`` does."""
    return _acted(request, "run.cancel", _cancelled)


def retry(request: Request) -> Response:
    """``POST /runs/RUN/retry``: the order once more; with ``newest`` from the newest commit."""
    return _acted(request, "run.retry", _repeated)


def reply(request: Request) -> Response:
    """``POST /runs/RUN/reply``: the answer to the question that the run waits with."""
    return _acted(request, "ticket.answer", _replied)


def rewind(request: Request) -> Response:
    """``POST /runs/RUN/rewind``: the order once more, from after ``turn`` answers of the model."""
    return _acted(request, "run.rewind", _rewound)


def resume(request: Request) -> Response:
    """``POST /runs/RUN/resume``: a paused run may use so many more ``turns`` and ``usd``."""
    return _acted(request, "run.resume", _resumed)


def _acted(request: Request, action: str, act: Act) -> Response:
    site = site_of(request)
    run_id: str = request.path_params["run_id"]
    row = site.row(request, run_id)
    if row is None:
        return site.missing(request, f"run {run_id}")
    refused = site.lacking(request, Role.OPERATOR, row, action)
    if refused is not None:
        return refused
    about = f"{action}:{run_id}"
    told = once(site, request, about, lambda keep: _carried_out(site, request, row, action, act, keep=keep))
    return site.told(request, f"/runs/{run_id}", told)


def _carried_out(site: Site, request: Request, row: RunRow, action: str, act: Act, *, keep: Keep) -> str:
    """What is told, and kept if it was done."""
    try:
        write = act(site, request, row)
        with site.stores.database.writing() as connection:
            done = write(connection)
            site.audit(request, action, row, details=done.details, connection=connection)
            keep(done.told, connection)
    except KarkhanaError as error:
        site.audit(request, action, row, refused=error.message)
        return f"Nothing was done: {error.message}. {error.next}".strip()
    done.after()
    return done.told


def _cancelled(site: Site, _request: Request, row: RunRow) -> Callable[[sa.Connection], Done]:
    def write(connection: sa.Connection) -> Done:
        site.stores.tasks.cancel_within(connection, row.task_id)
        return Done("It is asked to stop; its sandbox is killed.")

    return write


def _repeated(site: Site, request: Request, row: RunRow) -> Callable[[sa.Connection], Done]:
    newest = request.state.form.get("newest") == "1"
    return _queued(repeat(site.stores, row.run_id, by=who(request).name, newest=newest), newest=newest)


def _replied(site: Site, request: Request, row: RunRow) -> Callable[[sa.Connection], Done]:
    def write(connection: sa.Connection) -> Done:
        answer_within(site.stores, connection, row.task_id, request.state.form.get("text", ""), by=who(request).name)
        return Done("The work begins with your answer; the next worker that is free takes it up.")

    return write


def _rewound(site: Site, request: Request, row: RunRow) -> Callable[[sa.Connection], Done]:
    turn = _whole(request.state.form.get("turn", ""))
    return _queued(rewound(site.stores, row.run_id, turn, by=who(request).name), turn=turn)


def _resumed(site: Site, request: Request, row: RunRow) -> Callable[[sa.Connection], Done]:
    form: dict[str, str] = request.state.form
    turns, usd = _whole(form.get("turns", "") or "0"), _amount(form.get("usd", "") or "0")
    tell = let_go_on(site.stores, row.run_id, turns=turns, usd=usd, by=who(request).name)

    def write(connection: sa.Connection) -> Done:
        tell(connection)
        return Done("It may go on; the next worker that is free takes it up.", {"turns": turns, "usd": usd})

    return write


def _queued(again: Repetition, **details: object) -> Callable[[sa.Connection], Done]:
    def write(connection: sa.Connection) -> Done:
        task = again.queue_within(connection)
        told = f"{task.task_id} stands in the queue; the next worker that is free takes it up."
        return Done(told, {"task_id": task.task_id, **details}, lambda: again.tell(task))

    return write


def _whole(text: str) -> int:
    """-1 for what is no number, which nothing accepts."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _amount(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return -1.0
    return found if math.isfinite(found) else -1.0
