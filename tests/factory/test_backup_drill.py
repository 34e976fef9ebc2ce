"""A factory is backed up while its workers work and die; what is restored elsewhere goes on where it was."""

import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import psycopg
import pytest
from benchmarks.drill import CountingForge, SideLog, drill_order, open_drill_stores
from benchmarks.drill_control import WorkerProcess
from short_lines import Prepared, ShortRun, git, repository

from karkhana.domain import events as ev
from karkhana.domain.access import single_user
from karkhana.domain.errors import InvalidInput
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.approvals import answer
from karkhana.factory.assembly import job_for
from karkhana.factory.backup import KEPT, back_up
from karkhana.factory.configuration import load_settings
from karkhana.factory.engine import DurableEngine
from karkhana.factory.engine_control import EndingKind
from karkhana.factory.line import ship
from karkhana.factory.restoring import restore
from karkhana.factory.rooms import rooms_for
from karkhana.factory.stores import open_stores
from karkhana.factory.weights import FILE
from karkhana.factory.worker import Worker
from karkhana.factory.worker_endings import QueueStores
from karkhana.routing.gateway.serving import PRICES

LOAD = 12


def settings_of(home: Path, url: str | None) -> Settings:
    return msgspec.structs.replace(load_settings({}), home=home, database_url=url)


def delivered(folder: Path, url: str | None) -> int:
    with open_drill_stores(folder, url) as stores:
        return len(stores.runs.list(status=Status.DELIVERED))


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def drill(first: Path, second: Path, urls: tuple[str | None, str | None]) -> None:
    """Kill, back up and kill in ``first``; restore and end the work in ``second``."""
    with open_drill_stores(first, urls[0]) as stores:
        held = stores.tasks.add(drill_order()).task_id
    with WorkerProcess(first, urls[0], "--pause-at", "middle of deliver", "--lease", "600") as doomed:
        doomed.wait_for("at middle of deliver")
        with open_drill_stores(first, urls[0]) as stores:
            others = [stores.tasks.add(drill_order()).task_id for _ in range(LOAD)]
        with WorkerProcess(first, urls[0], "--concurrency", "3") as busy:
            eventually(lambda: delivered(first, urls[0]) >= 2)
            made = back_up(settings_of(first, urls[0]), first)
            busy.send(signal.SIGKILL)
    assert CountingForge(first).pushes(held) == 1
    forge = CountingForge(second)
    shutil.copy(first / "forge" / held, second / "forge")
    restored = restore(settings_of(second, urls[1]), Path(made.file))
    assert restored.damaged == {}
    assert restored.contents == made.manifest.contents
    with open_drill_stores(second, urls[1]) as stores:
        began = {run.run_id for run in stores.runs.list()}
        for run_id in began:
            if (lease := stores.runs.lease(run_id)).expires_at:
                stores.runs.release(run_id, lease.epoch)
    with WorkerProcess(second, urls[1], "--drain", "--concurrency", "3") as heir:
        eventually(lambda: delivered(second, urls[1]) == LOAD + 1)
        heir.wait()
    assert forge.pushes(held) == 1, "the delivery that was not noted yet was made again, as another one"
    with open_drill_stores(second, urls[1]) as stores:
        assert [stores.tasks.get(each).status for each in others] == [Status.DELIVERED] * LOAD
        runs = stores.runs.list()
        assert len(runs) == LOAD + 1, "a run was begun again instead of continued"
        assert began <= {run.run_id for run in runs}
        assert [problem for run in runs for problem in stores.events.verify(run.run_id)] == []
    again = [mark.step for mark in SideLog(second).read() if mark.task_id == held and mark.what == "begin"]
    assert again == ["deliver", "finish"], "finished stations are not carried out again"


@pytest.mark.slow
def test_a_backup_of_working_and_dying_workers_is_continued_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    drill(tmp_path / "first", tmp_path / "second", (None, None))


