"""The addresses of the dashboard's pages. What stands before each of them is the guard's business.

>>> "/runs/{run_id}" in [route.path for route in pages_of_ours()]
True
"""

from starlette.routing import Route

from karkhana.web.pages import (
    access,
    actions,
    approvals,
    audit,
    entrance,
    now,
    quality,
    router,
    run,
    runs,
    signing_in,
    streams,
)


def pages_of_ours() -> list[Route]:
    """In the order in which they are tried."""
    return [
        Route("/", now.now),
        Route("/live", streams.factory_stream),
        Route("/runs", runs.runs),
        Route("/runs/{run_id}", run.run),
        Route("/runs/{run_id}/live", streams.run_stream),
        Route("/runs/{run_id}/patch", run.patch),
        Route("/runs/{run_id}/log", run.log),
        Route("/runs/{run_id}/verify", run.verified),
        Route("/runs/{run_id}/answer", approvals.answer, methods=["POST"]),
        Route("/runs/{run_id}/cancel", actions.cancel, methods=["POST"]),
        Route("/runs/{run_id}/retry", actions.retry, methods=["POST"]),
        Route("/runs/{run_id}/reply", actions.reply, methods=["POST"]),
        Route("/runs/{run_id}/rewind", actions.rewind, methods=["POST"]),
        Route("/runs/{run_id}/resume", actions.resume, methods=["POST"]),
        Route("/runs/{run_id}/trail/{seq:int}", run.event),
        Route("/runs/{run_id}/{tab}", run.run),
        Route("/approvals", approvals.approvals),
        Route("/quality", quality.quality),
        Route("/quality/{tab}", quality.quality),
        Route("/router", router.router),
        Route("/audit", audit.audit),
        Route("/audit/export", audit.exported),
        Route("/audit/verify", audit.verified, methods=["POST"]),
        Route("/access", access.access),
        Route("/access/tokens", access.token_made, methods=["POST"]),
        Route("/access/tokens/revoke", access.token_revoked, methods=["POST"]),
        Route("/access/sessions/end", access.session_ended, methods=["POST"]),
        Route("/access/secrets", access.secret_set, methods=["POST"]),
        Route("/access/secrets/remove", access.secret_removed, methods=["POST"]),
        Route("/jump", runs.jump),
        Route("/help", entrance.helped),
        Route("/theme", entrance.theme, methods=["POST"]),
        Route("/product", entrance.product, methods=["POST"]),
        Route("/leave", entrance.leave, methods=["POST"]),
        Route("/enter", entrance.enter),
        Route("/link", entrance.link, methods=["POST"]),
        Route("/signin", signing_in.begin),
        Route("/signin/done", signing_in.done),
        Route("/healthz", entrance.alive),
        Route("/readyz", entrance.ready),
    ]
