"""The line: a task becomes a change, the change becomes evidence, evidence becomes a decision, and it is carried out.

Every step is durable: once it has finished its result survives a crash, and another worker goes on from there.
What each station does is in :mod:`karkhana.factory.building`, :mod:`karkhana.factory.comparing`,
:mod:`karkhana.factory.deciding` and :mod:`karkhana.factory.stations`; this page is their order, and nothing else.
"""

import dataclasses
import enum
import itertools
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from karkhana.domain.errors import KarkhanaError
from karkhana.factory import asking, building, comparing, deciding, stations
from karkhana.factory.job import Job
from karkhana.factory.records import (
    REPLY,
    Allowance,
    Announced,
    Approval,
    Asked,
    Attempted,
    Built,
    Ending,
    Heard,
    Judged,
    Plan,
    Readied,
    Review,
    Verified,
)
from karkhana.ports import Engine, Receipt
from karkhana.storage.packing import pack_small, unpack_small

R = TypeVar("R")


class Word(enum.Enum):
    """Why there is no word of a person."""

    UNWANTED = "unwanted"
    EXPIRED = "expired"
    """Somebody was asked, and nobody answered in time."""


def ship(job: Job, engine: Engine) -> Ending:
    """Carry one run from its order to its end.

    Whatever rises ends the run: the worker writes down a failure with its reason, retries broken machinery, and
    lets go of a run that waits for a person.
    """
    step = Steps(job, engine)
    begun = step("start", Ending, stations.start)
    plan = step("plan", Plan, stations.plan)
    # runs that an earlier version began have no such step
    if begun.reason == stations.UNDERSTANDS and _ready(step, engine, plan).rejected:
        return step("reject_unclear", Ending, asking.reject_unclear)
    built = _chosen(step, engine, plan, job.order.attempts)
    review = step("self_review", Review, stations.self_review, plan, built)
    verified = step("verify", Verified, stations.verify, plan, built, review)
    judged = step("decide", Judged, deciding.judge, plan, built, verified)
    if job.order.trial:
        return step("end_trial", Ending, stations.end_trial, built, judged)
    judged, word = _allowed(step, engine, built, verified, judged)
    if word is Word.EXPIRED:
        return step("expire", Ending, stations.expire, built, judged)
    if isinstance(word, Approval) and not word.approved:
        return step("reject", Ending, stations.reject, built, judged, word)
    receipt = step("deliver", Receipt, stations.deliver, plan, built, verified, judged)
    return step("finish", Ending, stations.finish, built, judged, receipt)


def _ready(step: "Steps", engine: Engine, plan: Plan) -> Heard:
    """Understand the ticket; when it does not say enough, wait, durably and on no worker, for its reporter's answer.

    From here on the order's ticket has what was added to it.
    """
    readied = step("understand", Readied, asking.understand, plan)
    heard = Heard()
    if readied.wait_s is not None:
        heard = step("hear", Heard, asking.hear, engine.wait(REPLY, readied.wait_s))
    step.add_to_ticket(readied.added, heard.added, suspicions=heard.suspicions)
    return heard


def _allowed(
    step: "Steps", engine: Engine, built: Built, verified: Verified, judged: Judged
) -> tuple[Judged, "Approval | Word"]:
    """A person's word, where one is wanted or given; else the change may go ahead alone now, or no longer."""
    if not judged.decision.needs_approval:
        if judged.decision.veto_s > 0:
            announced = step("announce", Announced, deciding.announce, built, judged)
            if (word := _word(step, engine, "veto", built, announced.until)) is not None:
                return judged, word
        judged = step("confirm", Judged, deciding.confirm, built, verified, judged)
        if not judged.decision.needs_approval:
            return judged, Word.UNWANTED
    asked = step("request_approval", Asked, deciding.request_approval, built)
    return judged, _word(step, engine, "approval", built, asked.until) or Word.EXPIRED


def _word(step: "Steps", engine: Engine, topic: str, built: Built, until: float | None = None) -> Approval | None:
    """Wait, durably and on no worker, for an answer that counts; ``None`` when there is none ``until`` a time."""
    for number in itertools.count(1):
        # What is left of the time is kept by the engine, so it does not matter that a replay finds another one.
        answer = engine.wait(topic, None if until is None else max(0.0, until - time.time()))
        if answer is None:
            return None
        name = f"record_{topic}_{number}" if number > 1 else f"record_{topic}"
        word = step(name, Approval, deciding.record_approval, built, answer)
        if not word.refused:
            break
    return word


