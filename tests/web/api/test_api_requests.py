"""How the API speaks: methods, problems, cursors, conditions, keys of repeated requests."""

import json
import threading

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from web_support import DIGEST

from karkhana.domain.errors import DatabaseUnavailable, LeftToWorker
from karkhana.storage.answer_store import AnswerStore
from karkhana.storage.audit import Audit, AuditFilter
from karkhana.storage.run_lists import RunFilter, RunLists
from karkhana.storage.tables import metadata
from karkhana.web.api.application import Api
from karkhana.web.api.contract import About, Answer, Call, Operation

PROBLEM = "application/problem+json"


def test_whoever_meets_a_factory_without_its_database_is_told_when_to_come_back(app) -> None:
    def away(_call: Call) -> Answer:
        raise DatabaseUnavailable("the server does not answer", "Start it.")

    place = Operation(
        method="GET", path="/away", name="away", tag="t", summary="-", handler=away, about=About.NOBODY, answer=None
    )
    told = TestClient(Api(app.state.site, lambda: (place,)), base_url="http://127.0.0.1/api/v1").get("/away")
    assert (told.status_code, told.headers["retry-after"], told.json()["next"]) == (503, "5", "Start it.")


def test_a_problem_says_what_and_the_next_step(admin) -> None:
    told = admin.get("/runs/run_00000000000000000000000000")
    assert told.headers["content-type"] == PROBLEM
    assert told.json() == {
        "type": "urn:karkhana:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no run run_00000000000000000000000000 here.",
        "code": "not_found",
        "next": "Look it up in its list.",
    }


@pytest.mark.parametrize(
    ("asked", "sent", "status", "code"),
    [
        ("GET /nothing", {}, 404, "no_such_path"),
        ("DELETE /runs", {}, 405, "method_not_allowed"),
        ("GET /runs?limit=0", {}, 422, "invalid_parameter"),
        ("GET /runs?limit=201", {}, 422, "invalid_parameter"),
        ("GET /runs?limit=5&limit=6", {}, 400, "repeated_parameter"),
        ("GET /runs?colour=red", {}, 400, "unknown_parameter"),
        ("GET /runs?status=null", {}, 422, "invalid_parameter"),
        ("GET /runs?cursor=AAAA", {}, 404, "no_such_page"),
        ("GET /runs?x=%ff", {}, 400, "malformed_query"),
        ("GET " + "/runs?" + "x" * 9000, {}, 414, "query_too_long"),
        ("GET /health", {"content": b"{}"}, 400, "body_not_expected"),
        ("POST /tasks", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "not_json"),
        ("POST /tasks", {"content": b"{", "headers": {"content-type": "application/json"}}, 400, "malformed_json"),
        ("POST /tasks", {"json": {"text": "x", "product": "shop", "colour": 1}}, 422, "invalid_body"),
        ("POST /tasks", {"json": {"text": "x", "product": "shop", "priority": "5"}}, 422, "invalid_body"),
        ("POST /tasks", {"json": {"text": " ", "product": "shop"}}, 422, "invalid_body"),
        ("POST /tasks", {"json": {"text": "x", "product": "nothing"}}, 404, "no_repository"),
        ("POST /tasks", {"json": {"text": "x", "product": "shop", "depends_on": ["BUILD"]}}, 404, "not_found"),
        ("POST /tasks", {"json": {"text": "x", "product": "a", "repository": "/" + "x" * 300}}, 409, None),
        ("POST /webhooks", {"json": {"url": "https://127.0.0.1/", "events": ["*"]}}, 409, "invalid_input"),
        ("POST /webhooks", {"json": {"url": "https://a.example/", "events": ["a.b"]}}, 409, "invalid_input"),
    ],
)
def test_what_does_not_fit_is_refused(asked, sent, status, code, admin) -> None:
    told = admin.request(*asked.split(), **sent)
    assert told.status_code == status, told.text
    assert told.headers["content-type"] == PROBLEM
    assert code in (None, told.json()["code"])


def test_too_large_a_body_is_not_read(admin) -> None:
    told = admin.post(
        "/tasks", content=b'{"text": "' + b"x" * 300_000 + b'"}', headers={"content-type": "application/json"}
    )
    assert told.status_code == 413


def test_head_and_options_are_right(admin) -> None:
    assert admin.head("/runs").content == b""
    assert admin.head("/runs").status_code == 200
    assert admin.head("/webhook-types").headers["content-length"] == str(len(admin.get("/webhook-types").content))
    assert admin.options("/runs").headers["allow"] == "GET, HEAD, OPTIONS"
    assert admin.put("/tasks/BUILD-2026-01-01-001").headers["allow"] == "GET, HEAD, OPTIONS, PATCH"


def test_a_list_is_read_to_its_end_by_its_cursors(admin, runs) -> None:
    seen, address = [], "/runs?limit=3"
    while address:
        told = admin.get(address)
        seen += [each["run_id"] for each in told.json()["items"]]
        link = told.headers.get("link", "")
        assert bool(link) == (told.json()["next"] is not None)
        address = link.partition(">")[0].removeprefix("</api/v1")
    assert seen == sorted(runs.values(), reverse=True)


