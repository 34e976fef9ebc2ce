"""Do strategies learn? A stream of tickets whose type fails about 30 % of the time under the first strategy.

    python -m benchmarks.strategies [--tickets 200] [--control 500] [--seed 1] [--json]

The model is a **fake**, and the figures say nothing of any real model: its answers depend on the instructions that it
reads. On 3 of 10 tickets it edits the wrong function and hands over without a run of the tests, unless its instructions
tell it to run them before it hands over; then it sees what fails, and mends it. What is measured is the factory's part:
the pattern is seen in the trails, a remedy is drafted, admitted on held-out tickets, and chosen by outcomes.

A ticket is worked on by the LLM engineer's loop through the real toolbox in a plain folder, and judged by the whole
suite. The queue, the sandbox and the gates are left out, because the real line takes many times as long for a ticket
(``tests/factory/test_trials.py`` tries a strategy on it); and the suite is run once for each state of the code (there
are four), and its report is remembered. Proposer, shelf, admission, outcomes and bandit are the product's own.

*before* is the share that fails under the first strategy; *after* the share of as many new tickets that fails when the
bandit chooses between all strategies in use, with no human edit in between. *deaf* is the same with a model that no
advice helps: nothing may be admitted. *false_admissions*: the share of ``--control`` streams of useless proposals (each
as good as what is in use, one after another for every pattern of the catalogue) that admit any; at most 0.05.
"""

import argparse
import functools
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from benchmarks.common import emit
from karkhana.domain.changes import Change
from karkhana.domain.chat import ChatAnswer, ChatRequest, Role, Text
from karkhana.domain.events import AnyEvent, ChangeHandedOver, SuiteMeasured, ToolCalled, ToolReturned, WorkspaceOpened
from karkhana.domain.money import usd
from karkhana.domain.routes import RouteOutcome
from karkhana.domain.strategies import Strategy
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Budget, Order, TaskType, Ticket
from karkhana.domain.tools import RunTests, ToolCall
from karkhana.engineers.llm import LlmEngineer
from karkhana.engineers.llm.scripted import ScriptedModel, calls
from karkhana.engineers.llm.strategies import shipped
from karkhana.factory.strategies import beliefs, draw, pool
from karkhana.factory.trails import MemoryTrail
from karkhana.learning.admission import compared, level
from karkhana.learning.failure_patterns import patterns
from karkhana.learning.proposing import Past, Proposer, Trialled
from karkhana.learning.shelf import Shelf, Standing
from karkhana.ports import Assignment
from karkhana.storage.database import open_database
from karkhana.storage.route_store import RouteStore
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox, as_data

R = TypeVar("R")
TYPE = TaskType.BUGFIX
COMMAND = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
FILES = {
    "bill.py": "def net(prices):\n    return sum(prices)\n\n\ndef total(prices):\n    return sum(prices) - 1\n",
    "test_bill.py": "from bill import net, total\n\n\ndef test_net():\n    assert net([1, 2]) == 3\n\n\n"
    "def test_total():\n    assert total([1, 2]) == 3\n",
}
RIGHT = ("edit_file", {"path": "bill.py", "old": "    return sum(prices) - 1\n", "new": "    return sum(prices)\n"})
WRONG = ("edit_file", {"path": "bill.py", "old": "sum(prices)\n\n", "new": "sum(prices) + 1\n\n"})
BACK = ("edit_file", {"path": "bill.py", "old": "sum(prices) + 1\n\n", "new": "sum(prices)\n\n"})
PUSH = ("push_changes", {"title": "Count every price", "summary": "One was taken away."})
TESTS: tuple[str, dict[str, Any]] = ("run_tests", {})
PRICE = usd("0.001")
HEARS = "run the tests once more"
"""Words of the remedy that the fake obeys."""


def answer(request: ChatRequest, *, hard: bool, deaf: bool) -> ChatAnswer:
    """What the fake model says: by the instructions, and by how many answers it gave."""
    rules = "".join(part.text for part in request.messages[0].parts if isinstance(part, Text))
    turn = sum(message.role is Role.ASSISTANT for message in request.messages)
    if hard and (deaf or HEARS not in rules):
        script: list[tuple[tuple[str, dict[str, Any]], ...]] = [(WRONG,), (PUSH,)]
    elif hard:
        script = [(WRONG,), (TESTS,), (BACK, RIGHT), (TESTS,), (PUSH,)]
    else:
        script = [(RIGHT,), (TESTS,), (PUSH,)]
    return calls(*script[min(turn, len(script) - 1)])


def order_of(number: int) -> Order:
    """A ticket of the stream."""
    return Order(ticket=Ticket(text=f"ticket {number}: total() is too low"), repository="bill", commit="0" * 40)


class Suite:
    """Reports of the suite for each state of the code: run once, then remembered."""

    def __init__(self) -> None:
        self._known: dict[bytes, TestReport] = {}

    def report(self, workspace: TemporaryWorkspace) -> TestReport:
        state = workspace.read("bill.py") or b""
        if state not in self._known:
            with TemporaryWorkspace({**FILES, "bill.py": state}) as other:
                toolbox = Toolbox(other, MemoryTrail(), budget=Budget(), test_command=COMMAND)
                self._known[state] = toolbox.call(RunTests())
        return self._known[state]


