import json

from chat_examples import arguments
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.chat import Message, Role, Text, ToolCall, ToolResult
from karkhana.routing.wires.tool_calls import (
    arguments_object,
    arguments_text,
    fresh_id,
    names_of_calls,
    results_first,
)


@given(given_arguments=arguments)
def test_arguments_say_the_same_as_text_and_as_object(given_arguments: dict[str, object]) -> None:
    text = arguments_text(given_arguments)
    assert json.loads(text) == given_arguments
    assert arguments_object(text) == given_arguments
    assert arguments_text(arguments_object(text)) == text


@given(text=st.text(max_size=20))
def test_arguments_that_are_no_object_are_not_lost(text: str) -> None:
    found = arguments_object(text)
    assert isinstance(found, dict)
    if text.strip() and not text.lstrip().startswith("{"):
        assert arguments_text(found) == text


def test_odd_arguments() -> None:
    assert arguments_object("") == arguments_object("  ") == {}
    assert arguments_text(None) == arguments_text({}) == "{}"
    assert arguments_text(arguments_object('{"a": ')) == '{"a": '
    assert arguments_text(arguments_object("[" * 100_000)) == "[" * 100_000


def test_identifiers_are_never_the_same() -> None:
    assert len({fresh_id() for _ in range(1000)}) == 1000
    assert fresh_id("msg_").startswith("msg_")


def test_names_and_order() -> None:
    call, result, text = ToolCall(id="a", name="read", arguments=""), ToolResult(id="a", parts=()), Text(text="x")
    assert names_of_calls([Message(role=Role.ASSISTANT, parts=(text, call))]) == {"a": "read"}
    assert results_first((text, result, call)) == [result, text, call]
