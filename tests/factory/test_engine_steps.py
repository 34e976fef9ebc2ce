from collections.abc import Callable

import pytest

from karkhana.domain.errors import BudgetExhausted, InfrastructureFailure, KarkhanaError, RunCancelled, RunFailure
from karkhana.domain.events import StepRetried
from karkhana.factory.engine_control import RunControl
from karkhana.factory.engine_steps import StepRunner, Unrecorded, result_of


def runner(attempts: int = 3, told: list[StepRetried] | None = None) -> StepRunner:
    heard = told if told is not None else []
    return StepRunner(attempts, 0.001, lambda _control, event: heard.append(event))


def failing(times: int, error: Exception) -> Callable[[], str]:
    left = [error] * times

    def function() -> str:
        if left:
            raise left.pop()
        return "done"

    return function


def test_a_result_is_stored_as_json_data() -> None:
    stored = runner().run(RunControl("run_1", 1), "plan", lambda: {"pair": (1, 2)})
    assert stored == {"value": {"pair": [1, 2]}}
    assert result_of(stored) == {"pair": [1, 2]}


@pytest.mark.parametrize("kind", [RunFailure, BudgetExhausted])
def test_an_error_is_stored_and_raised_again_as_its_own_class(kind: type[KarkhanaError]) -> None:
    stored = runner().run(RunControl("run_1", 1), "build", failing(1, kind("used up", "Raise it.")))
    with pytest.raises(kind, match="used up") as raised:
        result_of(stored)
    assert type(raised.value) is kind
    assert raised.value.next == "Raise it."


def test_an_error_whose_class_is_gone_is_still_a_failure() -> None:
    with pytest.raises(RunFailure, match="once upon a time"):
        result_of({"error": {"code": "long_gone", "message": "once upon a time", "next": ""}})


def test_broken_machinery_is_tried_again_and_told_of() -> None:
    told: list[StepRetried] = []
    stored = runner(3, told).run(RunControl("run_1", 1), "build", failing(2, InfrastructureFailure("broken")))
    assert result_of(stored) == "done"
    assert [(event.attempt, event.error) for event in told] == [(1, "broken"), (2, "broken")]


def test_what_no_try_could_mend_is_not_stored() -> None:
    with pytest.raises(Unrecorded) as carrier:
        runner(2).run(RunControl("run_1", 1), "build", failing(2, InfrastructureFailure("broken")))
    assert isinstance(carrier.value.error, InfrastructureFailure)


def test_a_bug_is_not_stored_and_not_tried_again() -> None:
    function = failing(1, ZeroDivisionError("boom"))
    with pytest.raises(Unrecorded) as carrier:
        runner().run(RunControl("run_1", 1), "build", function)
    assert isinstance(carrier.value.error, ZeroDivisionError)
    assert function() == "done"


def test_a_cancelled_run_stores_nothing_whatever_its_step_says() -> None:
    control = RunControl("run_1", 1)

    def cancelled_meanwhile() -> str:
        control.cancel()
        return "done"

    with pytest.raises(RunCancelled):
        runner().run(control, "build", cancelled_meanwhile)


def test_what_a_killed_sandbox_makes_fail_counts_as_the_cancellation() -> None:
    control = RunControl("run_1", 1)

    def killed() -> str:
        control.cancel()
        raise InfrastructureFailure("the sandbox is gone")

    with pytest.raises(RunCancelled):
        runner().run(control, "build", killed)
