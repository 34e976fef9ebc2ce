"""A feature's work, held to its acceptance tests: scripted models, real toolbox, real suite."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from karkhana.domain.chat import Text, ToolResult
from karkhana.domain.events import AcceptanceTestsChecked, AcceptanceTestsWritten, ModelAnswered, ToolCalled
from karkhana.domain.evidence import Severity
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Budget, TaskType, Ticket
from karkhana.engineers.llm import LlmEngineer
from karkhana.engineers.llm.scripted import ScriptedModel, Step, calls, text
from karkhana.factory.trails import MemoryTrail
from karkhana.ports import Assignment, Handover
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox

COMMAND = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
FILES = {
    "cart.py": "def total(prices):\n    return sum(prices)\n",
    "test_cart.py": "from cart import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
}
BASELINE = TestReport(
    command=COMMAND, exit_code=0, results=(TestResult("test_cart.py::test_total", Outcome.PASSED),), duration_s=0.1
)
TICKET = "Discounts\n\nAcceptance criteria:\n- ten items cost a tenth less\n- nine items cost what they cost\n"
TESTS = """from cart import discounted


def test_a1_ten():
    assert discounted([10] * 10) == 90


def test_a2_nine():
    assert discounted([10] * 9) == 90
"""
WRITE = ("write_file", {"path": "test_discount.py", "content": TESTS})
BUILT = """def total(prices):
    return sum(prices)


def discounted(prices):
    if len(prices) >= 10:
        return 90
    return sum(prices)
