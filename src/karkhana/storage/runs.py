"""Runs and their leases: who works on what, until when, and how it ended.

Each change by a worker carries the lease's epoch; when another worker has taken the run over, the epoch has moved
on and the change raises ``LeaseLost``. Knows nothing of what a run does.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput, LeaseLost, UnknownRun
from karkhana.domain.json import canonical
from karkhana.domain.tasks import Run, Status
from karkhana.storage.database import Clock, Database, utc_now
from karkhana.storage.identifiers import new_run_id
from karkhana.storage.redaction import Redactor
from karkhana.storage.tables import GENESIS, runs, tasks
from karkhana.storage.transitions import change_status


class Claim(msgspec.Struct, frozen=True):
    """The right to work on a run, as long as its epoch is the newest."""

    run_id: str
    task_id: str
    epoch: int


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a run."""

    run_id: str
    task_id: str
    owner: str | None
    epoch: int
    expires_at: float | None
    """Seconds since the epoch; ``None`` when nobody needs to hold it: it ended, or waits for a person."""
    cancel_requested: bool
    tags: tuple[str, ...] = ()
    """Of its task: what a worker needs to take it over."""


Leases: TypeAlias = list[Lease]


class RunStore:
    """All runs of a database. With a ``redactor``, no secret in a result is stored."""

    def __init__(self, database: Database, clock: Clock = utc_now, *, redactor: Redactor | None = None) -> None:
        self._database = database
        self._clock = clock
        self._redactor = redactor

    def create(self, task_id: str, worker: str, lease_s: float) -> Claim:
        """Begin a run of a queued task in the foreground, whatever its dependencies.

        Raises ``UnknownTask``, or ``InvalidInput`` when the task is being worked on or has ended.
        """
        with self._database.writing() as connection:
            return start_run(connection, task_id, worker, lease_s, self._now())

    def get(self, run_id: str) -> Run:
        """Raises ``UnknownRun``."""
        with self._database.reading() as connection:
            return self.get_within(connection, run_id)

    def get_within(self, connection: sa.Connection, run_id: str) -> Run:
        """As :meth:`get`, inside of somebody else's transaction."""
        return _run(_row(connection, run_id))

    def list(
        self, *, task_id: str | None = None, status: Status | None = None, limit: int = 100, offset: int = 0
    ) -> list[Run]:
        """Newest first."""
        query = sa.select(runs).order_by(runs.c.run_id.desc()).limit(limit).offset(offset)
        if task_id is not None:
            query = query.where(runs.c.task_id == task_id)
        if status is not None:
            query = query.where(runs.c.status == status.value)
        with self._database.reading() as connection:
            return [_run(row) for row in connection.execute(query)]

    def result(self, run_id: str) -> bytes | None:
        """What :meth:`finish` was given. Raises ``UnknownRun``."""
        with self._database.reading() as connection:
            found: bytes | None = _row(connection, run_id).result
            return found

    def lease(self, run_id: str) -> Lease:
        """Who holds the run. Raises ``UnknownRun``."""
        with self._database.reading() as connection:
            row = connection.execute(_LEASES.where(runs.c.run_id == run_id)).one_or_none()
        if row is None:
            raise unknown_run(run_id)
        return _lease(row)

    def heartbeat(self, worker: str, lease_s: float) -> Sequence[Lease]:
        """Extend every unfinished lease of ``worker``; the runs that are still its own, with ``cancel_requested``."""
        mine = sa.and_(runs.c.lease_owner == worker, runs.c.finished_at.is_(None))
        with self._database.writing() as connection:
            connection.execute(sa.update(runs).where(mine).values(lease_expires_at=self._now() + lease_s))
            return [_lease(row) for row in connection.execute(_LEASES.where(mine))]

    def expired(self, now: float | None = None) -> Sequence[Lease]:
        """Unfinished runs whose lease has run out or was released, oldest first."""
        late = runs.c.lease_expires_at <= (self._now() if now is None else now)
        query = _LEASES.where(late, runs.c.finished_at.is_(None)).order_by(runs.c.run_id)
        with self._database.reading() as connection:
            return [_lease(row) for row in connection.execute(query)]

    def take_over(self, run_id: str, worker: str, lease_s: float) -> Claim | None:
        """Become the holder of an expired, released or parked run; ``None`` when another one was faster."""
        now = self._now()
        free = sa.or_(runs.c.lease_expires_at <= now, runs.c.lease_owner.is_(None))
        values = {"lease_owner": worker, "lease_epoch": runs.c.lease_epoch + 1, "lease_expires_at": now + lease_s}
        query = (
            sa.update(runs)
            .where(runs.c.run_id == run_id, runs.c.finished_at.is_(None), free)
            .values(values)
            .returning(runs.c.task_id, runs.c.lease_epoch)
        )
        with self._database.writing() as connection:
            _hold_task(connection, run_id)
            won = connection.execute(query).one_or_none()
            if won is None:
                return None
            connection.execute(sa.update(tasks).where(tasks.c.task_id == won.task_id).values(assigned_to=worker))
        return Claim(run_id, won.task_id, won.lease_epoch)

    def release(self, run_id: str, epoch: int) -> None:
        """Hand an unfinished run back: any worker may take it over at once. Raises ``LeaseLost``."""
        with self._database.writing() as connection:
            _fenced(connection, run_id, epoch, lease_owner=None, lease_expires_at=0.0)

    def park(self, run_id: str, epoch: int, until: float | None = None) -> None:
        """Let go of a run that waits: nobody holds it, and it expires at ``until`` (seconds since the epoch) or never.

        A message (:mod:`karkhana.storage.messages`) or a request to cancel wakes it. Raises ``LeaseLost``.
        """
        with self._database.writing() as connection:
            # A cancellation that came since the last heartbeat would otherwise wait as long as the run does.
            expires_at = sa.case((runs.c.cancel_requested, 0.0), else_=sa.literal(until, sa.Double))
            _fenced(connection, run_id, epoch, lease_owner=None, lease_expires_at=expires_at)

    def request_cancel(self, run_id: str) -> None:
        """Ask the holder to stop; it sees that at its next heartbeat. Wakes a parked run. Raises ``UnknownRun``."""
        with self._database.writing() as connection:
            asked = sa.update(runs).where(runs.c.run_id == run_id).values(CANCELLING)
            if connection.execute(asked).rowcount == 0:
                raise unknown_run(run_id)

    def set_status(self, run_id: str, epoch: int, status: Status) -> None:
        """Enter another station; the task follows. Raises ``LeaseLost``."""
        with self._database.writing() as connection:
            _hold_task(connection, run_id)
            task_id = _fenced(connection, run_id, epoch, status=status.value).task_id
            change_status(connection, task_id, status)

    def set_score(self, run_id: str, epoch: int, score: float) -> None:
        """The score of the run's change, in [0,1], for lists. Raises ``LeaseLost``."""
        with self._database.writing() as connection:
            _fenced(connection, run_id, epoch, score=score)

    def finish(
        self,
        run_id: str,
        epoch: int,
        status: Status,
        result: bytes,
        *,
        engineer: str | None = None,
        cost_usd: float = 0.0,
        human_review: bool | None = None,
        quality_score: float | None = None,
        requeue: bool = False,
    ) -> None:
        """End the run and give up its lease; the task follows, or with ``requeue`` goes back to the queue.

        ``result`` is JSON, or nothing. Doing it again is harmless. Raises ``LeaseLost``.
        """
        now = self._now()
        if self._redactor is not None and self._redactor.suspects(result):
            result = canonical(self._redactor.nested(msgspec.json.decode(result)))
        values = {"status": status.value, "result": result, "engineer": engineer, "cost_usd": cost_usd}
        if quality_score is not None:
            values["score"] = quality_score
        with self._database.writing() as connection:
            _hold_task(connection, run_id)
            row = _fenced(
                connection,
                run_id,
                epoch,
                **values,
                finished_at=sa.func.coalesce(runs.c.finished_at, now),
                lease_owner=None,
                lease_expires_at=None,
            )
            change_status(
                connection,
                row.task_id,
                Status.QUEUED if requeue else status,
                assigned_to=None,
                actual_duration=row.finished_at - row.started_at,
                human_review=human_review,
                quality_score=quality_score,
            )

    def _now(self) -> float:
        return self._clock().timestamp()


