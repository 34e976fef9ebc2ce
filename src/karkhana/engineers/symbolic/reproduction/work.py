"""Turns a ticket's text into a failing test, or says what is missing to do so.

Read the ticket → find its names in the repository → try its examples in the sandbox → write a test of what
contradicts the ticket → see it fail for that reason. Acts through the tools only.
"""

import msgspec

from karkhana.domain.suites import TestReport
from karkhana.domain.tools import ListFiles
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.reproduction.asking import Findings, abstention, route_of
from karkhana.engineers.symbolic.reproduction.claims import chosen
from karkhana.engineers.symbolic.reproduction.hopeless import Kind, kind_of_request, refuse_hopeless
from karkhana.engineers.symbolic.reproduction.placing import Reproduction, put
from karkhana.engineers.symbolic.reproduction.relation import called_in, fits, named_alike, refuse_unrelated
from karkhana.engineers.symbolic.reproduction.scenes import scenes
from karkhana.engineers.symbolic.reproduction.ticket import blocks
from karkhana.engineers.symbolic.reproduction.trial import attempt
from karkhana.engineers.symbolic.reproduction.trying import refuse_contradiction, trials_of
from karkhana.engineers.symbolic.reproduction.verdict import judge
from karkhana.ports import Handover

_TRIES = 3
"""Tests that are written and run until one fails as it should."""


def kept(handover: Handover, written: Reproduction | None) -> Handover:
    """A handover that says what was reproduced, when something was."""
    if written is None:
        return handover
    if handover.solved:
        return msgspec.structs.replace(handover, reproduction=written.names[0])
    reason = (
        f"reproduced but not repaired ({written.told}); the failing test {written.names[0]} is in the trail. "
        f"{handover.reason}"
    )
    return msgspec.structs.replace(handover, reproduction=written.names[0], reason=reason)


def reproduce(hands: Hands) -> Reproduction | None:
    """Write a test that fails because of what the ticket tells.

    ``None`` when failing tests of the suite already fit the ticket, or nothing in it can be checked although tests
    fail. Raises ``Abstention`` when no test fails and the ticket gives nothing to check, or is settled already.
    """
    baseline = hands.assignment.baseline
    text = hands.assignment.ticket.text
    findings = Findings(scenes=scenes(blocks(text)))
    red = bool(baseline.failing) or baseline.timed_out
    kind = kind_of_request(hands.assignment.ticket.title)
    if red:
        refuse_hopeless(hands)
        called = called_in(findings.scenes)
        fitting = fits(baseline, text, called)
        if kind is not None and not fitting:
            raise _other_request(kind, baseline)
        if not called and not fitting:
            refuse_unrelated(hands)
        if fitting or not called:
            return None
    if findings.scenes:
        written = _written(hands, findings, text)
        if written is not None:
            return written
        for line in findings.rejected:
            hands.note(line)
    if red and (not findings.judgement.agreeing or named_alike(baseline, text)):
        refuse_unrelated(hands)
        return None
    paths = hands.tools.call(ListFiles(glob="*.py", limit=10_000)).paths
    raise abstention(findings, kind, route_of(text, paths))


def _other_request(kind: Kind, baseline: TestReport) -> Abstention:
    failing = ", ".join(baseline.failing[:3])
    return Abstention(
        f"the ticket asks for {kind.name}, and the failing tests ({failing}) are about something else", kind.next
    )


# -- the way to a test ---------------------------------------------------------------------------------------------


def _written(hands: Hands, findings: Findings, text: str) -> Reproduction | None:
    trials = trials_of(hands, findings, text)
    if not trials:
        return None
    outcomes = attempt(hands.run, trials)
    findings.judgement = judge(trials, outcomes)
    claims = findings.judgement.claims
    refuse_contradiction(hands, claims)
    for _ in range(_TRIES):
        group = chosen(claims)
        if not group:
            return None
        done = put(hands, group, findings, text)
        if done is not None:
            return done
        claims = tuple(c for c in claims if c not in group)
    return None
