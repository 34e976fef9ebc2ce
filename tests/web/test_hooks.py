"""The doors of ``/hooks/…``, through the whole dashboard."""

import hashlib
import hmac
import json
from collections.abc import Iterator

import msgspec
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from web_support import PORT, repository

from karkhana.domain.errors import InvalidSetting
from karkhana.domain.settings import IntakeDoor
from karkhana.factory.configuration import load_settings
from karkhana.factory.doors import open_doors
from karkhana.factory.stores import Stores, open_stores
from karkhana.web.app import dashboard
from karkhana.web.hooks import stranger

SECRET = "a secret of some length"
BODY = json.dumps(
    {
        "action": "opened",
        "issue": {"number": 7, "title": "total() is wrong", "html_url": "https://forge.test/7", "labels": []},
        "repository": {"full_name": "octo/shop", "default_branch": "main"},
        "sender": {"login": "asha"},
    }
).encode()


@pytest.fixture
def hooked(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TestClient, Stores]]:
    """A client without a session, under a name that is not the dashboard's."""
    monkeypatch.setenv("FORGE_SECRET", SECRET)
    root, _commit = repository(tmp_path / "shop")
    door = IntakeDoor(
        kind="github",
        secret_variables=("FORGE_SECRET",),
        repositories={"*": str(root)},
        senders=("asha",),
        per_minute=2,
        largest_kb=4,
    )
    settings = msgspec.structs.replace(
        load_settings({}), home=tmp_path / "home", database_url=None, intake={"forge": door}
    )
    with open_stores(settings) as stores:
        app = dashboard(stores, account="asha", port=PORT)
        with TestClient(app, base_url="https://factory.test", client=("127.0.0.1", 50000)) as client:
            yield client, stores


def sent(client: TestClient, body: bytes, id: str = "d-1", secret: str = SECRET, **headers: str):
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    usual = {
        "content-type": "application/json",
        "x-github-event": "issues",
        "x-github-delivery": id,
        "x-hub-signature-256": f"sha256={signature}",
    }
    return client.post("/hooks/forge", content=body, headers={**usual, **headers})


def test_a_signed_delivery_makes_one_ticket(hooked):
    client, stores = hooked
    first, again = sent(client, BODY), sent(client, BODY)
    replayed = sent(client, BODY, "another name")
    assert (first.status_code, again.status_code, replayed.status_code) == (202, 200, 200)
    assert first.json()["task_id"] == again.json()["task_id"] == replayed.json()["task_id"]
    assert [task.task_id for task in stores.tasks.list()] == [first.json()["task_id"]]


def test_what_is_not_in_order_is_refused_and_leaves_nothing(hooked):
    client, stores = hooked
    refused = [
        sent(client, BODY, secret="another secret of that length").status_code,
        client.post("/hooks/forge", content=BODY).status_code,
        sent(client, BODY[:-5]).status_code,
        sent(client, BODY + b" " * 5000).status_code,
        sent(client, BODY, **{"content-type": "application/x-www-form-urlencoded"}).status_code,
        client.post("/hooks/none", content=BODY).status_code,
        client.get("/hooks/forge").status_code,
    ]
    assert refused == [401, 401, 422, 413, 415, 404, 405]
    assert stores.tasks.list() == []
    assert SECRET not in sent(client, BODY, secret="another secret of that length").text


def test_a_body_without_a_length_is_bounded_too(hooked):
    client, _stores = hooked

    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 1024

    assert client.post("/hooks/forge", content=endless()).status_code == 413


def test_a_flood_is_told_when_to_come_again(hooked):
    client, stores = hooked
    bodies = [BODY.replace(b'"number": 7', b'"number": %d' % number) for number in range(3)]
    answers = [sent(client, body, f"d-{number}") for number, body in enumerate(bodies)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    assert len(stores.tasks.list()) == 2


def test_a_repository_that_is_gone_is_told_to_whoever_runs_the_factory_only(hooked, tmp_path):
    client, stores = hooked
    (tmp_path / "shop").rename(tmp_path / "moved")
    answer = sent(client, BODY)
    assert (answer.status_code, str(tmp_path) in answer.text) == (503, False)
    (tmp_path / "moved").rename(tmp_path / "shop")
    assert sent(client, BODY).status_code == 202
    assert len(stores.tasks.list()) == 1


def test_pages_stay_closed_under_a_stranger_name(hooked):
    client, _stores = hooked
    assert client.get("/").status_code == 421
    assert client.get("/runs/../hooks/forge").status_code in (405, 421)


@pytest.mark.parametrize("environ", [{}, {"FORGE_SECRET": "short"}])
def test_a_door_does_not_open_without_a_secret(environ):
    for variables in (("FORGE_SECRET",), ()):
        door = IntakeDoor(kind="github", secret_variables=variables)
        settings = msgspec.structs.replace(load_settings({}), intake={"forge": door})
        with pytest.raises(InvalidSetting, match=r"intake\.forge"):
            open_doors(settings, str, environ)


def test_a_door_opens_with_a_sealed_secret_and_names_one_that_is_not_there(tmp_path):
    def settings_with(*names: str):
        door = IntakeDoor(kind="github", secret_variables=("FORGE_SECRET",), secrets=names)
        home = {"home": tmp_path / "home", "database_url": None, "secrets_key_file": tmp_path / "secrets.key"}
        return msgspec.structs.replace(load_settings({}), intake={"forge": door}, **home)

    environ = {"FORGE_SECRET": SECRET}
    with open_stores(settings_with()) as stores:
        stores.sealed.put("forge", "a sealed secret of that length", by="asha")
        stores.sealed.put("short", "short", by="asha")
        opened = open_doors(settings_with("forge"), stores.sealed.reveal, environ)
        assert opened["forge"].secrets == (SECRET.encode(), b"a sealed secret of that length")
        assert "sealed secret of" not in repr(opened)
        for name, wrong in (("none", "there is no sealed secret none"), ("short", "sealed secret short .* shorter")):
            with pytest.raises(InvalidSetting, match=rf"intake\.forge.*{wrong}"):
                open_doors(settings_with(name), stores.sealed.reveal, environ)


def test_a_flood_without_signatures_is_not_read_and_hits_nobody_else(hooked):
    client, stores = hooked
    far = {"x-forwarded-for": "10.0.0.1, 203.0.113.9"}
    answers = []
    while len(answers) < 300 and (not answers or answers[-1].status_code != 429):
        answers.append(sent(client, BODY, secret="another secret of that length", **far))
    assert [answer.status_code for answer in answers[:60]] == [401] * 60
    assert (answers[-1].status_code, int(answers[-1].headers["retry-after"]) >= 1) == (429, True)
    assert stores.tasks.list() == []
    assert sent(client, BODY, **{"x-forwarded-for": "203.0.113.9, 203.0.113.10"}).status_code == 202


def test_a_stranger_is_told_from_others_by_what_the_nearest_proxy_says():
    def who(peer: str, *forwarded: str) -> str:
        headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
        return stranger(Request({"type": "http", "headers": headers, "state": {"address": peer}}))

    assert who("203.0.113.9", "198.51.100.1") == "203.0.113.9"
    assert who("127.0.0.1", "6.6.6.6, 203.0.113.9") == "203.0.113.9"
    assert who("127.0.0.1", "6.6.6.6", "203.0.113.9") == "203.0.113.9"
    assert [who("127.0.0.1"), who("127.0.0.1", "nonsense"), who("testclient"), who("")] == [""] * 4
    assert who("2001:db8::1") == who("2001:db8::ffff") != who("2001:db8:0:1::1")
