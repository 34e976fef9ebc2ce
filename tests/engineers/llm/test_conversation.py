import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.chat import Cache, Message, Role, Text, ToolCall, ToolResult
from karkhana.engineers.llm.conversation import Broken, Conversation, check
from karkhana.engineers.llm.scripted import calls, text


def turn(talk: Conversation, number: int, size: int, *, tests: bool = False) -> None:
    answer = calls(("read_file", {"path": f"{number}.py"}), said=f"look {number}")
    talk.answered(answer)
    result = ToolResult(id="c0", name="read_file", parts=(Text(text=f"result {number} " + "x" * size),))
    talk.returned([result], tests=tests)


def texts(messages: tuple[Message, ...]) -> str:
    found = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, Text):
                found.append(part.text)
            elif isinstance(part, ToolResult):
                found += [each.text for each in part.parts if isinstance(each, Text)]
    return "\n".join(found)


def test_what_is_pinned_never_goes() -> None:
    talk = Conversation("the rules", "the ticket", room=3_000)
    turn(talk, 0, 2_000, tests=True)
    for number in range(1, 40):
        turn(talk, number, 2_000)
        talk.compact()
    said = texts(talk.messages())
    assert "the rules" in said
    assert "the ticket" in said
    assert "result 0 " + "x" * 2_000 in said, "the newest test results"
    assert "result 39 " + "x" * 2_000 in said
    assert "result 20 " not in said
    assert 'read_file {"path":"20.py"}' in said, "what was called is remembered"
    check(talk.messages())


def test_there_is_room_afterwards_and_the_estimate_stays_true() -> None:
    talk = Conversation("r", "t", room=5_000)
    for number in range(30):
        turn(talk, number, 1_500)
        done = talk.compact()
        if done is not None:
            assert done.after < done.before
            assert talk.tokens <= 5_000
    again = Conversation("r", "t", room=5_000)
    assert again.compact() is None


@given(st.lists(st.tuples(st.integers(0, 3_000), st.booleans(), st.booleans()), max_size=30), st.integers(200, 4_000))
def test_every_call_keeps_its_result(turns: list[tuple[int, bool, bool]], room: int) -> None:
    talk = Conversation("rules", "ticket", room=room)
    for number, (size, tests, words) in enumerate(turns):
        turn(talk, number, size, tests=tests)
        if words:
            talk.told("go on")
        talk.compact()
        check(talk.messages())


def test_the_provider_is_asked_to_keep_the_newest_message() -> None:
    talk = Conversation("rules", "ticket", room=1_000)
    turn(talk, 0, 10)
    messages = talk.messages()
    assert messages[-1].parts[-1].cache is Cache.SHORT  # type: ignore[union-attr]
    assert messages[1].parts[-1].cache is Cache.SHORT  # type: ignore[union-attr]


def test_an_empty_answer_is_made_one_that_providers_take() -> None:
    talk = Conversation("rules", "ticket", room=1_000)
    talk.answered(text(""))
    talk.told("go on")
    check(talk.messages())
    assert "(nothing)" in texts(talk.messages())


@pytest.mark.parametrize(
    "messages",
    [
        (Message(role=Role.USER, parts=(Text(text="x"),)),),
        (
            Message(role=Role.SYSTEM, parts=(Text(text="r"),)),
            Message(role=Role.USER, parts=(Text(text="t"),)),
            Message(role=Role.ASSISTANT, parts=(ToolCall(id="a", name="n", arguments=""),)),
            Message(role=Role.USER, parts=(Text(text="no result"),)),
        ),
        (
            Message(role=Role.SYSTEM, parts=(Text(text="r"),)),
            Message(role=Role.USER, parts=(Text(text="t"),)),
            Message(role=Role.USER, parts=(Text(text="twice"),)),
        ),
    ],
)
def test_what_providers_refuse_is_found(messages: tuple[Message, ...]) -> None:
    with pytest.raises(Broken):
        check(messages)