"""
BUILD = ("write_file", {"path": "cart.py", "content": BUILT})
RUN: tuple[str, dict[str, object]] = ("run_tests", {})
PUSH = ("push_changes", {"title": "Give a discount", "summary": "Ten items are cheaper."})
GIVE_UP = ("give_up", {"reason": "enough"})


class Bench:
    def __init__(self, workspace: TemporaryWorkspace, script: Sequence[Step], ticket: str) -> None:
        self.workspace, self.ticket, self.trail = workspace, ticket, MemoryTrail()
        self.model = ScriptedModel(script)
        self.budget = Budget(turns=60, seconds=300.0, usd=1.0)
        self.tools = Toolbox(workspace, self.trail, budget=self.budget, test_command=COMMAND)

    def work(self) -> Handover:
        assignment = Assignment(
            ticket=Ticket(text=self.ticket),
            baseline=BASELINE,
            budget=self.budget,
            root=self.workspace.root,
            test_command=COMMAND,
            type=TaskType.FEATURE,
            model=self.model,
        )
        return LlmEngineer().work(assignment, self.tools, self.trail)

    def results(self) -> list[str]:
        parts = [part for message in self.model.requests[-1].messages for part in message.parts]
        results = [part for part in parts if isinstance(part, ToolResult)]
        return ["".join(each.text for each in part.parts if isinstance(each, Text)) for part in results]

    def written(self) -> list[AcceptanceTestsWritten]:
        return [event for event in self.trail.events if isinstance(event, AcceptanceTestsWritten)]

    def checked(self) -> list[AcceptanceTestsChecked]:
        return [event for event in self.trail.events if isinstance(event, AcceptanceTestsChecked)]


@contextmanager
def bench(*script: Step, ticket: str = TICKET) -> Iterator[Bench]:
    with TemporaryWorkspace(FILES) as workspace:
        yield Bench(workspace, script, ticket)


@pytest.mark.slow
def test_tests_first_then_the_work() -> None:
    with bench(calls(WRITE), calls(BUILD), calls(RUN), calls(PUSH)) as made:
        handover = made.work()
        assert handover.solved
        assert handover.objections == ()
        (written,) = made.written()
        assert written.source == "ticket"
        assert written.criteria == ("ten items cost a tenth less", "nine items cost what they cost")
        assert [(test.name, test.criteria) for test in written.tests] == [
            ("test_discount.py::test_a1_ten", (1,)),
            ("test_discount.py::test_a2_nine", (2,)),
        ]
        assert all("discounted" in test.failed for test in written.tests)
        (checked,) = made.checked()
        assert (checked.failing, checked.weakened) == ((), {})
        assert checked.noticed == "cart.py:6: not (len(prices) >= 10)"
        assert made.workspace.read("cart.py") == BUILT.encode(), "every wrong version is undone"
        task = made.model.requests[0].messages[1].parts[0]
        assert isinstance(task, Text)
        assert "A2: nine items cost what they cost" in task.text


def test_code_first_is_refused_and_commands_leave_nothing_behind() -> None:
    with bench(
        calls(BUILD), calls(("run_command", {"command": "echo broken > cart.py"})), calls(PUSH), calls(GIVE_UP)
    ) as made:
        made.work()
        told = made.results()
        assert "the acceptance tests come first" in told[0]
        assert made.workspace.read("cart.py") == FILES["cart.py"].encode()
        assert any("not run the tests" in each or "no acceptance tests" in each for each in told[2:])
        called = [event.call["tool"] for event in made.trail.events if isinstance(event, ToolCalled)]
        assert called[1:] == ["run_command"], "after the look at the repository"


def test_tests_that_pass_at_once_are_refused() -> None:
    idle = ("write_file", {"path": "test_more.py", "content": "def test_a1():\n    'A2'\n    assert 1 + 1 == 2\n"})
    with bench(calls(idle), calls(BUILD), calls(GIVE_UP)) as made:
        made.work()
        assert "they cannot fail" in made.results()[1]
        assert "test_more.py::test_a1" in made.results()[1]
        assert made.workspace.read("cart.py") == FILES["cart.py"].encode()
        assert made.written() == []


def test_broken_tests_and_criteria_without_a_test_are_told() -> None:
    broken = ("write_file", {"path": "test_more.py", "content": "def test_a1(no_such_thing):\n    assert False\n"})
    half = ("write_file", {"path": "test_more.py", "content": "def test_a1():\n    assert False\n"})
    with bench(calls(broken), calls(BUILD), calls(half), calls(BUILD), calls(GIVE_UP)) as made:
        made.work()
        told = made.results()
        assert "are broken themselves" in told[1]
        assert "A2: nine items" in told[3]
        assert "A1:" not in told[3]


@pytest.mark.slow
def test_tests_that_are_weakened_later_become_findings() -> None:
    softer = ("edit_file", {"path": "test_discount.py", "old": "* 10) == 90", "new": "* 10) >= 90"})
    why = ("push_changes", {"title": "Give a discount", "summary": "test_a1_ten is softer, because cents vary."})
    with bench(calls(WRITE), calls(BUILD), calls(softer), calls(RUN), calls(PUSH), calls(why)) as made:
        handover = made.work()
        assert "Put them back" in made.results()[4]
        (finding,) = handover.objections
        assert (finding.rule, finding.severity) == ("acceptance-weakened", Severity.WARNING)
        assert "discounted([10] * 10) == 90" in finding.message


@pytest.mark.slow
def test_without_a_reason_the_finding_is_an_error_and_failing_tests_are_one_as_well() -> None:
    gone = ("write_file", {"path": "test_discount.py", "content": TESTS.partition("def test_a2")[0]})
    wrong = ("write_file", {"path": "cart.py", "content": BUILT.replace("return 90", "return 91")})
    with bench(calls(WRITE), calls(wrong), calls(gone), calls(RUN), *[calls(PUSH)] * 3) as made:
        handover = made.work()
        assert handover.solved
        assert {(each.rule, each.severity) for each in handover.objections} == {
            ("acceptance-failing", Severity.ERROR),
            ("acceptance-weakened", Severity.ERROR),
        }


@pytest.mark.slow
def test_tests_that_cannot_fail_become_an_error() -> None:
    blind = "from cart import discounted\n\n\ndef test_a1_a2():\n    assert discounted is not None\n"
    with bench(
        calls(("write_file", {"path": "test_discount.py", "content": blind})),
        calls(BUILD), calls(RUN), calls(PUSH), calls(PUSH), calls(PUSH),
    ) as made:  # fmt: skip
        handover = made.work()
        assert "pass even when the new code is made wrong" in made.results()[3]
        assert [(each.rule, each.severity) for each in handover.objections] == [("acceptance-blind", Severity.ERROR)]
        assert len(made.checked()[0].unnoticed) == 3


def test_a_model_lists_the_criteria_of_a_ticket_that_has_none() -> None:
    listed = text('{"criteria": ["ten items cost a tenth less"]}')
    with bench(listed, calls(GIVE_UP), ticket="Give a discount to big orders") as made:
        made.work()
        task = made.model.requests[1].messages[1].parts[0]
        assert isinstance(task, Text)
        assert "A1: ten items cost a tenth less" in task.text
        assert [event.purpose for event in made.trail.events if isinstance(event, ModelAnswered)] == [
            "criteria", "work",
        ]  # fmt: skip
