from typing import Any

from karkhana.domain.chat import ToolCall
from karkhana.domain.tools import ListFiles, ReadFile, Search
from karkhana.engineers.llm.foreseeing import foresee


class Hands:
    def __init__(self) -> None:
        self.ahead: list[Any] = []

    def call(self, call: Any) -> Any:
        raise AssertionError(f"{call} was only announced")

    def foresee(self, calls: Any) -> None:
        self.ahead += calls


def announced(*names: str, arguments: str = '{"pattern": "x", "path": "a.py"}') -> list[Any]:
    hands = Hands()
    foresee(hands, [ToolCall(id=str(number), name=name, arguments=arguments) for number, name in enumerate(names)])
    return hands.ahead


def test_calls_that_only_look_are_announced_up_to_the_first_that_does_not() -> None:
    assert announced("search", "read_file", "list_files", "write_file", "search") == [
        Search(pattern="x"),
        ReadFile(path="a.py"),
        ListFiles(),
    ]


def test_one_call_is_not_announced() -> None:
    assert announced("search") == announced("search", "run_tests", "search") == announced("write_file", "search") == []


def test_what_cannot_be_read_is_left_out() -> None:
    assert announced("search", "read_file", arguments="[") == []


def test_tools_that_want_no_announcement_get_none() -> None:
    class Plain:
        def call(self, call: Any) -> Any:
            raise AssertionError(call)

    foresee(Plain(), [ToolCall(id=str(number), name="list_files", arguments="{}") for number in range(2)])