def test_a_cursor_is_of_one_list_with_its_filters(admin, runs) -> None:
    cursor = admin.get("/runs?limit=1").json()["next"]
    assert admin.get("/runs", params={"cursor": cursor, "limit": 2}).status_code == 200
    assert admin.get("/runs", params={"cursor": cursor, "product": "shop"}).status_code == 404
    assert admin.get("/tasks", params={"cursor": cursor}).status_code == 404


def test_queued_tasks_come_in_their_turn_page_by_page(admin, runs) -> None:
    made = []
    for priority in (3, 9, 9, 1):
        new = {"text": f"Turn {priority}", "product": "shop", "priority": priority}
        made.append(admin.post("/tasks", json=new).json()["task_id"])
    first = admin.get("/tasks?status=queued&limit=3").json()
    rest = admin.get("/tasks", params={"status": "queued", "limit": 3, "cursor": first["next"]}).json()
    assert [each["task_id"] for each in first["items"] + rest["items"]] == [made[1], made[2], made[0], made[3]]
    assert admin.patch(f"/tasks/{made[3]}", json={"priority": 10}).json()["priority"] == 10
    assert admin.get("/tasks?status=queued&limit=1").json()["items"][0]["task_id"] == made[3]


def test_a_request_with_a_key_is_carried_out_once(admin, stores, runs) -> None:
    new, key = {"text": "Add prices once", "product": "shop"}, {"idempotency-key": "a-key-of-mine"}
    first, again = (admin.post("/tasks", json=new, headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len([each for each in stores.tasks.list() if each.title == "Add prices once"]) == 1


def test_a_key_stands_for_one_request_of_one_caller(admin, as_, runs) -> None:
    new, key = {"text": "Add prices once", "product": "shop"}, {"idempotency-key": "a-key-of-mine"}
    first = admin.post("/tasks", json=new, headers=key)
    other = admin.post("/tasks", json={**new, "text": "Another"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert as_(shop="operator").post("/tasks", json=new, headers=key).json() != first.json()
    assert admin.post("/tasks", json=new, headers={"idempotency-key": "short"}).json()["code"] == "malformed_key"


def test_a_request_that_came_to_nothing_leaves_its_key_free(admin, runs) -> None:
    key = {"idempotency-key": "a-key-of-mine"}
    assert admin.post(f"/runs/{runs['running']}/retry", headers=key).status_code == 409
    assert admin.post("/tasks", json={"text": "x y", "product": "shop"}, headers=key).status_code == 201


def test_the_same_request_at_the_same_time_is_told_to_wait(admin, stores, runs, answers) -> None:
    run, key = runs["waiting"], {"idempotency-key": "a-key-of-mine"}
    begun, done = threading.Event(), threading.Event()
    carry_out = answers.__call__

    def slowly(run_id, **told):
        begun.set()
        assert done.wait(20)
        return carry_out(run_id, **told)

    admin.app.state.site.deciding._answering = slowly
    found = []
    work = threading.Thread(
        target=lambda: found.append(admin.post(f"/runs/{run}/approve", json={"change": DIGEST}, headers=key))
    )
    work.start()
    assert begun.wait(20)
    second = admin.post(f"/runs/{run}/approve", json={"change": DIGEST}, headers=key)
    done.set()
    work.join()
    assert (second.status_code, second.json()["code"]) == (409, "still_running")
    assert found[0].status_code == 200
    assert len(answers.given) == 1


def test_a_secret_is_told_once_even_to_a_repeated_request(admin, stores) -> None:
    key = {"idempotency-key": "a-key-of-mine"}
    first = admin.post("/tokens", json={"name": "ci", "roles": {"shop": "viewer"}}, headers=key)
    again = admin.post("/tokens", json={"name": "ci", "roles": {"shop": "viewer"}}, headers=key)
    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "done_before")
    with stores.database.reading() as connection:
        kept = connection.exec_driver_sql("SELECT answer FROM api_answers").scalars().all()
    assert first.json()["secret"].encode() not in b"".join(kept)


def test_a_crash_in_the_middle_leaves_the_task_and_its_answer_or_neither(admin, stores, runs, monkeypatch) -> None:
    new, key = {"text": "Add prices once", "product": "shop"}, {"idempotency-key": "a-key-of-mine"}

    def crash(*_told, **_more):
        raise SystemExit

    before = len(stores.tasks.list())
    with monkeypatch.context() as broken:
        broken.setattr(AnswerStore, "keep", crash)
        broken.setattr(AnswerStore, "give_up", lambda *_told: None)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - however the server ends
            admin.post("/tasks", json=new, headers=key)
    assert len(stores.tasks.list()) == before


@pytest.mark.parametrize("action", ["retry", "cancel", "approve"])
def test_a_crash_leaves_an_action_with_its_entry_and_its_answer_or_nothing(
    admin, stores, runs, answers, action
) -> None:
    run = runs[{"retry": "failed", "cancel": "running", "approve": "waiting"}[action]]
    path, body = f"/runs/{run}/{action}", {"change": DIGEST} if action == "approve" else None

    def left():
        cancelled = stores.runs.lease(run).cancel_requested
        return len(stores.tasks.list()), cancelled, len(answers.given), stores.audit.head()

    def crash(*_told, **_more):
        raise ZeroDivisionError

    before = left()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Audit, "record_within", crash)
        assert admin.post(path, json=body).status_code == 500
    assert left() == before
    assert admin.post(path, json=body).status_code < 300
    assert left()[:-1] != before[:-1]
    entry = stores.audit.entries(limit=2)
    assert [each.action for each in entry if each.target == run] == [f"run.{action}"]


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("PATCH /tasks/TASK", {"priority": 9}),
        ("PATCH /tasks/TASK/criteria", {"add": ["It shows 2"]}),
        ("POST /tasks/TASK/duplicates", {"task_id": "OTHER"}),
        ("PUT /budgets/team:web/month", {"hard": "5"}),
        ("PUT /secrets/slack", {"value": "xq-7781-battery"}),
        ("DELETE /secrets/mail", None),
        ("POST /gateway/keys", {"name": "laptop"}),
    ],
)
def test_a_change_is_written_with_its_entry_or_not_at_all(admin, stores, runs, place, body) -> None:
    stores.sealed.put("mail", "xq-7781-battery", by="asha")
    new = {"text": "Add prices once", "product": "shop"}
    named = {word: admin.post("/tasks", json=new).json()["task_id"] for word in ("TASK", "OTHER")}
    method, path = place.replace("TASK", named["TASK"]).split()
    body = body and {key: named.get(str(value), value) for key, value in body.items()}

    def rows():
        with stores.database.reading() as connection:
            return {table.name: connection.execute(sa.select(table)).all() for table in metadata.sorted_tables}

    def crash(*_told, **_more):
        raise ZeroDivisionError

    before = rows()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Audit, "record_within", crash)
        assert admin.request(method, path, json=body).status_code == 500
    assert rows() == before
    assert admin.request(method, path, json=body).status_code < 300
    assert stores.audit.entries(limit=1)[0].outcome == "done"


