"""Carries a person's answer to a run that waits: through the same door as ``karkhana runs approve``, one at a time.

Knows nothing of pages. The factory that carries an answer out is opened for it and closed again.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong

import sqlalchemy as sa

from karkhana.domain.errors import InvalidInput, LeftToWorker
from karkhana.domain.events import AnyEvent
from karkhana.factory.results import RunResult

_log = logging.getLogger("karkhana.deciding")
Answering = Callable[..., RunResult]
PATIENCE_S = 20.0
"""Seconds that a page waits for a delivery; after that it goes on without the page."""


class Deciding:
    """Gives answers, in a thread of its own: the durable engine is made for one at a time in a process."""

    def __init__(self, answering: Answering, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._answering = answering
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="deciding")

    def decide(
        self,
        run_id: str,
        *,
        approved: bool,
        comment: str,
        seen: str,
        by: str,
        written: Callable[[sa.Connection], None],
    ) -> RunResult | None:
        """What came of the run; ``None`` when the answer is still being carried out after a while, or by a worker.

        ``by``: who answers. ``seen``: the hash of the change that they looked at. ``written`` is called in the
        transaction that leaves the answer, to write down what belongs to it. Raises ``UnknownRun``, or
        ``InvalidInput`` when the run waits for nobody, for somebody else, or with another change, when somebody decided
        before, or when other answers take too long.
        """
        work: Future[RunResult] = self._threads.submit(
            self._answering,
            run_id,
            approved=approved,
            comment=comment,
            by=by,
            observer=_nobody,
            account=by,
            seen=seen,
            written=written,
        )
        try:
            return work.result(self._patience_s)
        except LeftToWorker as left:
            _log.warning("%s", left.message)
            return None
        except TooLong:
            if work.cancel():
                # it was not begun, and a server that stops would lose it
                raise InvalidInput(
                    "other answers are still being carried out", "Give this one again in a moment."
                ) from None
            return None

    def close(self) -> None:
        """Wait for the answer that is being carried out."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _nobody(_event: AnyEvent) -> None:
    """The page follows the trail."""