@pytest.mark.slow
@pytest.mark.postgres
def test_the_same_with_a_dump(tmp_path: Path, postgres_server: object, postgres_url: str) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with postgres_server.database() as other:  # type: ignore[attr-defined]
        drill(tmp_path / "first", tmp_path / "second", (postgres_url, other))


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that waits for a person, in ``tmp_path/home``."""
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    with open_stores() as stores:
        run = ShortRun(stores, repository(tmp_path / "repository"))
        run.job().trail.record(ev.ChangeHandedOver(change=run.built.change))
        rooms = rooms_for(stores)

        def line(run_id: str, engine: DurableEngine) -> None:
            job = job_for(stores, rooms, engine.control(run_id), "worker", lambda _event: None)
            ship(job, Prepared(engine, run.done))  # type: ignore[arg-type]

        queue = QueueStores(stores.tasks, stores.runs, stores.events, stores.messages)
        with DurableEngine(line, stores.messages, home=stores.settings.home, executor="worker") as engine:
            ending = Worker("worker", stores.settings.queue, queue, engine).carry_out(run.claim)
        assert ending.kind is EndingKind.PARKED, ending
    return run.run_id


def test_a_waiting_run_is_approved_and_delivered_where_it_was_restored(
    tmp_path: Path, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = back_up(load_settings({}), tmp_path / "kept.tar")
    shutil.rmtree(tmp_path / "home")
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "elsewhere"))
    restore(load_settings({}), Path(made.file))
    result = answer(waiting, approved=True, comment="", by="ravi", account="ravi", observer=lambda _event: None)
    assert result.status == "delivered"
    assert git(tmp_path / "repository", "rev-parse", str(result.branch)) == result.commit
    with open_stores() as stores:
        assert stores.events.verify(waiting) == []


def test_what_is_in_the_way_is_refused_or_moved_aside(tmp_path: Path, waiting: str) -> None:
    settings = load_settings({})
    made = Path(back_up(settings, tmp_path / "kept.tar").file)
    (settings.home / "score.json").write_text("{}")
    with pytest.raises(InvalidInput, match="not empty"):
        restore(settings, made)
    with open_stores(), pytest.raises(InvalidInput, match="in use"):
        restore(settings, made, force=True)
    restored = restore(settings, made, force=True)
    aside = Path(restored.replaced)
    assert {path.name for path in aside.iterdir()} == {"karkhana.sqlite3", "engine.sqlite3", "score.json"}
    assert not (settings.home / "score.json").exists()
    with open_stores() as stores:
        assert stores.runs.get(waiting).status is Status.WAITING_FOR_REVIEW
    assert not list(settings.home.glob("restoring-*"))


def test_a_trail_that_was_altered_before_the_backup_is_told_and_not_put_in_place(tmp_path: Path, waiting: str) -> None:
    settings = load_settings({})
    with closing(sqlite3.connect(settings.home / "karkhana.sqlite3")) as connection:
        connection.execute("UPDATE events SET payload = '{}' WHERE seq = 2")
        connection.commit()
    made = Path(back_up(settings, tmp_path / "kept.tar").file)
    elsewhere = settings_of(tmp_path / "elsewhere", None)
    with pytest.raises(InvalidInput, match=rf"{waiting}.* event 2 .* was altered"):
        restore(elsewhere, made)
    assert list(elsewhere.home.iterdir()) == []
    assert list(restore(elsewhere, made, accept_damage=True).damaged) == [waiting]


def test_an_audit_that_was_altered_before_the_backup_is_told(tmp_path: Path, waiting: str) -> None:
    settings = load_settings({})
    with open_stores() as stores:
        stores.audit.record(single_user("asha"), action="run.cancel", target=waiting, product="shop", outcome="done")
    with closing(sqlite3.connect(settings.home / "karkhana.sqlite3")) as connection:
        connection.execute("UPDATE audit_entries SET actor = 'ravi'")
        connection.commit()
    made = Path(back_up(settings, tmp_path / "kept.tar").file)
    with pytest.raises(InvalidInput, match="do not verify, the first: audit: "):
        restore(settings_of(tmp_path / "elsewhere", None), made)


def test_a_newer_schema_another_kind_and_nothing_at_all_are_refused(tmp_path: Path, waiting: str) -> None:
    settings = load_settings({})
    made = Path(back_up(settings, tmp_path / "kept.tar").file)
    with pytest.raises(InvalidInput, match="is of sqlite, and this factory uses postgresql"):
        restore(settings_of(tmp_path / "elsewhere", "postgresql://localhost/none"), made)
    with closing(sqlite3.connect(settings.home / "karkhana.sqlite3")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    newer = Path(back_up(settings, tmp_path / "newer.tar").file)
    with pytest.raises(InvalidInput, match="newer version"):
        restore(settings_of(tmp_path / "elsewhere", None), newer)
    with pytest.raises(InvalidInput, match="there is no database"):
        back_up(settings_of(tmp_path / "nothing", None), tmp_path / "none.tar")
    with pytest.raises(InvalidInput, match="there is no folder"):
        back_up(settings, tmp_path / "no" / "none.tar")
    assert {path.name for path in tmp_path.iterdir()} >= {"kept.tar", "newer.tar"}
    assert not (tmp_path / "none.tar").exists()


def test_what_was_learned_is_kept_and_caches_and_keys_are_not(tmp_path: Path, waiting: str) -> None:
    settings = load_settings({})
    for name in ("score.json", "prices.json", "strategies/mine.toml", "gates/cached", "secret.key"):
        (settings.home / name).parent.mkdir(exist_ok=True)
        (settings.home / name).write_text(name)
    (settings.home / "strategies" / "link.toml").symlink_to("/etc/passwd")
    members = {member.path for member in back_up(settings, tmp_path / "kept.tar").manifest.members}
    assert members == {"engine.sqlite3", "karkhana.sqlite3", "score.json", "prices.json", "strategies/mine.toml"}


def test_the_names_of_what_is_kept_are_those_that_are_used() -> None:
    assert {FILE, PRICES} < set(KEPT)


@pytest.mark.postgres
def test_a_dump_with_a_damaged_trail_replaces_no_database(
    tmp_path: Path, postgres_server: object, postgres_migrated_url: str
) -> None:
    with open_stores(settings_of(tmp_path / "home", postgres_migrated_url)) as stores:
        order = Order(ticket=Ticket(text="x"), repository="/shop", commit="a" * 40)
        claim = stores.tasks.add_and_claim(order, "worker", 20.0)[1]
        stores.events.trail(claim.run_id, 1).record(ev.Noted(text="seen"))
    with psycopg.connect(postgres_migrated_url) as connection:
        connection.execute("UPDATE events SET payload = '{}'")
    made = Path(back_up(settings_of(tmp_path / "home", postgres_migrated_url), tmp_path / "kept.tar").file)
    with postgres_server.database() as other:  # type: ignore[attr-defined]
        with psycopg.connect(other) as connection:
            connection.execute("CREATE TABLE tag_sets AS SELECT 'good' AS tags")
        with pytest.raises(InvalidInput, match=f"{claim.run_id}: event 1 .* was altered"):
            restore(settings_of(tmp_path / "elsewhere", other), made, force=True)
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT tags FROM tag_sets").fetchall() == [("good",)]
            assert connection.execute("SELECT tablename FROM pg_tables WHERE tablename = 'runs'").fetchall() == []
        restored = restore(settings_of(tmp_path / "elsewhere", other), made, force=True, accept_damage=True)
        assert list(restored.damaged) == [claim.run_id]
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT run_id FROM runs").fetchall() == [(claim.run_id,)]


@pytest.mark.postgres
def test_a_restored_dump_has_the_same_rows(tmp_path: Path, postgres_server: object, postgres_migrated_url: str) -> None:
    with psycopg.connect(postgres_migrated_url) as connection:
        connection.execute("INSERT INTO tag_sets VALUES ('kept')")
    made = back_up(settings_of(tmp_path / "home", postgres_migrated_url), tmp_path / "kept.tar")
    assert [member.path for member in made.manifest.members] == ["database.dump"]
    with postgres_server.database() as other:  # type: ignore[attr-defined]
        restored = restore(settings_of(tmp_path / "elsewhere", other), Path(made.file))
        assert restored.contents == made.manifest.contents
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT tags FROM tag_sets").fetchall() == [("kept",)]