def test_a_decision_that_could_not_be_carried_out_here_holds(admin, runs, answers, stores) -> None:
    answers.fails = LeftToWorker("the disk is full")
    told = admin.post(f"/runs/{runs['waiting']}/approve", json={"change": DIGEST})
    assert (told.status_code, told.json()["carried_out"]) == (202, False)
    assert [entry.outcome for entry in stores.audit.entries(AuditFilter(action="run.approve"))] == ["done"]


def test_a_decision_is_bound_to_the_change_that_was_looked_at(admin, runs, answers) -> None:
    run = runs["waiting"]
    shown = admin.get(f"/runs/{run}/approval")
    assert shown.headers["etag"] == f'"{DIGEST}"'
    assert admin.get(f"/runs/{run}/approval", headers={"if-none-match": f'"{DIGEST}"'}).status_code == 304
    other = admin.post(f"/runs/{run}/approve", json={"change": "0" * 64})
    assert (other.status_code, other.json()["code"]) == (409, "another_change")
    late = admin.post(f"/runs/{run}/approve", json={"change": DIGEST}, headers={"if-match": '"' + "0" * 64 + '"'})
    assert late.status_code == 412
    assert answers.given == []
    told = admin.post(
        f"/runs/{run}/reject", json={"change": DIGEST, "comment": "no"}, headers={"if-match": f'"{DIGEST}"'}
    )
    assert told.json()["carried_out"] is True
    assert answers.given == [(run, answers.given[0][1])]
    assert answers.given[0][1] | {"observer": None} == {
        "approved": False, "comment": "no", "seen": DIGEST, "by": "asha", "account": "asha", "observer": None,
    }  # fmt: skip


def test_a_session_may_look_but_needs_its_form_token_to_change(app, stores, runs, client) -> None:
    client.base_url = str(client.base_url).rstrip("/") + "/api/v1"
    assert client.get("/me").json()["name"] == "asha"
    assert client.post(f"/runs/{runs['failed']}/retry").status_code == 403
    sent = {"x-csrf-token": client.form_token}
    assert client.post(f"/runs/{runs['failed']}/retry", headers=sent).status_code == 201


def test_names_that_are_no_utf8_do_not_break_an_answer(admin, stores, line, runs) -> None:
    claim = line.begin("Files")
    line.build(claim)
    line.hand_over(claim)
    from karkhana.domain import events as ev

    line.record(claim, ev.Noted(text="caf\udce9"))
    found = admin.get(f"/runs/{claim.run_id}/events?type=note")
    assert json.loads(found.content)["items"][0]["event"]["text"] == "caf?"
    assert RunLists(stores.database).page(RunFilter())[0].run_id == claim.run_id
