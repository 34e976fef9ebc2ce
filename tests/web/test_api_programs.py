"""Programs at the API: a token alone opens it, so often, and no longer than it holds; browsers prove where they are."""

import asyncio
import contextlib
import dataclasses

import msgspec
import pytest
from benchmarks.access_world import ask, identities, settings_for
from starlette.testclient import TestClient
from web_support import HOST

from karkhana.domain.access import Role
from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.access_tokens import new_secret
from karkhana.factory.stores import open_stores
from karkhana.web.app import dashboard

ME, DAY = "/api/v1/me", 86_400.0


@pytest.fixture
def program(app):
    with TestClient(app, base_url=f"http://{HOST}", follow_redirects=False) as opened:
        yield opened


def bearer(stores, roles=None, seconds=DAY):
    token, secret = stores.tokens.create("nightly", roles or {"shop": Role.OPERATOR}, seconds=seconds, owner="ravi")
    return token, {"authorization": f"Bearer {secret}"}


def until_late(ask, before, *, least):
    """The first answer that tells to wait; on a slow machine the allowance fills up a little meanwhile."""
    answered = []
    while len(answered) < 10 * least:
        answer = ask()
        if answer.status_code == 429:
            assert answered == [before] * len(answered)
            assert len(answered) >= least
            return answer
        answered.append(answer.status_code)
    raise AssertionError(answered)


def test_a_token_alone_opens_the_api_and_nothing_else(program, stores):
    token, shown = bearer(stores)
    answer = program.get(ME, headers=shown)
    assert answer.status_code == 200
    assert "token:nightly" in answer.text
    for path in ("/", "/runs", "/live", "/audit"):
        assert program.get(path, headers=shown).status_code == 401
    assert program.get(ME).status_code == 401
    stores.tokens.revoke(token.token_id)
    refused = program.get(ME, headers=shown)
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer x", "Basic YTpi", "kk_x", "Bearer kk_" + "a" * 36, "Bearer \xff"]
)
def test_what_is_no_token_opens_nothing(program, stores, shown):
    bearer(stores)
    assert program.get(ME, headers={"authorization": shown.encode("latin-1")}).status_code == 401


def test_a_token_and_a_session_together_are_refused(client, stores):
    assert client.get(ME).status_code == 200
    assert client.get(ME, headers=bearer(stores)[1]).json()["code"] == "two_identities"


