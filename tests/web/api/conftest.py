"""The API over a home with one run of each kind, and clients by role."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from web_support import HOST

from karkhana.domain.access import Role
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import Stores, open_stores

Clients = Callable[..., TestClient]


@pytest.fixture
def stores(furnished: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[Stores]:
    shutil.copytree(furnished[0] / "home", tmp_path / "home")
    settings = msgspec.structs.replace(
        load_settings({"access": {"token_approvals": True}}),
        home=tmp_path / "home",
        database_url=None,
        secrets_key_file=tmp_path / "key",
    )
    with open_stores(settings) as opened:
        yield opened


@pytest.fixture
def as_(app: Starlette, stores: Stores) -> Iterator[Clients]:
    """A client with a token for roles, e.g. ``as_(shop="viewer")``; ``everything="admin"`` for ``*``."""
    opened = []

    def client(**roles: str) -> TestClient:
        told = {"*" if product == "everything" else product: Role(role) for product, role in roles.items()}
        headers = {}
        if told:
            _, secret = stores.tokens.create("ci", told, seconds=600, owner="asha")
            headers["authorization"] = f"Bearer {secret}"
        opened.append(TestClient(app, base_url=f"http://{HOST}/api/v1", headers=headers, raise_server_exceptions=False))
        return opened[-1]

    yield client
    for each in opened:
        each.close()


@pytest.fixture
def admin(as_: Clients) -> TestClient:
    return as_(everything="admin")
