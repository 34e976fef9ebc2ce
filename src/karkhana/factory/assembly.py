"""Puts the rooms together into a factory that works: stores, rooms, the durable engine and a worker."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from karkhana.domain.events import AnyEvent
from karkhana.domain.settings import Settings
from karkhana.factory.engine import DurableEngine
from karkhana.factory.engine_control import RunControl
from karkhana.factory.job import Job, Rooms
from karkhana.factory.line import ship
from karkhana.factory.models import Models, models_file
from karkhana.factory.ordering import settings_for
from karkhana.factory.rooms import rooms_for
from karkhana.factory.sandboxes import workspaces_for
from karkhana.factory.stores import Stores, open_stores
from karkhana.factory.trails import WatchedTrail
from karkhana.factory.watching import Watch, WatchedEngine, Watches
from karkhana.factory.worker import Worker, worker_name
from karkhana.factory.worker_endings import QueueStores
from karkhana.git import Repository
from karkhana.ports import Engineer

Observer = Callable[[AnyEvent], None]


@dataclass(frozen=True)
class Factory:
    """Stores, the durable engine and a worker that carries runs out."""

    stores: Stores
    engine: DurableEngine
    worker: Worker


@contextmanager
def open_factory(
    settings: Settings,
    *,
    observer: Observer = lambda _event: None,
    tags: tuple[str, ...] = (),
    concurrency: int = 1,
    engineers: Mapping[str, Engineer] | None = None,
    watches: Iterable[Watch] = (),
) -> Iterator[Factory]:
    """Open everything that working needs. ``observer`` sees each event of this process's runs once it is stored.

    ``watches`` look on while runs are carried out.

    Raises ``DatabaseUnavailable``.
    """
    with open_stores(settings) as stores, open_models(settings, stores) as models:
        rooms = rooms_for(stores, engineers, models)
        name, watched = worker_name(), Watches(watches)

        def line(run_id: str, engine: DurableEngine) -> None:
            with watched.run(run_id, stores.runs.get(run_id).task_id) as seen:

                def observe(event: AnyEvent) -> None:
                    observer(event)
                    seen.event(event)

                job = job_for(stores, rooms, engine.control(run_id), name, observe)
                ship(job, WatchedEngine(engine, seen))

        with DurableEngine(
            line,
            stores.messages,
            home=settings.home,
            database_url=settings.database_url,
            executor=name,
            attempts=settings.queue.infrastructure_attempts,
            retried=lambda control, event: stores.events.trail(control.run_id, control.epoch).record(event),
        ) as engine:
            queue_stores = QueueStores(stores.tasks, stores.runs, stores.events, stores.messages)
            worker = Worker(name, settings.queue, queue_stores, engine, tags=tags, concurrency=concurrency)
            worker.took_over = watched.taken_over
            yield Factory(stores=stores, engine=engine, worker=worker)


@contextmanager
def open_models(settings: Settings, stores: Stores) -> Iterator[Models | None]:
    """The configured language models, ``None`` without any. Raises ``InvalidSetting`` with the line that is wrong."""
    file = models_file(settings)
    if file is None:
        yield None
        return
    models = Models(file, settings, stores.database)
    try:
        yield models
    finally:
        models.close()


def job_for(stores: Stores, rooms: Rooms, control: RunControl, worker: str, observer: Observer) -> Job:
    """The run of ``control`` with its order, its repository's settings, and its trail."""
    run = stores.runs.get(control.run_id)
    order = stores.tasks.order(run.task_id)
    settings = settings_for(Repository.open(order.repository), order.commit, {})
    trail = stores.events.trail(control.run_id, control.epoch)
    return Job(
        control=control,
        task_id=run.task_id,
        worker=worker,
        order=order,
        settings=settings,
        trail=WatchedTrail(trail, observer),
        workspaces=workspaces_for(settings, order.sandbox),
        rooms=rooms,
        head=lambda: stores.events.head(control.run_id)[1],
    )
