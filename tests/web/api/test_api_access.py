"""Who may do what: every operation, by every role, on an own product and on a foreign one."""

import pytest
from starlette.testclient import TestClient

from karkhana.domain.access import Role
from karkhana.domain.access_tokens import new_secret
from karkhana.factory.stores import Stores
from karkhana.web.api.contract import About, Operation
from karkhana.web.api.operations import OPERATIONS

FOREIGN = ("foreign", "admin")
KINDS = [None, *Role, FOREIGN]


def asked(client: TestClient, operation: Operation, runs: dict[str, str], stores: Stores) -> int:
    names = {
        "run_id": runs["waiting"],
        "task_id": stores.runs.get(runs["waiting"]).task_id,
        "product": "shop",
        "seq": "1",
        "scope": "team:web",
        "period": "day",
    }
    path = operation.path.format(**{name: names.get(name, "none") for name in operation.parameters})
    path += "?wait=0" if path.endswith("/stream") else ""
    # an empty body fits no shape, so that nothing is changed by those who may
    body = b"[]" if operation.body is not None else b""
    return client.request(operation.method, path, content=body).status_code


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_each_role_may_what_it_may_and_nothing_more(kind, as_, runs, stores: Stores) -> None:
    client = as_() if kind is None else as_(bank="admin") if kind is FOREIGN else as_(shop=kind.value)
    wrong = []
    for operation in OPERATIONS:
        if operation.about is About.NOBODY or operation.name.startswith("stream"):
            continue
        status = asked(client, operation, runs, stores)
        if kind is None:
            right = status == 401
        elif operation.about in (About.RUN, About.TASK, About.PRODUCT):
            enough = kind is not FOREIGN and kind.rank >= operation.role.rank
            right = status == 404 if kind is FOREIGN else (status not in (401, 403)) == enough
        elif operation.about is About.OWN:
            right = status in (200, 404, 415)
        elif operation.about is About.ALL:
            right = status == 403
        else:
            had = Role.ADMIN if kind is FOREIGN else kind
            right = (status in (200, 415)) == (had.rank >= operation.role.rank)
        if not right:
            wrong.append((operation.name, status))
    assert wrong == []


@pytest.mark.parametrize("path", ["/runs", "/tasks", "/approvals", "/outcomes", "/audit", "/products"])
def test_lists_leave_out_what_is_foreign(path: str, as_, admin, runs) -> None:
    admin.post(f"/runs/{runs['failed']}/retry")
    own, foreign = as_(shop="admin").get(path), as_(bank="admin").get(path)
    assert foreign.json()["items"] == []
    assert own.json()["items"] or path == "/outcomes"


def test_a_summary_counts_only_what_is_seen(as_, runs) -> None:
    assert as_(bank="viewer").get("/summary").json()["waiting_for_review"] == 0
    assert as_(shop="viewer").get("/summary").json()["waiting_for_review"] == 1


def test_a_task_needs_its_products_role_and_delivery_without_a_person_a_higher_one(as_, runs) -> None:
    new = {"text": "Add prices once", "product": "shop"}
    assert as_(shop="viewer").post("/tasks", json=new).status_code == 403
    assert as_(bank="admin").post("/tasks", json=new).status_code == 404
    assert as_(shop="operator").post("/tasks", json={**new, "auto": True}).status_code == 403
    assert as_(shop="operator").post("/tasks", json={**new, "repository": "/etc"}).status_code == 403
    assert as_(shop="operator").post("/tasks", json=new).status_code == 201


def test_decisions_need_an_approver(as_, runs, answers) -> None:
    run = runs["waiting"]
    change = as_(shop="viewer").get(f"/runs/{run}/approval").json()["change"]
    word = {"change": change}
    assert as_(shop="operator").post(f"/runs/{run}/approve", json=word).status_code == 403
    assert as_(bank="admin").post(f"/runs/{run}/approve", json=word).status_code == 404
    assert answers.given == []
    assert as_(shop="approver").post(f"/runs/{run}/approve", json=word).status_code == 200
    assert answers.given[0][1]["by"] == "asha", "the owner of the token answers for it"


def test_what_is_done_and_refused_stands_in_the_audit(as_, admin, runs) -> None:
    as_(shop="viewer").post(f"/runs/{runs['running']}/cancel")
    as_(shop="operator").post(f"/runs/{runs['running']}/cancel")
    as_(shop="operator").post(f"/runs/{runs['failed']}/cancel")
    found = admin.get("/audit", params={"action": "run.cancel"}).json()["items"]
    assert [each["outcome"] for each in found] == ["failed", "done", "refused"]
    assert {(each["actor"], each["product"]) for each in found} == {("token:ci", "shop")}


def test_who_tries_tokens_is_slowed_but_a_slip_is_no_try(as_) -> None:
    client = as_()
    slips = {client.get("/me", headers={"authorization": f"Bearer slip-{n}"}).status_code for n in range(40)}
    assert slips == {401}
    tries = [client.get("/me", headers={"authorization": f"Bearer {new_secret()}"}).status_code for _ in range(40)]
    assert tries[0] == 401
    assert tries[-1] == 429


def test_tokens_are_those_of_the_products_that_somebody_is_admin_of(as_, stores: Stores) -> None:
    shop, own = as_(shop="admin"), {"name": "x", "roles": {"shop": "operator"}, "days": 365}
    bank, _ = stores.tokens.create("bank", {"bank": Role.VIEWER}, seconds=60, owner="kim")
    assert [each["roles"] for each in shop.get("/tokens").json()["items"]] == [{"shop": "admin"}]
    made = shop.post("/tokens", json=own)
    assert made.status_code == 201
    found = stores.tokens.opened_by(made.json()["secret"])
    assert found is not None
    assert found.owner == "asha"
    assert shop.post(f"/tokens/{found.token_id}/revoke").json()["revoked_at"] is not None
    for answer in (shop.get(f"/tokens/{bank.token_id}"), shop.post(f"/tokens/{bank.token_id}/revoke")):
        assert answer.status_code == 404
    assert stores.tokens.lives(bank.token_id)


@pytest.mark.parametrize("roles", [{"bank": "viewer"}, {"*": "viewer"}, {"shop": "viewer", "bank": "viewer"}])
def test_a_token_makes_none_where_it_is_no_admin(as_, stores: Stores, roles) -> None:
    before = len(stores.tokens.all())
    answer = as_(shop="admin", bank="operator").post("/tokens", json={"name": "x", "roles": roles, "days": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert len(stores.tokens.all()) == before + 1
    assert stores.audit.entries(limit=1)[0].outcome == "failed"
    assert as_(shop="viewer").get("/tokens").json()["items"] == []
