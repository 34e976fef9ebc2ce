"""The stations before building: what the repository adds to what was understood of a ticket, and the one question.

The question is asked only when the ticket lacks something (:mod:`karkhana.intake.missing`) that neither its text nor
the repository gives, somebody is there to answer, and nothing was asked before. The reply joins the ticket's text, as
untrusted as that. A station may be carried out twice; the question is sent once all the same.
"""

import time
from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from karkhana.domain.events import QuestionAnswered, QuestionAsked, QuestionExpired, RunFinished, TicketUnderstood
from karkhana.domain.json import canonical
from karkhana.domain.tasks import Status
from karkhana.domain.understanding import Judgement, Question, QuestionState, Understanding
from karkhana.engineers.registry import needs_model, only_repairs
from karkhana.factory.building import engineers_for
from karkhana.factory.concerns import Surroundings, surroundings
from karkhana.factory.job import Job
from karkhana.factory.records import REPLY, REPLY_MAX, Ending, Heard, Plan, Readied, Reply
from karkhana.factory.understanding import criteria_of, criteria_told, understood
from karkhana.git import Repository
from karkhana.intake.answers.message import Message, packed
from karkhana.intake.missing import Given, given_in, lacking, question
from karkhana.intake.suspicion import suspicions
from karkhana.intake.words import take_apart
from karkhana.storage.intake_store import IntakeStore
from karkhana.storage.messages import MessageStore
from karkhana.storage.outbox import Saying, queue


def understand(job: Job, plan: Plan) -> Readied:
    """Look at the repository with the ticket's words, keep what was understood, and ask if something is missing."""
    book = job.rooms.understander
    known = book.store.get(job.task_id)
    source = Repository.open(job.order.repository)
    text = job.order.ticket.text
    around = surroundings(source, job.order.commit, text)
    whole = _whole(job, plan, around, known)
    made = understood(text, type=job.order.type.value, repository=job.order.repository)
    product = book.product(job.task_id)
    # what came in by a door was compared when it came; what came later is compared with it, not the other way round
    alike = book.alike(product, made.sketch, without=job.task_id) if known is None else ()

    def renewed(before: Understanding) -> Understanding:
        return msgspec.structs.replace(
            whole,
            duplicates=before.duplicates or alike,
            criteria=before.criteria or criteria_of(text),
            question=before.question,
        )

    kept = book.renew(job.task_id, product, made, renewed)
    told = job.trail
    asked = _asked(job, kept, around, plan)
    told.record(TicketUnderstood(understanding=kept))
    if asked is None:
        return Readied(added=criteria_told(kept))
    sent = _send(job, asked)
    told.record(QuestionAsked(question=asked.text, missing=asked.missing, until=asked.until, sent=sent))
    return Readied(wait_s=max(0.0, asked.until - time.time()))


def hear(job: Job, answer: str | None) -> Heard:
    """Somebody answered, or the time to answer is over; who was thanked in the last moment is heard all the same."""
    store = job.rooms.understander.store
    with job.rooms.understander.database.writing() as connection:
        # from here on nobody can answer before the question is settled
        store.hold_within(connection, job.task_id)
        last = answer or MessageStore(job.rooms.understander.database).read_within(connection, job.run_id, REPLY)
        reply = Reply(text="", by="") if last is None else msgspec.json.decode(last, type=Reply)
        text = reply.text[:REPLY_MAX]
        state = QuestionState.EXPIRED if last is None else QuestionState.ANSWERED
        kept = store.change_within(connection, job.task_id, _settled(state, job.redact(text), reply.by))
    if last is None:
        rejected = job.settings.understanding.unanswered == "reject"
        job.trail.record(QuestionExpired(rejected=rejected))
        return Heard(added=criteria_told(kept), rejected=rejected)
    suspected = suspicions(text)
    job.trail.record(QuestionAnswered(reply=text, by=reply.by, suspicions=suspected))
    return Heard(added="\n\n".join(filter(None, (text, criteria_told(kept)))), suspicions=suspected)