def test_a_page_proves_where_it_is_before_it_changes_anything(client, stores):
    change = {"hard": 2.0}
    place = "/api/v1/budgets/all/day"
    proof = {"x-csrf-token": client.form_token}
    for headers in ({}, {"x-csrf-token": "x"}, {**proof, "origin": "http://evil.example"}, {**proof, "origin": "null"}):
        answer = client.put(place, json=change, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forged"), headers
    assert client.put(place, json=change, headers=proof).status_code not in (401, 403)
    # a program's own proof is its token
    assert client.get(ME).status_code == 200


def test_a_program_needs_no_proof_of_a_page(program, stores):
    _, shown = bearer(stores, {"*": Role.ADMIN})
    answer = program.put(
        "/api/v1/budgets/all/day", json={"hard": 2.0}, headers={**shown, "origin": "http://evil.example"}
    )
    assert answer.status_code not in (401, 403)


def test_too_many_requests_wait(stores, answers):
    access = AccessSettings(requests_per_minute=5)
    settings = msgspec.structs.replace(stores.settings, access=access)
    app = dashboard(dataclasses.replace(stores, settings=settings), account="asha", port=8321, answering=answers)
    _, shown = bearer(stores)
    _, other = bearer(stores)
    with TestClient(app, base_url=f"http://{HOST}") as program:
        late = until_late(lambda: program.get(ME, headers=shown), 200, least=5)
        assert 0 < int(late.headers["retry-after"]) <= 12
        assert late.json()["code"] == "too_many_requests"
        assert program.get(ME, headers=other).status_code == 200


def test_too_many_wrong_tokens_wait_and_a_right_one_does_not(program, stores):
    _, shown = bearer(stores)
    wrong = {"authorization": f"Bearer {new_secret()}"}
    late = until_late(lambda: program.get(ME, headers=wrong), 401, least=20)
    assert 0 < int(late.headers["retry-after"]) <= 3
    assert program.get(ME, headers=shown).status_code == 200


def test_an_approvers_token_approves_only_where_the_settings_let_it(stores, runs, answers):
    _, shown = bearer(stores, {"*": Role.APPROVER})
    for allowed, code in ((False, "forbidden"), (True, "another_change")):
        settings = msgspec.structs.replace(stores.settings, access=AccessSettings(token_approvals=allowed))
        app = dashboard(dataclasses.replace(stores, settings=settings), account="asha", port=8321, answering=answers)
        with TestClient(app, base_url=f"http://{HOST}") as program:
            place = f"/api/v1/runs/{runs['waiting']}/approve"
            assert program.post(place, json={"change": "0" * 64}, headers=shown).json()["code"] == code
    assert answers.given == []


def world(folder):
    opened = contextlib.ExitStack()
    stores = opened.enter_context(open_stores(settings_for(folder)))
    app = dashboard(stores, account="asha", port=443)
    people = {each.name: each for each in identities(stores, app.state.site.threshold.visitors.find)}
    return opened, stores, app, people


async def streamed(app, identity, ends):
    """What comes of a stream that nobody leaves: ``ends`` is called once it has begun, and is to end it."""
    pieces, begun = [], asyncio.Event()

    async def send(message):
        pieces.append(message)
        if message["type"] == "http.response.body":
            begun.set()

    async def receive():
        await asyncio.Event().wait()

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "https", "path": "/live", "raw_path": b"/live", "query_string": b"", "root_path": "", "state": {},
        "headers": [(b"host", b"karkhana.test"), *((k.encode(), v.encode()) for k, v in identity.headers.items())],
        "client": ("203.0.113.9", 4000), "server": ("karkhana.test", 443),
    }  # fmt: skip
    task = asyncio.ensure_future(app(scope, receive, send))
    await asyncio.wait_for(begun.wait(), 20)
    await ends()
    await asyncio.wait_for(task, 20)
    return pieces


def test_signing_out_ends_the_streams_of_that_session(tmp_path):
    opened, _stores, app, people = world(tmp_path)

    async def ends():
        left = await ask(app, people["viewer-shop session"], "POST", "/leave")
        assert left.status == 303

    with opened:
        pieces = asyncio.run(streamed(app, people["viewer-shop session"], ends))
    assert pieces[0]["status"] == 200
    assert pieces[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_session_that_ended_elsewhere_is_told_nothing_more(tmp_path, monkeypatch):
    opened, stores, app, people = world(tmp_path)
    monkeypatch.setattr("karkhana.web.live.BEAT_S", 0.05)
    monkeypatch.setattr("karkhana.web.visitors.STILL_S", 0.0)

    async def ends():
        assert stores.sessions.end_all("viewer-shop") == 1

    with opened:
        pieces = asyncio.run(streamed(app, people["viewer-shop session"], ends))
    assert pieces[-1]["more_body"] is False


def test_behind_a_proxy_nobody_else_comes_in(tmp_path):
    settings = settings_for(tmp_path)
    access = msgspec.structs.replace(settings.access, proxies=("10.0.0.0/24",))
    with open_stores(msgspec.structs.replace(settings, access=access)) as stores:
        app = dashboard(stores, account="asha", port=443)
        for peer, code in (("203.0.113.9", 403), ("10.0.0.7", 401)):
            with TestClient(app, base_url="https://karkhana.test", client=(peer, 4000)) as browser:
                assert browser.get("/runs", headers={"x-forwarded-for": "198.51.100.1"}).status_code == code
                assert browser.get("/healthz").status_code == 200
                hook = browser.post("/hooks/none")
                assert hook.status_code == (403 if code == 403 else 404)
