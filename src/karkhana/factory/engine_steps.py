"""What is stored of a step: its result, or the error that it ended with, as JSON; and what is tried again.

Knows nothing of where it is stored.
"""

from collections.abc import Callable
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from karkhana.domain.errors import InfrastructureFailure, KarkhanaError, error_kind
from karkhana.domain.events import StepRetried
from karkhana.domain.json import canonical, decode
from karkhana.factory.engine_control import RunControl

MAX_BACKOFF_S = 30.0


class Unrecorded(BaseException):
    """Carries an exception past DBOS, which records every ``Exception`` as the step's result."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class StepRunner:
    """Carries out steps, with retries when the machinery fails."""

    def __init__(self, attempts: int, backoff_s: float, retried: Callable[[RunControl, StepRetried], None]) -> None:
        """``retried`` is told of each failed try that is followed by another one."""
        self._attempts = attempts
        self._backoff_s = backoff_s
        self._retried = retried

    def run(self, control: RunControl, name: str, function: Callable[[], Any]) -> dict[str, Any]:
        """The step's result or error, to be stored; what must not be stored leaves as ``Unrecorded``, or as a signal.

        Checks the run's control before and after.
        """
        try:
            # Here and not in the engine: a cancelled run must replay its recorded steps to the same place first.
            control.check()
            value = self._with_retries(control, name, function)
            control.check()
            return {"value": decode(canonical(value), Any)}
        except InfrastructureFailure as error:
            raise Unrecorded(error) from error
        except KarkhanaError as error:
            return {"error": {"code": error.code, "message": error.message, "next": error.next}}
        except Exception as error:  # a bug is no result: its carrier takes it past DBOS, which records exceptions
            raise Unrecorded(error) from error

    def _with_retries(self, control: RunControl, name: str, function: Callable[[], Any]) -> Any:
        def notify(state: RetryCallState) -> None:
            assert state.outcome is not None
            failure = str(state.outcome.exception())
            self._retried(control, StepRetried(step=name, attempt=state.attempt_number, error=failure))

        def attempt() -> Any:
            try:
                return function()
            except Exception:  # whatever a killed sandbox made fail: the stop is the reason that counts
                control.check()
                raise

        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_exponential(multiplier=self._backoff_s, max=MAX_BACKOFF_S),
            retry=retry_if_exception_type(InfrastructureFailure),
            sleep=control.sleep,
            before_sleep=notify,
            reraise=True,
        )
        return retrying(attempt)


def result_of(envelope: dict[str, Any]) -> Any:
    """What :meth:`StepRunner.run` returned, before or after a crash: the value as JSON data, or the error, raised."""
    if "error" in envelope:
        error = envelope["error"]
        raise error_kind(error["code"])(error["message"], error["next"])
    return envelope["value"]
