"""What a person is asked: the card of one run that waits, with what each button does."""

from datetime import UTC, datetime

import msgspec

from karkhana.domain.access import Principal, Role
from karkhana.domain.errors import KarkhanaError
from karkhana.domain.evidence import GateStatus
from karkhana.domain.tasks import Status
from karkhana.factory.approvals import effect
from karkhana.factory.approvers import self_approval
from karkhana.storage.run_lists import RunRow
from karkhana.web.diffs import File, read_patch
from karkhana.web.digests import Digest
from karkhana.web.grounds import Grounds


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a person."""

    run: RunRow
    digest: Digest
    files: list[File]
    failed_gates: list[str]
    unknown_gates: list[str]
    effect: str
    """What an approval does; empty when that cannot be said."""
    refused: str
    """Why this person cannot approve; empty: nothing speaks against it."""
    expired: bool = False
    answers: bool = True
    """Whether this person may answer at all."""


def card_of(grounds: Grounds, principal: Principal, run: RunRow, digest: Digest) -> Card | None:
    """The card of a run, ``None`` when it waits for no approval."""
    waits = run.status is Status.WAITING_FOR_REVIEW and digest.paused is None and digest.given is None
    waits = waits and bool(digest.requested)
    if not waits or digest.order is None:
        return None
    try:
        ground = grounds.of(digest.order)
        does = effect(ground, run.task_id)
        refused = self_approval(
            principal.name,
            principal.name,
            made_by=digest.engineers,
            ordered_by=digest.order.by,
            four_eyes=ground.four_eyes,
        )
    except KarkhanaError as error:
        does, refused = "", f"{error.message}. {error.next}".strip()
    expired = digest.expires is not None and digest.expires <= datetime.now(UTC)
    answers = principal.may(Role.APPROVER, run.product)
    if not answers:
        refused = f"it needs the role {Role.APPROVER.value} for {run.product}"
    elif expired:
        refused = "nobody answered in time, and the question has expired"
    patch = digest.handed_over.change.patch if digest.handed_over is not None else ""
    gates = digest.gates.values()
    return Card(
        run=run,
        digest=digest,
        files=read_patch(patch),
        failed_gates=[gate.gate for gate in gates if gate.status is GateStatus.FAILED],
        unknown_gates=[gate.gate for gate in gates if gate.status is GateStatus.UNKNOWN],
        effect=does,
        refused=refused,
        expired=expired,
        answers=answers,
    )
