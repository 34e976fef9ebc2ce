"""The list of runs, by filter and cursor; and the jump to one by a piece of its name."""

import urllib.parse

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from karkhana.domain.tasks import Status, TaskType
from karkhana.storage.run_lists import RunFilter
from karkhana.web.site import sees, site_of
from karkhana.web.text import visible

PAGE = 50


def runs(request: Request) -> Response:
    """``/runs?status=&type=&product=&task=&before=RUN|after=RUN``."""
    site = site_of(request)
    asked = request.query_params
    chosen = RunFilter(
        status=Status(asked["status"]) if asked.get("status") in set(Status) else None,
        type=TaskType(asked["type"]) if asked.get("type") in set(TaskType) else None,
        product=asked.get("product") or None,
        task_id=asked.get("task") or None,
        visible=sees(request),
    )
    before, after = asked.get("before", ""), asked.get("after", "")
    rows = site.lists.page(chosen, before=before, after=after, limit=PAGE + 1)
    more = len(rows) > PAGE
    rows = (rows[1:] if after else rows[:PAGE]) if more else rows
    words = {key: value for key, value in asked.items() if key in ("status", "type", "product", "task") and value}
    older = rows and (more or after)
    newer = rows and (before or (after and more))
    return site.page(
        request,
        "runs.html",
        rows=rows,
        costs=site.costs.of_all(rows),
        chosen=chosen,
        filtered=bool(words),
        statuses=list(Status),
        types=list(TaskType),
        products=site.products.of(sees(request)),
        older="/runs?" + urllib.parse.urlencode(words | {"before": rows[-1].run_id}) if older else "",
        newer="/runs?" + urllib.parse.urlencode(words | {"after": rows[0].run_id}) if newer else "",
    )


def jump(request: Request) -> Response:
    """``/jump?q=``: a run by its identifier, its task or words of its title; JSON for the page's own script."""
    site = site_of(request)
    words = request.query_params.get("q", "").strip()[:200]
    found = site.lists.named(words, visible=sees(request)) if words else []
    if "application/json" in request.headers.get("accept", ""):
        told = [
            {"href": f"/runs/{row.run_id}", "title": visible(row.title), "more": f"{row.task_id} {row.status.value}"}
            for row in found
        ]
        return JSONResponse(told)
    if len(found) == 1:
        return RedirectResponse(f"/runs/{found[0].run_id}", 303)
    return site.page(request, "jump.html", words=words, rows=found)