_LEASES = sa.select(
    runs.c.run_id,
    runs.c.task_id,
    runs.c.lease_owner,
    runs.c.lease_epoch,
    runs.c.lease_expires_at,
    runs.c.cancel_requested,
    tasks.c.tags,
).join(tasks, tasks.c.task_id == runs.c.task_id)

CANCELLING = {
    "cancel_requested": True,
    "lease_expires_at": sa.case((runs.c.lease_owner.is_(None), 0.0), else_=runs.c.lease_expires_at),
}
"""What a request to cancel changes: a run that nobody holds is to be looked at, to be closed."""

_STARTABLE = (Status.QUEUED, Status.FAILED, Status.REJECTED, Status.CANCELLED)


def start_run(connection: sa.Connection, task_id: str, worker: str, lease_s: float, now: float) -> Claim:
    """Add a run of the task, held by ``worker``; the task enters planning. Raises as :meth:`RunStore.create`."""
    before = change_status(connection, task_id, Status.PLANNING, assigned_to=worker)
    if before not in _STARTABLE:
        raise InvalidInput(
            f"{task_id} is {before.value.replace('_', ' ')} and cannot be started", "see: karkhana runs list"
        )
    run_id = new_run_id(now)
    task = connection.execute(sa.select(tasks.c.product, tasks.c.type).where(tasks.c.task_id == task_id)).one()
    connection.execute(
        sa.insert(runs).values(
            run_id=run_id,
            task_id=task_id,
            product=task.product,
            type=task.type,
            status=Status.PLANNING.value,
            started_at=now,
            cost_usd=0.0,
            lease_owner=worker,
            lease_epoch=1,
            lease_expires_at=now + lease_s,
            cancel_requested=False,
            trail_seq=0,
            trail_hash=GENESIS,
        )
    )
    return Claim(run_id, task_id, 1)


