"""From a user's words to an order: checks the ticket, finds the repository, reads its settings from the base commit."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from karkhana.domain.errors import ConfigurationError, InvalidInput, TicketTooLarge
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Order, TaskType, Ticket
from karkhana.factory.configuration import REPOSITORY_FILE, load_settings
from karkhana.git import Repository


def make_order(
    text: str,
    repository: Path,
    *,
    type: TaskType = TaskType.BUGFIX,
    test_command: str | None = None,
    engineer: str = "auto",
    model: str = "",
    max_turns: int | None = None,
    usd: float | None = None,
    seconds: float | None = None,
    attempts: int = 1,
    strategy: str = "",
    auto: bool = False,
    explain: bool = False,
    sandbox: str = "bubblewrap",
    accept_unsandboxed: bool = False,
    by: str = "",
) -> tuple[Order, Settings]:
    """An order for the commit that HEAD is at, and the settings that hold for it.

    ``text`` may be ``-`` for standard input. Raises ``NotARepository``, ``EmptyRepository``, ``BareRepository``,
    ``TicketTooLarge``, ``InvalidInput`` or ``InvalidSetting``.
    """
    _check_sandbox(sandbox, accept_unsandboxed)
    source = Repository.open(repository)
    commit = source.head()
    settings = settings_for(source, commit, {"budget": {"turns": max_turns, "usd": usd, "seconds": seconds}})
    order = Order(
        ticket=Ticket(text=_ticket_text(text, settings.ticket_max_bytes)),
        repository=str(source.root),
        commit=commit,
        type=type,
        test_command=test_command or settings.test_command,
        engineer=engineer,
        model=model,
        budget=settings.budget,
        attempts=attempts,
        strategy=strategy,
        auto=auto,
        explain=explain,
        sandbox=sandbox,
        by=by,
    )
    return order, settings


def another_order(order: Order, settings: Settings, text: str, *, type: TaskType, by: str) -> Order:
    """An order for what ``order`` is for, with another ticket. Raises ``TicketTooLarge`` or ``InvalidInput``."""
    ticket = Ticket(text=_ticket_text(text, settings.ticket_max_bytes))
    return msgspec.structs.replace(order, ticket=ticket, type=type, by=by)


def remarks(order: Order) -> list[str]:
    """What a person should know about the repository before the work begins."""
    source = Repository.open(order.repository)
    found = []
    if source.dirty():
        found.append(f"{order.repository} has uncommitted changes; the work starts from HEAD without them")
    if source.submodules(order.commit):
        found.append("submodules are not checked out: tests that need them will fail")
    return found


def settings_for(source: Repository, commit: str, flags: Mapping[str, Any]) -> Settings:
    """The settings with ``karkhana.toml`` of ``commit``."""
    return load_settings(flags, repository_text=own_settings(source, commit))


def own_settings(source: Repository, commit: str) -> str | None:
    """The text of ``karkhana.toml`` of ``commit``, which never changes; ``None`` when there is none."""
    entry = source.file(commit, REPOSITORY_FILE)
    if entry is None:
        return None
    return source.read_blobs([entry[1]])[entry[1]].decode("utf-8", "replace")


def _ticket_text(text: str, limit: int) -> str:
    if text == "-":
        text = sys.stdin.buffer.read(limit + 1).decode("utf-8", "replace")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise TicketTooLarge(
            f"the ticket is {size} bytes or more; the limit is {limit}",
            "Shorten it to what was expected and what happened, or raise KARKHANA_TICKET_MAX_BYTES.",
        )
    if not text.strip():
        raise InvalidInput("the ticket is empty", "Say in a sentence what is wrong and what was expected.")
    return text.encode("utf-8", "replace").decode()


def _check_sandbox(kind: str, accepted: bool) -> None:
    if kind not in ("bubblewrap", "none"):
        raise InvalidInput(f"there is no sandbox {kind!r}", "Choose one of: bubblewrap, none.")
    if kind == "none" and not accepted:
        raise ConfigurationError(
            "without a sandbox the repository's code runs with your rights",
            "Mend the sandbox (karkhana doctor), or say that you accept it: --sandbox none --accept-unsandboxed.",
        )
