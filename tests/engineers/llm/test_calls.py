import msgspec
import pytest

from karkhana.domain.tools import (
    CallForeign,
    EditFile,
    ListFiles,
    PushChanges,
    ReadFile,
    RunCommand,
    RunTests,
    WriteFile,
)
from karkhana.engineers.llm.calls import GiveUp, Unreadable, read
from karkhana.engineers.llm.prompting import tools


@pytest.mark.parametrize(
    ("name", "arguments", "call"),
    [
        ("read_file", '{"path": "a.py"}', ReadFile(path="a.py")),
        ("read_file", '{"path": "a.py", "start": 3, "end": null}', ReadFile(path="a.py", start=3)),
        ("read_file", '{"path": "a.py", "start": "3"}', ReadFile(path="a.py", start=3)),
        ("functions.read_file", '{"path": "a.py"}', ReadFile(path="a.py")),
        ("Read-File", '{"path": "a.py"}', ReadFile(path="a.py")),
        ("read_files", '{"path": "a.py"}', ReadFile(path="a.py")),
        ("list_files", "", ListFiles()),
        ("edit_file", '{"path": "a", "old": "x\ny", "new": "z",}', EditFile(path="a", old="x\ny", new="z")),
        ("write_file", '```json\n{"path": "a", "content": "x"}\n```', WriteFile(path="a", content="x")),
        ("read_file", "{'path': 'a.py'}", ReadFile(path="a.py")),
        ("read_file", '"{\\"path\\": \\"a.py\\"}"', ReadFile(path="a.py")),
        ("run_tests", '{"tests": ["t.py::a"]}', RunTests(tests=("t.py::a",))),
        ("run_command", '{"command": "ls | wc"}', RunCommand(argv=("sh", "-c", "ls | wc"))),
        ("push_changes", '{"title": "t", "summary": "s"}', PushChanges(title="t", summary="s")),
        ("give_up", '{"reason": "r"}', GiveUp(reason="r")),
    ],
)
def test_what_a_model_wrote_becomes_a_call(name: str, arguments: str, call: object) -> None:
    assert read(name, arguments) == call


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("delete_everything", "{}", "There is no tool 'delete_everything'"),
        ("read_file", "{}", "path"),
        ("read_file", "[1]", "no object"),
        ("read_file", "complete nonsense", "cannot be read"),
        ("edit_file", '{"path": "a", "old": 3}', "cannot be read"),
        ("run_command", "{}", "command"),
        ("read_file", "[" * 100_000, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told(name: str, arguments: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(name, arguments)


def test_half_a_file_is_never_completed() -> None:
    half = '{"path": "a.py", "content": "def f():\\n    return'
    with pytest.raises(Unreadable, match="cut off"):
        read("write_file", half, cut=True)
    # A cut that fell behind the last bracket took nothing away.
    assert read("write_file", half + '"}', cut=True) == WriteFile(path="a.py", content="def f():\n    return")


def test_every_tool_that_models_are_told_of_can_be_called() -> None:
    example = {"string": "x", "integer": 1, "number": 1.0, "array": ["x"]}
    for tool in tools():
        fields = {name: example[schema["type"]] for name, schema in tool.parameters["properties"].items()}
        call = read(tool.name, msgspec.json.encode(fields).decode())
        given = msgspec.to_builtins(call)
        assert {name for name in fields if name != "command"} <= given.keys(), tool.name
        required = {name: fields[name] for name in tool.parameters.get("required", ())}
        assert read(tool.name, msgspec.json.encode(required).decode())


def test_half_a_character_is_refused() -> None:
    with pytest.raises(Unreadable):
        read("write_file", '{"path": "a.txt", "content": "\\ud800",}')


def test_a_user_s_tool_that_is_not_allowed_is_a_call_all_the_same_which_the_tools_refuse() -> None:
    allowed = frozenset({"tracker__read"})
    assert read("tracker__close", '{"n": 1}', foreign=allowed) == CallForeign(
        server="tracker", name="close", arguments='{"n":1}'
    )
    for name in ("other__close", "tracker__", "close"):
        with pytest.raises(Unreadable, match="no tool"):
            read(name, "{}", foreign=allowed)
