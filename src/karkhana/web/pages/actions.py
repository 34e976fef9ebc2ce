"""What a person can do with a run, besides deciding on its change: stop it, have it tried again, let it go on.

Nothing is carried out here: a run is told, or a task stands in the queue, and a worker does the rest. A form that
is sent twice, as by a double click, is carried out once: each page's forms carry a key of their own.
"""

import hashlib
import math
import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from karkhana.domain.access import Role
from karkhana.domain.errors import KarkhanaError
from karkhana.factory.again import let_go_on, repeat, rewound
from karkhana.factory.replies import answer
from karkhana.storage.answer_store import AnswerStore
from karkhana.storage.run_lists import RunRow
from karkhana.web.site import Site, site_of, who

Details = dict[str, object]
Act = Callable[[Site, Request, RunRow], tuple[str, Details]]
"""Does it, and returns what is told and what is written down."""
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


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
    return site.told(request, f"/runs/{run_id}", _once(site, request, row, action, act))


def _once(site: Site, request: Request, row: RunRow, action: str, act: Act) -> str:
    """What is told: of this form, or of the same one when it came before."""
    form: dict[str, str] = request.state.form
    key = form.get("once", "")
    if not _KEY.fullmatch(key):
        return _carried_out(site, request, row, action, act)[0]
    store, of = AnswerStore(site.stores.database), f"page:{who(request).via}:{who(request).name}"
    key = f"{key}:{action}:{row.run_id}"
    sent = "\0".join(f"{name}={value}" for name, value in sorted(form.items()) if name not in ("csrf", "once"))
    known = store.begin(of, key, hashlib.sha256(sent.encode("utf-8", "replace")).hexdigest())
    if known.answer is not None:
        return known.answer.decode()
    if not known.mine:
        return "This form was sent before; what came of it stands on this page." if known.other else "It is under way."
    done = False
    try:
        told, done = _carried_out(site, request, row, action, act)
        if done:
            store.keep(of, key, told.encode())
        return told
    finally:
        if not done:
            store.give_up(of, key)


def _carried_out(site: Site, request: Request, row: RunRow, action: str, act: Act) -> tuple[str, bool]:
    """What is told, and whether it was done."""
    try:
        told, details = act(site, request, row)
    except KarkhanaError as error:
        site.audit(request, action, row, refused=error.message)
        return f"Nothing was done: {error.message}. {error.next}".strip(), False
    site.audit(request, action, row, details=details)
    return told, True


def _cancelled(site: Site, _request: Request, row: RunRow) -> tuple[str, Details]:
    site.stores.tasks.cancel(row.task_id)
    return "It is asked to stop; its sandbox is killed.", {}


def _repeated(site: Site, request: Request, row: RunRow) -> tuple[str, Details]:
    newest = request.state.form.get("newest") == "1"
    task = repeat(site.stores, row.run_id, by=who(request).name, newest=newest)
    return _standing(task.task_id), {"task_id": task.task_id, "newest": newest}


def _replied(site: Site, request: Request, row: RunRow) -> tuple[str, Details]:
    answer(site.stores, row.task_id, request.state.form.get("text", ""), by=who(request).name)
    return "The work begins with your answer; the next worker that is free takes it up.", {}


def _rewound(site: Site, request: Request, row: RunRow) -> tuple[str, Details]:
    turn = _whole(request.state.form.get("turn", ""))
    task = rewound(site.stores, row.run_id, turn, by=who(request).name)
    return _standing(task.task_id), {"task_id": task.task_id, "turn": turn}


def _resumed(site: Site, request: Request, row: RunRow) -> tuple[str, Details]:
    form: dict[str, str] = request.state.form
    turns, usd = _whole(form.get("turns", "") or "0"), _amount(form.get("usd", "") or "0")
    let_go_on(site.stores, row.run_id, turns=turns, usd=usd, by=who(request).name)
    return "It may go on; the next worker that is free takes it up.", {"turns": turns, "usd": usd}


def _standing(task_id: str) -> str:
    return f"{task_id} stands in the queue; the next worker that is free takes it up."


def _whole(text: str) -> int:
    """-1 for what is no number, which nothing accepts."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _amount(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return -1.0
    return found if math.isfinite(found) else -1.0
