"""A person's answer to a run that waits: stored first, then carried out here when no worker is there to do it."""

from collections.abc import Callable

from karkhana.domain.errors import InvalidInput
from karkhana.domain.events import AnyEvent, ApprovalRequested
from karkhana.domain.json import canonical
from karkhana.domain.tasks import Status
from karkhana.factory.assembly import open_factory
from karkhana.factory.configuration import load_settings
from karkhana.factory.records import Approval
from karkhana.factory.results import RunResult, result_of
from karkhana.factory.stores import Stores, open_stores


def answer(run_id: str, *, approved: bool, comment: str, by: str, observer: Callable[[AnyEvent], None]) -> RunResult:
    """Approve or reject exactly the diff that the run waits with, and see it through.

    Raises ``UnknownRun``, or ``InvalidInput`` when the run waits for nobody.
    """
    settings = load_settings({})
    with open_stores(settings) as stores:
        digest = _requested(stores, run_id)
        message = canonical(Approval(approved=approved, by=by, comment=comment, patch_sha256=digest)).decode()
    with open_factory(settings, observer=observer) as factory:
        factory.engine.send(run_id, "approval", message)
        claim = factory.stores.runs.take_over(run_id, factory.worker.name, settings.queue.lease_s)
        if claim is not None:
            factory.worker.carry_out(claim)
        return result_of(factory.stores, run_id)


def _requested(stores: Stores, run_id: str) -> str:
    run = stores.runs.get(run_id)
    if run.status is not Status.WAITING_FOR_REVIEW:
        raise InvalidInput(
            f"{run_id} is {run.status.value.replace('_', ' ')} and waits for no approval",
            "See what waits: karkhana runs list --status waiting_for_review",
        )
    digests = [e.event.patch_sha256 for e in stores.events.entries(run_id) if isinstance(e.event, ApprovalRequested)]
    return digests[-1]