class Hands:
    """The toolbox, but for runs of the suite. Implements ``karkhana.ports.Tools``."""

    def __init__(self, workspace: TemporaryWorkspace, trail: MemoryTrail, budget: Budget, suite: Suite) -> None:
        self._workspace, self._trail, self._suite = workspace, trail, suite
        self._toolbox = Toolbox(workspace, trail, budget=budget, test_command=COMMAND)

    def call(self, call: ToolCall[R]) -> R:
        """As the toolbox."""
        if not isinstance(call, RunTests):
            return self._toolbox.call(call)
        self._trail.record(ToolCalled(turn=self._toolbox.turns, call=as_data(call)))
        report = self._suite.report(self._workspace)
        self._trail.record(ToolReturned(turn=self._toolbox.turns, result=msgspec.to_builtins(report)))
        return cast(R, report)


class Stream:
    """Works on tickets, and counts."""

    def __init__(self, suite: Suite, hard: set[int], *, deaf: bool = False) -> None:
        self._suite, self._hard, self._deaf = suite, hard, deaf
        self.cost_usd = 0.0

    def work(self, order: Order, strategy: Strategy) -> tuple[bool, list[AnyEvent]]:
        """Whether the suite passes in the end, and the trail."""
        number = int(order.ticket.text.split(":")[0].split()[1])
        say = functools.partial(answer, hard=number in self._hard, deaf=self._deaf)
        model, trail = ScriptedModel([say], cost=PRICE), MemoryTrail()
        trail.record(WorkspaceOpened(commit=order.commit, engineer="llm"))
        with TemporaryWorkspace(FILES) as workspace:
            baseline = self._suite.report(workspace)
            trail.record(SuiteMeasured(after_change=False, report=baseline))
            assignment = Assignment(
                ticket=order.ticket,
                baseline=baseline,
                budget=order.budget,
                root=workspace.root,
                test_command=COMMAND,
                model=model,
                strategy=strategy,
            )
            handover = LlmEngineer().work(assignment, Hands(workspace, trail, order.budget, self._suite), trail)
            after = self._suite.report(workspace)
        if handover.solved:
            trail.record(
                ChangeHandedOver(change=Change(base=order.commit, files=(), patch="", summary="", engineer="llm"))
            )
            trail.record(SuiteMeasured(after_change=True, report=after))
        self.cost_usd += float(PRICE) * len(model.requests)
        return handover.solved and not after.failing, trail.events

    def trial(self, order: Order, strategy: Strategy) -> Trialled:
        """For the proposer."""
        before = self.cost_usd
        right, _ = self.work(order, strategy)
        return Trialled(right=right, cost_usd=self.cost_usd - before)


def learnt(folder: Path, stream: Stream, tickets: int, seed: int) -> dict[str, Any]:
    """Before, the proposal, and after."""
    shelf, chance = Shelf(folder, shipped()), random.Random(seed)
    past: list[Past] = []
    failed: list[bool] = []
    chosen: list[str] = []
    with open_database(None, folder) as database:
        store = RouteStore(database)
        for number in range(2 * tickets):
            if number == tickets:
                proposal = Proposer(shelf, TYPE, stream.trial).propose(past)
                print(proposal.reason, file=sys.stderr, flush=True)
                if proposal.kept is None or proposal.kept.standing is not Standing.ADMITTED:
                    break
            order = order_of(number)
            options = shelf.usable(TYPE)
            key, _ = draw(beliefs(store, "fake", TYPE.value, options), chance)
            right, events = stream.work(order, next(each for each in options if each.key == key))
            past.append(Past(order=order, solved=right, strategy=key, events=functools.partial(list, events)))
            failed.append(not right)
            chosen.append(key)
            store.record(
                RouteOutcome(
                    reference=f"run:{number}",
                    at=time.time(),
                    pool=pool("fake"),
                    task_type=TYPE.value,
                    rung=key,
                    passed=right,
                )
            )
    after = failed[tickets:]
    return {
        "before": round(sum(failed[:tickets]) / tickets, 4),
        "after": round(sum(after) / len(after), 4) if after else None,
        "tickets": len(failed),
        "admitted": proposal.kept.strategy.key if after and proposal.kept is not None else None,
        "figures": msgspec.to_builtins(proposal.kept.figures) if proposal.kept is not None else None,
        "first_strategy_after": chosen[tickets:].count("plain@1"),
        "cost_usd": round(stream.cost_usd, 4),
    }


def false_admissions(streams: int, held: int, seed: int) -> float:
    """Share of streams of useless proposals that admit any."""
    chance = random.Random(seed)

    def right(_ticket: int) -> bool:
        return chance.random() < 0.7

    def admits(number: int) -> bool:
        return list(compared(range(held), right, right))[-1].p_value <= level(number)

    return sum(any(admits(n) for n in range(1, len(patterns()) + 1)) for _ in range(streams)) / streams


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=200, help="before, and as many after")
    parser.add_argument("--control", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    hard = {
        start + n
        for start in (0, options.tickets)
        for n in chance.sample(range(options.tickets), options.tickets * 3 // 10)
    }
    suite = Suite()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        figures = learnt(Path(one), Stream(suite, hard), options.tickets, options.seed)
        deaf = learnt(Path(other), Stream(suite, hard, deaf=True), options.tickets, options.seed)
    figures["deaf"] = {name: deaf[name] for name in ("before", "admitted", "figures")}
    figures["deaf_admitted"] = deaf["admitted"]
    figures["false_admissions"] = false_admissions(options.control, options.tickets // 2, options.seed)
    figures["model"] = "fake: its answers depend on its instructions"
    emit("Strategies (fake model)", figures, as_json=options.json)


if __name__ == "__main__":
    main()