def _chosen(step: "Steps", engine: Engine, plan: Plan, attempts: int) -> Built:
    """The change of the only attempt, or the best one of several; each attempt is a step of its own."""
    if attempts > 1:
        return step("choose", Built, comparing.choose, plan, _several(step, engine, plan, attempts))
    built = _attempted(step, engine, building.build, plan, Allowance())[0].built
    if built is None:
        raise AssertionError("the only attempt gives a change or raises")
    return built


def _several(step: "Steps", engine: Engine, plan: Plan, attempts: int) -> tuple[Attempted, ...]:
    """What came of each; when the budget ended before any gave a change, those that it ended go on with more."""
    numbers = range(1, attempts + 1)
    tried: dict[int, Attempted] = {}
    allowance = Allowance()
    for turn in itertools.count(1):
        name = f"round_{turn}_" if turn > 1 else ""
        wanting = [number for number in numbers if number not in tried or tried[number].exhausted]
        for place, number in enumerate(wanting):
            prefix, to_come = f"{name}attempt_{number}_", len(wanting) - place
            tried[number], allowance = _attempted(
                step, engine, building.build_one, plan, allowance, number, to_come, prefix=prefix
            )
        ended = [each for each in tried.values() if each.exhausted]
        if not ended or any(each.built for each in tried.values()):
            break
        allowance = _let_go_on(step, engine, ended[-1], allowance, prefix=f"{name}attempts_")
    return tuple(tried[number] for number in numbers)


def _attempted(
    step: "Steps",
    engine: Engine,
    build: Callable[..., Attempted],
    plan: Plan,
    allowance: Allowance,
    *more: int,
    prefix: str = "",
) -> tuple[Attempted, Allowance]:
    """Build; when no model answers or a budget is used up, wait for somebody who lets it go on."""
    for number in itertools.count(1):
        name = f"{prefix}build_{number}" if number > 1 else f"{prefix}build"
        attempted = step(name, Attempted, build, plan, allowance, *more)
        if attempted.built is not None or attempted.failed is not None:
            break
        allowance = _let_go_on(step, engine, attempted, allowance, prefix=prefix, number=number)
    return attempted, allowance


def _let_go_on(
    step: "Steps", engine: Engine, attempted: Attempted, allowance: Allowance, *, prefix: str, number: int = 1
) -> Allowance:
    """Wait, durably and on no worker, and with more than before in the end."""
    step(f"{prefix}pause_{number}", Ending, building.pause, attempted)
    answer = engine.wait("resume", attempted.again_s)
    return step(f"{prefix}resume_{number}", Allowance, building.resume, allowance, answer)


class Steps:
    """Runs stations as durable steps: what they return goes through the engine as redacted, plain JSON data."""

    def __init__(self, job: Job, engine: Engine) -> None:
        self._job = job
        self._engine = engine

    def add_to_ticket(self, *texts: str, suspicions: tuple[str, ...] = ()) -> None:
        """From here on stations work on a ticket with these texts below its own."""
        order = self._job.order
        text = "\n\n".join((order.ticket.text, *(text for text in texts if text)))
        ticket = msgspec.structs.replace(order.ticket, text=text)
        suspected = tuple(dict.fromkeys((*order.suspicions, *suspicions)))
        order = msgspec.structs.replace(order, ticket=ticket, suspicions=suspected)
        self._job = dataclasses.replace(self._job, order=order)

    def __call__(self, name: str, kind: type[R], station: Callable[..., R], *results: Any) -> R:
        """The station's result, from this execution or from the one that finished it before a crash."""

        def carry_out() -> Any:
            try:
                result = msgspec.to_builtins(station(self._job, *results), builtin_types=(bytes,))
                return pack_small(self._job.redact(result))
            except KarkhanaError as error:
                raise type(error)(self._job.redact(error.message), self._job.redact(error.next)) from error

        return msgspec.convert(unpack_small(self._engine.step(name, carry_out)), type=kind)
