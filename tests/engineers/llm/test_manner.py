"""How models are worked with: an able one gets everything, a weak one little at a time."""

import msgspec
import pytest

from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tools import EditResult, FileText, SearchResult
from karkhana.engineers.llm.calls import read
from karkhana.engineers.llm.conversation import CHARACTERS
from karkhana.engineers.llm.manner import manner_of
from karkhana.engineers.llm.prompting import tools


def report(outcome: Outcome) -> TestReport:
    result = TestResult(name="t.py::a", outcome=outcome, duration_s=0.0)
    return TestReport(command=(), exit_code=int(outcome is not Outcome.PASSED), results=(result,), duration_s=0.0)


def test_a_weak_model_is_offered_a_part_of_the_tools_with_arguments_that_can_be_read() -> None:
    known = {tool.name: tool for tool in tools()}
    few = tools(brief=True)
    assert len(few) < len(known)
    for tool in few:
        own = known[tool.name].parameters
        assert tool.parameters["properties"].keys() <= own["properties"].keys()
        assert set(own.get("required", ())) <= set(tool.parameters.get("required", ()))
        required = dict.fromkeys(tool.parameters.get("required", ()), "x")
        read(tool.name, msgspec.json.encode(required).decode())


@pytest.mark.parametrize("context", [2_048, 4_096, 8_192, 32_768, 200_000])
def test_prompt_and_answer_fit_into_the_context(context: int) -> None:
    manner = manner_of("some-model", context)
    assert 0 < manner.room + manner.answer_tokens < context
    assert manner.longest / CHARACTERS < manner.room


def test_only_a_weak_model_is_told_the_next_step() -> None:
    weak, able = manner_of("tiny-1b", 8_192), manner_of("able", 200_000)
    edited = EditResult("a.py", "-1\n+2\n")
    for result in (FileText("x", 1), edited, report(Outcome.PASSED), None):
        assert weak.next_step(result)
        assert able.next_step(result) == ""
    assert weak.next_step(report(Outcome.PASSED)) != weak.next_step(report(Outcome.FAILED))
    assert weak.next_step(SearchResult(())) == ""
