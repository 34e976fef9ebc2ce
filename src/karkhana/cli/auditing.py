"""Writes into the audit what somebody at the terminal did with a run, or was refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from karkhana.cli.account import at_terminal
from karkhana.domain.errors import KarkhanaError, UnknownRun
from karkhana.factory.stores import open_stores


@contextmanager
def audited(action: str, run_id: str, details: dict[str, object] | None = None) -> Iterator[None]:
    """Around what is done; an action that fails is written down as refused, with the reason."""
    try:
        yield
    except UnknownRun:
        raise
    except KarkhanaError as error:
        _record(action, run_id, "refused", {**(details or {}), "why": error.message})
        raise
    _record(action, run_id, "done", details or {})


def _record(action: str, run_id: str, outcome: str, details: dict[str, object]) -> None:
    with open_stores() as stores:
        product = stores.tasks.get(stores.runs.get(run_id).task_id).product
        stores.audit.record(
            at_terminal(), action=action, target=run_id, product=product, outcome=outcome, details=details
        )