def unknown_run(run_id: str) -> UnknownRun:
    return UnknownRun(f"there is no run {run_id}", "see the runs with: karkhana runs list")


def lease_lost(run_id: str, epoch: int) -> LeaseLost:
    return LeaseLost(f"another worker has taken over {run_id} (our epoch {epoch} has passed)")


def _hold_task(connection: sa.Connection, run_id: str) -> None:
    """Lock the task of a run that is to be changed with it: before the run (:mod:`karkhana.storage.transitions`)."""
    task_id = sa.select(runs.c.task_id).where(runs.c.run_id == run_id).scalar_subquery()
    connection.execute(sa.select(tasks.c.ordinal).where(tasks.c.task_id == task_id).with_for_update())


def _fenced(connection: sa.Connection, run_id: str, epoch: int, **values: Any) -> sa.Row[Any]:
    """Change the run if ``epoch`` still holds; returns its row afterwards."""
    query = sa.update(runs).where(runs.c.run_id == run_id, runs.c.lease_epoch == epoch).values(values)
    if connection.execute(query).rowcount == 0:
        _row(connection, run_id)
        raise lease_lost(run_id, epoch)
    return _row(connection, run_id)


def _row(connection: sa.Connection, run_id: str) -> sa.Row[Any]:
    row = connection.execute(sa.select(runs).where(runs.c.run_id == run_id)).one_or_none()
    if row is None:
        raise unknown_run(run_id)
    return row


def _run(row: Any) -> Run:
    return Run(
        run_id=row.run_id,
        task_id=row.task_id,
        status=Status(row.status),
        engineer=row.engineer,
        started_at=datetime.fromtimestamp(row.started_at, UTC),
        finished_at=None if row.finished_at is None else datetime.fromtimestamp(row.finished_at, UTC),
        cost_usd=row.cost_usd,
    )


def _lease(row: Any) -> Lease:
    return Lease(
        run_id=row.run_id,
        task_id=row.task_id,
        owner=row.lease_owner,
        epoch=row.lease_epoch,
        expires_at=row.lease_expires_at,
        cancel_requested=row.cancel_requested,
        tags=tuple(msgspec.json.decode(row.tags)),
    )
