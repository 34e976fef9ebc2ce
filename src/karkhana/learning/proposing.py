"""Drafts a strategy from what fails again and again, and admits it only when it wins on held-out past tickets.

Knows past runs as orders, outcomes and trails; how an order is worked on under a strategy is the caller's.

>>> # Proposer(shelf, TaskType.BUGFIX, trial).propose(past)
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from karkhana.domain.chat import ChatRequest, Format, Message, Role, Text
from karkhana.domain.errors import ModelUnavailable
from karkhana.domain.events import AnyEvent
from karkhana.domain.strategies import TEXT, Strategy
from karkhana.domain.tasks import Order, TaskType
from karkhana.learning.admission import Tally, compared, level, split
from karkhana.learning.failure_patterns import Pattern, asked, recurring
from karkhana.learning.shelf import Figures, Kept, Shelf, Standing
from karkhana.ports import ChatModel

CATALOGUE = "catalogue"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A past ticket and what became of it."""

    order: Order
    solved: bool
    strategy: str
    """Key of the strategy that its model worked by."""
    events: Callable[[], Iterable[AnyEvent]]


class Trialled(msgspec.Struct, frozen=True, kw_only=True):
    """A past ticket under a strategy."""

    right: bool | None
    """Handed over, and every hard gate passes; ``None``: that could not be found out."""
    cost_usd: float = 0.0


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a proposal."""

    kept: Kept | None
    reason: str


Trial = Callable[[Order, Strategy], Trialled]


class Proposer:
    """Of one type of task."""

    def __init__(
        self,
        shelf: Shelf,
        type: TaskType,
        trial: Trial,
        *,
        model: ChatModel | None = None,
        budget_usd: float = 5.0,
        tickets: int = 40,
        said: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """``model`` drafts, where there is one; ``tickets``: at most so many are held out; ``budget_usd`` bounds what
        the trials cost.
        """
        self._shelf, self._type, self._trial, self._model = shelf, type, trial, model
        self._budget_usd, self._tickets, self._said = budget_usd, tickets, said
        self._spent = 0.0

    def propose(self, past: Sequence[Past]) -> Proposal:
        """Draft one strategy, try it beside the one that most tickets had, and keep it with its figures."""
        present = self._present(past)
        of_present = [each for each in past if each.strategy == present.key]
        failed, solved = ([e for e in of_present if e.solved is wanted] for wanted in (False, True))
        seen, held = split(failed, solved) if failed else ([], [])
        found = [pair for pair in recurring([each.events() for each in seen]) if not self._tried(pair[0])]
        if not found:
            return Proposal(kept=None, reason=f"no pattern recurs in {len(seen)} failed tickets that was not tried yet")
        pattern, count = found[0]
        number = 1 + sum(self._type in e.strategy.types and bool(e.pattern) for e in self._shelf.all())
        draft, author = self._draft(pattern, found, present)
        self._said(f"{pattern.name}: {count} of {len(seen)} failed tickets; {draft.key} is tried on {len(held)} others")
        tally = self._tally(draft, present, held[: self._tickets])
        if tally is None:
            return Proposal(kept=None, reason="the budget for trials is used up: nothing is decided")
        limit = level(number)
        won = tally.p_value <= limit
        kept = Kept(
            strategy=draft,
            standing=Standing.ADMITTED if won else Standing.REJECTED,
            pattern=pattern.name,
            author=author,
            at=time.time(),
            figures=Figures(against=present.key, level=limit, cost_usd=round(self._spent, 6), **tally._asdict()),
        )
        self._shelf.keep(kept)
        word = "admitted" if won else "rejected"
        told = f"{tally.wins} wins, {tally.losses} losses on {tally.tickets} tickets, p = {tally.p_value:.4f}"
        return Proposal(kept=kept, reason=f"{draft.key} is {word}: {told}, level {limit:.4f}")

    def _present(self, past: Sequence[Past]) -> Strategy:
        usable = self._shelf.usable(self._type)
        runs = [each.strategy for each in past]
        return max(usable, key=lambda each: runs.count(each.key))

    def _tried(self, pattern: Pattern) -> bool:
        return any(each.pattern == pattern.name and self._type in each.strategy.types for each in self._shelf.all())

    def _draft(self, pattern: Pattern, found: Sequence[tuple[Pattern, int]], present: Strategy) -> tuple[Strategy, str]:
        name = f"{self._type.value}-{pattern.name}"[:40]
        written = self._written(found) if self._model is not None else ""
        advice = "\n".join(filter(None, (present.text.strip(), (written or pattern.text).strip())))[:TEXT]
        changed = {n: v for n, v in msgspec.structs.asdict(pattern.limits).items() if v is not None}
        strategy = Strategy(
            name=name,
            version=self._shelf.next_version(name),
            types=(self._type,),
            text=advice,
            limits=msgspec.structs.replace(present.limits, **changed),
        )
        return strategy, self._model.name if self._model is not None and written else CATALOGUE

    def _written(self, found: Sequence[tuple[Pattern, int]]) -> str:
        """A model's advice; empty if there is none that can be used, and the catalogue's is taken.

        It is shown the names of patterns and counts, nothing else.
        """
        if self._model is None:
            return ""
        request = ChatRequest(
            model=self._model.name,
            messages=(Message(role=Role.USER, parts=(Text(text=asked(self._type.value, found)),)),),
            format=Format(schema=_SCHEMA, name="advice"),
            max_tokens=500,
        )
        try:
            said = self._model.ask(request)
        except ModelUnavailable as away:
            self._said(f"{CATALOGUE} instead of {self._model.name}: {away.message}")
            return ""
        self._spent += float(said.cost or 0)
        return advice_of(said.answer.text)

    def _tally(self, draft: Strategy, present: Strategy, held: Sequence[Past]) -> Tally | None:
        tally = Tally(0, 0, 0, 1.0)
        for tally in compared(held, lambda past: self._right(past, draft), lambda past: self._right(past, present)):
            if self._spent >= self._budget_usd:
                return None
            self._said(f"{tally.tickets} tickets: {tally.wins} wins, {tally.losses} losses")
        return tally

    def _right(self, past: Past, strategy: Strategy) -> bool | None:
        came = self._trial(past.order, strategy)
        self._spent += came.cost_usd
        return came.right


class _Advice(msgspec.Struct, forbid_unknown_fields=True):
    text: str


def advice_of(answer: str) -> str:
    """The advice in a model's answer, bounded and without marks that could end a fence; empty if it is none.

    >>> advice_of('{"text": "Run the tests. <b>"}')
    'Run the tests. b'
    """
    start, end = answer.find("{"), answer.rfind("}")
    try:
        text = msgspec.json.decode(answer[start : end + 1], type=_Advice).text
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    kept = "".join(c for c in text if (c.isprintable() or c == "\n") and c not in "<>{}`")
    return kept.strip()[: TEXT // 2]