def reject_unclear(job: Job) -> Ending:
    """Nobody said what is missing, and policy wants no work on such tickets."""
    ending = Ending(status=Status.REJECTED, reason="nobody answered the question that the ticket leaves open")
    job.trail.record(RunFinished(status=ending.status, reason=ending.reason, next="Put it in again with the answer."))
    job.rooms.runs.finish(job.run_id, job.epoch, ending.status, canonical(ending))
    return ending


def _whole(job: Job, plan: Plan, around: Surroundings, known: Understanding | None) -> Understanding:
    text = job.order.ticket.text
    if known is None:
        known = understood(text, type=job.order.type.value, repository=job.order.repository).understanding
    given = _given(text, around, plan)
    return msgspec.structs.replace(
        known,
        concerns=around.concerns,
        engineer=_engineer(job),
        missing=lacking(job.order.type.value, given),
    )


def _given(text: str, around: Surroundings, plan: Plan) -> Given:
    given = given_in(take_apart(text), text)
    return msgspec.structs.replace(
        given,
        failing_test=bool(plan.baseline.failing),
        check=any(each.kind != "told" for each in criteria_of(text)),
        place=bool(around.names),
        package=bool(around.packages),
    )


def _engineer(job: Job) -> Judgement:
    """Who works on it first, and why."""
    if job.order.engineer != "auto":
        return Judgement(value=job.order.engineer, because=("asked for by name",))
    able = engineers_for(job, 1)
    if not able:
        return Judgement(value="", because=("no engineer can do this kind of work here",))
    because = []
    if only_repairs(able[0].name):
        because.append("a repair is tried first by the engineer that costs nothing")
    elif needs_model(able[0].name):
        because.append("only a model can do this kind of work")
        if job.rooms.models is None:
            because.append("none is configured")
    if len(able) > 1:
        because.append(f"then {', '.join(each.name for each in able[1:])}")
    return Judgement(value=able[0].name, because=tuple(because))


def _asked(job: Job, kept: Understanding, around: Surroundings, plan: Plan) -> Question | None:
    """The question that this run waits for; kept, so that no other one is ever asked for this task."""
    if kept.question is not None:
        mine = kept.question.run_id == job.run_id and kept.question.state is QuestionState.WAITING
        return kept.question if mine else None
    order, policy = job.order, job.settings.understanding
    if not (kept.missing and order.asks and policy.ask) or order.trial:
        return None
    given = _given(order.ticket.text, around, plan)
    subject = around.subject(order.ticket.text)
    now = time.time()
    return Question(
        text=job.redact(question(kept.missing, given, subject=subject)),
        missing=kept.missing,
        asked_at=now,
        until=now + policy.wait_h * 3600.0,
        run_id=job.run_id,
    )


def _send(job: Job, asked: Question) -> bool:
    """Keep the question and queue it for where the ticket came from, in one transaction."""
    row = IntakeStore(job.rooms.understander.database).ticket(job.task_id)
    store = job.rooms.understander.store
    sent = row is not None and bool(row.reference)

    def write(connection: sa.Connection) -> None:
        store.change_within(connection, job.task_id, lambda u: msgspec.structs.replace(u, question=asked))
        if row is None or not row.reference:
            return
        text = f"{job.task_id} needs an answer before work on it begins."
        message = Message(text=text, quote=asked.text, task_id=job.task_id, status=Status.PLANNING.value)
        saying = Saying(text=f"{text} {asked.text}", content=packed(message), slot="question")
        queue(connection, store.now(), saying, door=row.door, reference=row.reference, task_id=job.task_id)

    with job.rooms.understander.database.writing() as connection:
        write(connection)
    return sent


def _settled(state: QuestionState, reply: str, by: str) -> Callable[[Understanding], Understanding]:
    def settled(before: Understanding) -> Understanding:
        if before.question is None:
            return before
        return msgspec.structs.replace(
            before, question=msgspec.structs.replace(before.question, state=state, reply=reply, by=by)
        )

    return settled
