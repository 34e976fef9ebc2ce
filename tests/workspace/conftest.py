"""Fixtures of the sandbox tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from abuse_support import SMALL, ListTrail, make_repository

from karkhana.workspace.local import LocalWorkspace, LocalWorkspaces


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository and its commit."""
    place = tmp_path_factory.mktemp("repositories") / "shop"
    return place, make_repository(place)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Karkhana's own folder."""
    return tmp_path_factory.mktemp("karkhana-home")


@pytest.fixture(scope="module")
def trail() -> ListTrail:
    return ListTrail()


@pytest.fixture(scope="module")
def shared(home: Path, repository: tuple[Path, str], trail: ListTrail) -> Iterator[LocalWorkspace]:
    """One workspace for all tests of a module that leave nothing behind."""
    with LocalWorkspaces(home, SMALL).open(str(repository[0]), repository[1], record=trail) as workspace:
        yield workspace


@pytest.fixture
def workspace(home: Path, repository: tuple[Path, str]) -> Iterator[LocalWorkspace]:
    """A fresh workspace."""
    with LocalWorkspaces(home, SMALL).open(str(repository[0]), repository[1], record=ListTrail()) as opened:
        yield opened
