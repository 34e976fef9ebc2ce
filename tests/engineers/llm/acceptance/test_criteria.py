import pytest

from karkhana.domain.errors import PromptTooLong
from karkhana.domain.events import ModelAnswered, Noted
from karkhana.domain.money import usd
from karkhana.engineers.llm.acceptance.criteria import MOST, Criteria, criteria_of, read_criteria
from karkhana.engineers.llm.fencing import Fence
from karkhana.engineers.llm.scripted import ScriptedModel, Step, text
from karkhana.factory.trails import MemoryTrail


@pytest.mark.parametrize(
    ("ticket", "found"),
    [
        ("Add it\n\n## Acceptance criteria\n\n1. one\n2) two\n\n## Notes\n- not this", ("one", "two")),
        ("Add it\n\n**Acceptance criteria:**\n* [ ] one\n* [x] two", ("one", "two")),
        ("Add it\n- [ ] one\n- [x] two\n- a remark", ("one", "two")),
        (
            "Given a\nAnd b\nWhen c\nThen d\nGiven e\nWhen f\nThen g",
            ("Given a And b When c Then d", "Given e When f Then g"),
        ),
        ("Acceptance criteria:\nGiven a\nWhen b\nThen c", ("Given a When b Then c",)),
        ("When I add nothing the total is wrong, then I cry.", ()),
        ("Add a discount\n- for ten items", ()),
        ("", ()),
    ],
)
def test_what_a_ticket_lists_is_read(ticket: str, found: tuple[str, ...]) -> None:
    assert read_criteria(ticket) == found


def test_a_ticket_cannot_list_without_end() -> None:
    found = read_criteria("Acceptance criteria:\n" + "\n".join(f"- {n} {'x' * 999}" for n in range(99)))
    assert len(found) == MOST
    assert max(map(len, found)) == 400


def asked(*script: Step) -> tuple[Criteria, ScriptedModel, MemoryTrail]:
    model, trail = ScriptedModel(script, cost=usd("0.01")), MemoryTrail()
    return criteria_of("Add a discount, please", "Add a discount", model, trail, Fence()), model, trail


def test_a_model_lists_them_where_the_ticket_does_not() -> None:
    found, model, trail = asked(text('Here: {"criteria": ["ten cost  less", "", "ten cost less", "nine do not"]}'))
    assert found == Criteria(texts=("ten cost less", "nine do not"), source="model", cost=usd("0.01"))
    assert model.requests[0].format is not None
    assert [event.purpose for event in trail.events if isinstance(event, ModelAnswered)] == ["criteria"]


@pytest.mark.parametrize("said", ["", "none", '{"criteria": 3}', '{"criteria": [3]}', "{" * 50_000])
def test_what_cannot_be_read_is_seen_and_the_title_stands_for_it(said: str) -> None:
    found, _, trail = asked(text(said))
    assert (found.texts, found.source) == (("Add a discount",), "title")
    assert any("cannot be read" in event.text for event in trail.events if isinstance(event, Noted))


def test_a_ticket_that_is_too_long_for_the_model_is_seen_as_well() -> None:
    found, _, trail = asked(PromptTooLong("too long"))
    assert found.source == "title"
    assert any("too long" in event.text for event in trail.events if isinstance(event, Noted))


def test_a_ticket_that_lists_them_asks_nobody() -> None:
    model = ScriptedModel([])
    found = criteria_of("Acceptance criteria:\n- one", "t", model, MemoryTrail(), Fence())
    assert (found.source, model.requests) == ("ticket", [])
