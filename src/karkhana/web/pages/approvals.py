"""What waits for a person, and the answer."""

import urllib.parse

from starlette.requests import Request
from starlette.responses import Response

from karkhana.domain.access import Role
from karkhana.domain.errors import KarkhanaError, UnknownRun
from karkhana.domain.tasks import Status
from karkhana.storage.run_lists import RunFilter
from karkhana.web.cards import card_of
from karkhana.web.site import sees, site_of, who
from karkhana.web.text import clipped

PAGE = 20
LONGEST_COMMENT = 2000
FIRST = "0"
"""Sorts before every run."""


def approvals(request: Request) -> Response:
    """``/approvals?product=&after=RUN``: the queue; who has waited longest comes first."""
    site = site_of(request)
    after = request.query_params.get("after", "") or FIRST
    product = request.query_params.get("product", "")
    waiting = RunFilter(status=Status.WAITING_FOR_REVIEW, product=product or None, visible=sees(request))
    rows = site.lists.page(waiting, after=after, limit=PAGE + 1)[::-1]
    shown = [(row, site.digests.of(row.run_id, row.events)) for row in rows[:PAGE]]
    return site.page(
        request,
        "approvals.html",
        cards=[(row, digest, card_of(site.grounds, who(request), row, digest)) for row, digest in shown],
        operates=[row.run_id for row, _ in shown if who(request).may(Role.OPERATOR, row.product)],
        product=product,
        products=site.products.of(sees(request)),
        oldest=f"/approvals?{urllib.parse.urlencode({'product': product})}" if product else "/approvals",
        newer=f"/approvals?{urllib.parse.urlencode({'product': product, 'after': rows[PAGE - 1].run_id})}"
        if len(rows) > PAGE
        else "",
        first=after == FIRST,
        told=site.heard(request),
    )


def answer(request: Request) -> Response:
    """``POST /runs/RUN/answer``: ``verdict`` approve or reject, ``comment``, ``seen`` (the hash that was looked at)."""
    site = site_of(request)
    run_id: str = request.path_params["run_id"]
    row = site.row(request, run_id)
    if row is None:
        return site.missing(request, f"run {run_id}")
    form: dict[str, str] = request.state.form
    verdict, seen = form.get("verdict"), form.get("seen", "")
    if verdict not in ("approve", "reject") or not seen:
        return site.told(request, f"/runs/{run_id}", "The form was not complete; nothing was decided.")
    action = f"run.{verdict}"
    refused = site.lacking(request, Role.APPROVER, row, action)
    if refused is not None:
        return refused
    comment = clipped(form.get("comment", "").strip(), LONGEST_COMMENT)
    told = {"patch_sha256": seen} | ({"comment": comment} if comment else {})
    try:
        result = site.deciding.decide(
            run_id,
            approved=verdict == "approve",
            comment=comment,
            seen=seen,
            by=who(request).name,
            written=lambda connection: site.audit(request, action, row, details=told, connection=connection),
        )
    except UnknownRun:
        return site.missing(request, f"run {run_id}")
    except KarkhanaError as error:
        site.audit(request, action, row, refused=error.message, details=told)
        return site.told(request, f"/runs/{run_id}", f"This answer does not count: {error.message}. {error.next}")
    if result is None:
        return site.told(
            request, f"/runs/{run_id}", "The answer holds and is being carried out; this page shows what comes of it."
        )
    where = f" as {result.branch}" if result.branch else ""
    return site.told(request, f"/runs/{run_id}", f"{result.status.replace('_', ' ').capitalize()}{where}.")
