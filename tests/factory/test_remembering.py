from karkhana.domain.events import AnyEvent, ModelAnswered, ToolCalled, ToolReturned, WorkspaceOpened
from karkhana.domain.tasks import Budget
from karkhana.domain.tools import ListFiles, Search
from karkhana.factory.remembering import RememberingTools, memory_of
from karkhana.factory.trails import MemoryTrail
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox, as_data


def opened(engineer: str = "llm") -> AnyEvent:
    return WorkspaceOpened(commit="c", engineer=engineer)


def answered(turn: int, purpose: str = "work") -> AnyEvent:
    return ModelAnswered(turn=turn, purpose=purpose, model="m", answer={})


def called(turn: int) -> list[AnyEvent]:
    return [ToolCalled(turn=turn, call={"n": turn}), ToolReturned(turn=turn)]


WORK = [
    opened(),
    *called(1),
    answered(1),
    *called(2),
    answered(2),
    *called(3),
    answered(1, "review"),
    answered(3),
    ToolCalled(turn=4, call={"n": 4}),
]


def test_everything_that_was_finished_is_remembered() -> None:
    memory = memory_of(WORK, "llm")
    assert [event.turn for event in memory.answers] == [1, 2, 3]
    assert [call.turn for call, _ in memory.calls] == [1, 2, 3]
    assert len(memory.reviews) == 1


def test_another_engineer_s_work_is_not() -> None:
    assert memory_of([opened("symbolic"), *called(1), opened(), answered(1)], "symbolic").answers == ()
    assert len(memory_of([opened("symbolic"), *called(1), opened(), answered(1)], "llm").answers) == 1


def test_a_repetition_that_broke_off_does_not_shorten_the_memory() -> None:
    memory = memory_of([*WORK, opened(), *called(1), answered(1)], "llm")
    assert len(memory.answers) == 3
    longer = memory_of([*WORK, *WORK, answered(4)], "llm")
    assert len(longer.answers) == 4


def test_as_of_an_earlier_answer() -> None:
    memory = memory_of(WORK, "llm", 2)
    assert [event.turn for event in memory.answers] == [1, 2]
    assert [call.turn for call, _ in memory.calls] == [1, 2, 3]
    assert len(memory.reviews) == 1
    first = memory_of(WORK, "llm", 1)
    assert [call.turn for call, _ in first.calls] == [1, 2]
    assert first.reviews == ()


def test_a_question_before_the_work_is_remembered_and_not_counted() -> None:
    events = [opened("llm"), answered(1, "criteria"), answered(1), *called(1), answered(2), *called(2)]
    memory = memory_of(events, "llm", turn=1)
    assert [event.purpose for event in memory.answers] == ["criteria", "work"]
    assert [call.turn for call, _ in memory.calls] == [1]
    assert (memory.turns, memory_of(events, "llm").turns) == (1, 2)


def test_what_is_remembered_is_not_looked_up_beforehand() -> None:
    with TemporaryWorkspace({"a.py": "x\n"}) as workspace:
        toolbox = Toolbox(workspace, MemoryTrail(), budget=Budget())
        looks = [Search(pattern="x"), ListFiles()]
        returned = ToolReturned(turn=1, result=toolbox.call(ListFiles(glob="*.md")))
        memory = [(ToolCalled(turn=1, call=as_data(ListFiles(glob="*.md"))), returned)]
        tools = RememberingTools(toolbox, memory, lambda _: b"")
        tools.foresee(looks)
        assert tools.call(ListFiles(glob="*.md")).paths == ()
        tools.foresee(looks)
        assert tools.call(looks[0]).matches[0].path == "a.py"
        assert tools.call(looks[1]).paths == ("a.py",)
