"""A home with runs in every state, and the dashboard over it, for every test of the web room."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.testclient import TestClient
from web_support import HOSTILE, PORT, Line, signed_in

from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import Stores, open_stores
from karkhana.web.app import dashboard


class Answers:
    """Stands for the factory: remembers what it was told, and raises what it is to raise."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self.given: list[tuple[str, dict[str, Any]]] = []
        self.raises: Exception | None = None
        self.fails: Exception | None = None
        """Once the answer is left."""

    def __call__(self, run_id: str, *, written: Callable[[sa.Connection], None], **told: Any) -> Any:
        if self.raises is not None:
            raise self.raises
        with self._stores.database.writing() as connection:
            written(connection)
        if self.fails is not None:
            raise self.fails
        self.given.append((run_id, told))
        return msgspec.defstruct("Result", [("status", str), ("branch", str | None)])("delivered", "karkhana/BUILD")


def empty_home(folder: Path, template: Path) -> None:
    """``folder/home`` with a database as all migrations leave it, which take a second of CPU to run."""
    (folder / "home").mkdir(mode=0o700)
    shutil.copy(template, folder / "home")


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> tuple[Path, dict[str, str]]:
    """A folder with a home and a repository, made once, and its runs by kind."""
    folder = tmp_path_factory.mktemp("furnished")
    empty_home(folder, sqlite_template)
    settings = msgspec.structs.replace(load_settings({}), home=folder / "home", database_url=None)
    with open_stores(settings) as opened:
        line = Line(opened, folder)
        made = {
            "delivered": line.delivered("Prices are added twice"),
            "failed": line.failed("The parcel is too heavy"),
            "waiting": line.waiting(HOSTILE),
            "running": line.running("Round to paise").run_id,
        }
    return folder, made


@pytest.fixture
def stores(request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path) -> Iterator[Stores]:
    """Empty, or with one run of each kind for those who ask for ``runs``."""
    if "runs" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("furnished")[0] / "home", tmp_path / "home")
    else:
        empty_home(tmp_path, sqlite_template)
    settings = msgspec.structs.replace(load_settings({}), home=tmp_path / "home", database_url=None)
    with open_stores(settings) as opened:
        yield opened


@pytest.fixture
def line(stores: Stores, tmp_path: Path) -> Line:
    return Line(stores, tmp_path)


@pytest.fixture
def runs(furnished: tuple[Path, dict[str, str]], stores: Stores) -> dict[str, str]:
    """One run of each kind, by kind."""
    return furnished[1]


@pytest.fixture
def answers(stores: Stores) -> Answers:
    return Answers(stores)


@pytest.fixture
def links() -> list[str]:
    """Tokens that were told on the terminal."""
    return []


@pytest.fixture
def app(stores: Stores, answers: Answers, links: list[str]) -> Starlette:
    return dashboard(stores, account="asha", port=PORT, say=links.append, answering=answers)


@pytest.fixture
def client(app: Starlette) -> Iterator[TestClient]:
    with signed_in(app) as opened:
        yield opened
