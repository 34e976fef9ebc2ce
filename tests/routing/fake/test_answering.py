import json

import msgspec
import pytest
from calling_examples import SENTENCE, question

from karkhana.domain.chat import (
    ChatRequest,
    Format,
    Image,
    Message,
    Role,
    StopReason,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
    Usage,
    collected,
)
from karkhana.routing.fake.answering import answer_to, last_text, pieces_of, rule_for
from karkhana.routing.fake.script import AnswerRule, read_script
from karkhana.routing.faults import Fault, ProviderFault

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
LOOK = Tool(name="look", parameters=SCHEMA)


def conversation() -> ChatRequest:
    """The second turn, after the result of a tool."""
    return ChatRequest(
        model="large-2",
        messages=(
            Message(role=Role.USER, parts=(Text(text="the weather?"), Image(url="https://example.test/a.png"))),
            Message(role=Role.ASSISTANT, parts=(ToolCall(id="1", name="look", arguments="{}"),)),
            Message(role=Role.USER, parts=(ToolResult(id="1", parts=(Text(text="rain"),)),)),
        ),
    )


def test_the_first_answer_that_fits_is_given() -> None:
    script = read_script(
        """
        [[answer]]
        model = "small-*"
        text = "small"
        [[answer]]
        says = "(?i)WEATHER"
        turn = 1
        text = "first turn"
        [[answer]]
        says = "^the weather"
        turn = 2
        text = "second turn"
        [[answer]]
        text = "anything"
        """
    )
    assert rule_for(script, conversation()).text == "second turn"
    assert rule_for(script, question("the weather")).text == "first turn"
    assert rule_for(script, question("the weather", model="small-1")).text == "small"
    assert rule_for(script, question("hello")).text == "anything"


def test_an_answer_may_depend_on_the_instructions() -> None:
    script = read_script('[[answer]]\ninstructions = "(?i)BRIEF"\ntext = "short"\n[[answer]]\ntext = "long"')
    brief = Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),))
    asked = question("hello, be brief")
    assert rule_for(script, asked).text == "long"
    assert rule_for(script, msgspec.structs.replace(asked, messages=(brief, *asked.messages))).text == "short"


def test_a_request_that_the_script_does_not_foresee_is_refused_with_what_it_says() -> None:
    script = read_script('[[answer]]\nsays = "weather"\ntext = "rain"')
    with pytest.raises(ProviderFault, match="'hello'") as caught:
        rule_for(script, question("hello"))
    assert caught.value.fault is Fault.INVALID


def test_without_a_script_each_request_gets_what_it_asks_for() -> None:
    rule = rule_for(read_script(""), question())
    assert answer_to(question(), rule, 1).text == SENTENCE
    wanted = answer_to(question(format=Format(schema=SCHEMA)), rule, 1)
    assert json.loads(wanted.text) == {"city": "text"}
    forced = answer_to(question(tools=(LOOK,), tool_choice=ToolChoice(use=ToolUse.REQUIRED)), rule, 7)
    assert [(c.id, c.name, json.loads(c.arguments)) for c in forced.calls] == [("call_7_0", "look", {"city": "text"})]
    assert forced.stop is StopReason.TOOL_CALLS


def test_arguments_that_the_script_leaves_out_fit_the_tool() -> None:
    rule = read_script('[[answer]]\ncalls = [{name = "look"}, {name = "other", arguments = {a = [1]}}]').answer[0]
    calls = answer_to(question(tools=(LOOK,)), rule, 1).calls
    assert [json.loads(call.arguments) for call in calls] == [{"city": "text"}, {"a": [1]}]


def test_tokens_are_counted_by_a_plain_rule() -> None:
    rule = AnswerRule(text="four tokens here", reasoning="two tok.")
    assert answer_to(question("12345678"), rule, 1).usage == Usage(input=3 + 2, output=4 + 2, reasoning=2)
    # Three messages, 3 tokens of text, an image, a call with its arguments, a result.
    found = answer_to(conversation(), AnswerRule(text="x"), 1).usage
    assert found is not None
    assert found.input == 3 * 3 + 3 + 85 + 2 + 1


def test_a_given_usage_is_told_as_it_is() -> None:
    rule = read_script('[[answer]]\ntext = "x"\nusage = {input = 5, cache_read = 3, output = 9, reasoning = 1}').answer[
        0
    ]
    assert answer_to(question(), rule, 1).usage == Usage(input=5, cache_read=3, output=9, reasoning=1)


def test_a_text_ends_where_the_clients_limit_does() -> None:
    asked = msgspec.structs.replace(question("x"), max_tokens=3)
    answer = answer_to(asked, AnswerRule(text="four tokens here", reasoning="two tok."), 1)
    assert (answer.text, answer.stop) == ("four", StopReason.LENGTH)
    assert answer.usage == Usage(input=3 + 1, output=3, reasoning=2)
    assert answer_to(asked, AnswerRule(text="twelve signs"), 1).stop is StopReason.END
    whole = answer_to(asked, AnswerRule(text="four tokens here", stop=StopReason.END), 1)
    assert whole.text == "four tokens here"


@pytest.mark.parametrize("characters", [1, 7, 1000])
def test_pieces_are_the_answer(characters: int) -> None:
    rule = AnswerRule(text=SENTENCE, reasoning="first I think")
    answer = answer_to(question(), rule, 1)
    pieces = list(pieces_of(answer, characters))
    assert collected(pieces) == answer
    assert all(len(getattr(piece, "text", "")) <= characters for piece in pieces)


def test_the_last_text_is_that_of_the_user() -> None:
    assert last_text(conversation()) == "the weather?"
    assert last_text(ChatRequest(model="m", messages=())) == ""
