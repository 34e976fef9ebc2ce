"""One run as the stations see it: the order, the trail, and the rooms they may call on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from karkhana.domain.events import AnyEvent, StatusChanged
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Order, Status
from karkhana.factory.autonomy import AutonomyBook
from karkhana.factory.engine_control import RunControl
from karkhana.factory.models import Models
from karkhana.factory.outcomes import OutcomeBook
from karkhana.factory.understanding import Understander
from karkhana.ports import Engineer, Forge, Gate, Trail, Workspace, Workspaces
from karkhana.storage.lesson_store import LessonStore
from karkhana.storage.route_store import RouteStore
from karkhana.storage.runs import RunStore


@dataclass(frozen=True)
class Rooms:
    """What the stations call on; composed once per process."""

    runs: RunStore
    engineers: Mapping[str, Engineer]
    """By name; the first one is the default."""
    gates: tuple[Gate, ...]
    forge: Forge
    redact: Callable[[Any], Any]
    """Plain data without secrets."""
    book: OutcomeBook
    """What became of earlier changes."""
    autonomy: AutonomyBook
    """How far the factory may decide alone."""
    lessons: LessonStore
    """What runs taught."""
    models: Models | None
    """Language models, where some are configured."""
    events: Callable[[str], Iterable[AnyEvent]]
    """Of a run, in order."""
    content: Callable[[str], bytes]
    """A file's version by its SHA-256. Raises ``InvalidInput`` for one that held a secret."""
    understander: Understander
    """What is understood of tickets."""
    outcomes: RouteStore
    """Whether it was worth it to ask an engineer or a model."""


@dataclass(frozen=True)
class Job:
    """One run in the hands of this worker."""

    control: RunControl
    task_id: str
    worker: str
    order: Order
    settings: Settings
    """As they hold for this order's repository and commit."""
    trail: Trail
    workspaces: Workspaces
    rooms: Rooms
    head: Callable[[], str]
    """Hash of the trail's newest event."""

    @property
    def run_id(self) -> str:
        return self.control.run_id

    @property
    def epoch(self) -> int:
        """The lease's fencing number; every write carries it."""
        return self.control.epoch

    def cancelled(self) -> bool:
        """Whether the run must stop."""
        return self.control.stopped

    def killing(self, workspace: Workspace) -> AbstractContextManager[None]:
        """Within the block the sandbox dies at once when the run is cancelled or lost."""
        kill = getattr(workspace, "cancel", None)
        return self.control.on_stop(kill) if kill is not None else nullcontext()

    @contextmanager
    def open_workspace(self) -> Iterator[Workspace]:
        """A fresh one on the base commit; its sandbox dies when the run is cancelled."""
        opened = self.workspaces.open(self.order.repository, self.order.commit, record=self.trail)
        with opened as workspace, self.killing(workspace):
            yield workspace

    def redact(self, value: Any) -> Any:
        """``value`` (plain data) without secrets."""
        return self.rooms.redact(value)

    def enter(self, status: Status) -> None:
        """The run enters a station: seen in the queue, and in the trail."""
        self.control.check()
        self.rooms.runs.set_status(self.run_id, self.epoch, status)
        self.trail.record(StatusChanged(status=status, worker=self.worker))
