"""What waits for a person, and the answer."""

from starlette.requests import Request
from starlette.responses import Response

from karkhana.domain.errors import KarkhanaError, UnknownRun
from karkhana.domain.tasks import Status
from karkhana.storage.run_lists import RunFilter
from karkhana.web.cards import card_of
from karkhana.web.site import site_of
from karkhana.web.text import clipped

PAGE = 20
LONGEST_COMMENT = 2000


def approvals(request: Request) -> Response:
    """``/approvals``: the queue, the newest first."""
    site = site_of(request)
    before = request.query_params.get("before", "")
    rows = site.lists.page(RunFilter(status=Status.WAITING_FOR_REVIEW), before=before, limit=PAGE + 1)
    shown = [(row, site.digests.of(row.run_id)) for row in rows[:PAGE]]
    cards = [(row, digest, card_of(site.grounds, site.account, row, digest)) for row, digest in shown]
    older = f"/approvals?before={rows[PAGE - 1].run_id}" if len(rows) > PAGE else ""
    told = request.query_params.get("told", "")[:300]
    return site.page(request, "approvals.html", cards=cards, older=older, told=told)


def answer(request: Request) -> Response:
    """``POST /runs/RUN/answer``: ``verdict`` approve or reject, ``comment``, ``seen`` (the hash that was looked at)."""
    site = site_of(request)
    run_id: str = request.path_params["run_id"]
    form: dict[str, str] = request.state.form
    verdict, seen = form.get("verdict"), form.get("seen", "")
    if verdict not in ("approve", "reject") or not seen:
        return site.told(f"/runs/{run_id}", "The form was not complete; nothing was decided.")
    comment = clipped(form.get("comment", "").strip(), LONGEST_COMMENT)
    try:
        result = site.deciding.decide(run_id, approved=verdict == "approve", comment=comment, seen=seen)
    except UnknownRun:
        return site.missing(request, f"run {run_id}")
    except KarkhanaError as error:
        return site.told(f"/runs/{run_id}", f"Nothing was decided: {error.message}. {error.next}")
    if result is None:
        return site.told(f"/runs/{run_id}", "The answer is being carried out; this page shows what comes of it.")
    where = f" as {result.branch}" if result.branch else ""
    return site.told(f"/runs/{run_id}", f"{result.status.replace('_', ' ').capitalize()}{where}.")
