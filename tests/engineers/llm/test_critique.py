import pytest

from karkhana.domain.chat import Text
from karkhana.domain.errors import PromptTooLong
from karkhana.domain.events import ModelAnswered, Noted
from karkhana.domain.evidence import Finding, Severity
from karkhana.domain.money import usd
from karkhana.engineers.llm.critique import Critic, Proposal
from karkhana.engineers.llm.fencing import Fence
from karkhana.engineers.llm.scripted import ScriptedModel, Step, text
from karkhana.factory.trails import MemoryTrail

OBJECTION = '{"findings": [{"severity": "error", "path": "a.py", "line": 3, "message": "an empty list fails"}]}'
NOTHING = '{"findings": []}'
PROPOSAL = Proposal(title="t", summary="all is well", diff="+x = 1", tests="3 passed")


def critic(*script: Step) -> tuple[Critic, ScriptedModel, MemoryTrail]:
    model, trail = ScriptedModel(script, cost=usd("0.01")), MemoryTrail()
    return Critic(model, trail, "the ticket", Fence()), model, trail


def test_a_change_without_objections_goes_on() -> None:
    made, model, trail = critic(text(NOTHING))
    assert made.objections(PROPOSAL) == ""
    assert made.standing == ()
    assert made.spent == usd("0.01")
    asked = model.requests[0].messages[1].parts[0]
    assert isinstance(asked, Text)
    assert all(word in asked.text for word in ("the ticket", "+x = 1", "all is well", "3 passed"))
    assert [event.purpose for event in trail.events if isinstance(event, ModelAnswered)] == ["review"]


def test_objections_are_told_once_and_what_still_stands_goes_on_with_the_change() -> None:
    made, model, _ = critic(text(OBJECTION), text(OBJECTION))
    told = made.objections(PROPOSAL)
    assert "a.py:3: error: an empty list fails" in told
    assert made.objections(PROPOSAL) == ""
    assert [finding.message for finding in made.standing] == ["an empty list fails"]
    assert made.standing[0].severity is Severity.ERROR
    again = model.requests[1].messages[1].parts[0]
    assert isinstance(again, Text)
    assert "an empty list fails" in again.text
    assert made.objections(PROPOSAL) == ""
    assert len(model.requests) == 2, "two rounds at most"


def test_objections_that_were_met_do_not_stand() -> None:
    made, _, _ = critic(text(OBJECTION), text(NOTHING))
    assert made.objections(PROPOSAL)
    assert made.objections(PROPOSAL) == ""
    assert made.standing == ()


@pytest.mark.parametrize("said", ["", "It looks good to me.", '{"findings": 3}', "{" * 50_000, '{"found": []}'])
def test_a_review_that_cannot_be_read_finds_nothing_and_that_is_seen(said: str) -> None:
    made, _, trail = critic(text(said))
    assert made.objections(PROPOSAL) == ""
    assert any("cannot be read" in event.text for event in trail.events if isinstance(event, Noted))


def test_words_around_the_object_do_no_harm() -> None:
    made, _, _ = critic(text(f"Here you are:\n```json\n{OBJECTION}\n```"))
    assert "an empty list" in made.objections(PROPOSAL)


def test_a_diff_that_is_too_long_is_not_reviewed_and_that_is_seen() -> None:
    made, _, trail = critic(PromptTooLong("too long"))
    assert made.objections(PROPOSAL) == ""
    assert any("not reviewed" in event.text for event in trail.events if isinstance(event, Noted))


def test_what_rules_found_is_shown_told_and_mended_or_answered() -> None:
    wrong = Finding(rule="weakened-test", message="an assertion is gone", path="test_a.py", line=4)
    found = [wrong]
    model, trail = ScriptedModel([text(NOTHING)]), MemoryTrail()
    made = Critic(model, trail, "the ticket", Fence(), lambda: tuple(found))
    assert "test_a.py:4: warning: an assertion is gone" in made.objections(PROPOSAL)
    assert made.standing == (), "rules look again after the hand-over"
    asked = model.requests[0].messages[1].parts[0]
    assert isinstance(asked, Text)
    assert "an assertion is gone" in asked.text
    assert [event.text for event in trail.events if isinstance(event, Noted)] == [
        "rules object to the diff: weakened-test"
    ]
    assert made.objections(PROPOSAL) == "", "it is told once, and may be answered"
    found.clear()
    assert made.objections(PROPOSAL) == ""
    assert len(model.requests) == 2
