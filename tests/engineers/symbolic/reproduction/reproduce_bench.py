"""A plain folder to reproduce tickets in, with the real toolbox."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from karkhana.domain.events import AnyEvent
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import RunTests
from karkhana.engineers.symbolic.hands import Hands
from karkhana.ports import Assignment
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox

COMMAND = ("python", "-m", "pytest", "-q")

SHOP = {
    "shop/__init__.py": "from shop.prices import total\n",
    "shop/prices.py": (
        "def total(prices, discount=0):\n"
        "    whole = sum(prices)\n"
        "    return whole + whole * discount // 100\n\n\n"
        "def mean(prices):\n"
        "    return sum(prices) / len(prices)\n\n\n"
        "def pairs(prices):\n"
        "    for n in range(len(prices)):\n"
        "        yield prices[n], prices[n + 1]\n\n\n"
        "class Label:\n"
        "    def __init__(self, price):\n"
        "        self.price = price\n\n"
        "    def text(self):\n"
        "        return '%d EUR' % self.price\n"
    ),
    "tests/test_prices.py": "from shop import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
}


class SilentTrail:
    """Keeps events in a list."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def record(self, event: AnyEvent) -> None:
        self.events.append(event)

    def keep(self, content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()


@dataclass
class Desk:
    """The engineer's hands on one ticket, and the folder that it works in."""

    hands: Hands
    workspace: TemporaryWorkspace

    def changed(self) -> dict[str, str]:
        return {change.path: (after or b"").decode() for change, _, after in self.workspace.changes()}


@contextmanager
def desk(ticket: str, files: Mapping[str, str] = SHOP, command: tuple[str, ...] = COMMAND) -> Iterator[Desk]:
    with TemporaryWorkspace(files) as workspace:
        trail = SilentTrail()
        tools = Toolbox(workspace, trail, budget=Budget(), test_command=command)
        baseline = Toolbox(workspace, SilentTrail(), budget=Budget(), test_command=command).call(RunTests())
        assignment = Assignment(
            ticket=Ticket(text=ticket),
            baseline=baseline,
            budget=Budget(),
            root=workspace.root,
            test_command=command,
        )
        yield Desk(Hands(assignment, tools, trail), workspace)
