"""Tickets as they were understood, over HTTP."""

NEW = {"text": "`total([1])` returns 2 instead of 1", "product": "shop", "ask": True}


def test_a_ticket_is_understood_and_people_say_what_they_think_of_it(admin, stores):
    first, second = (admin.post("/tasks", json=NEW).json()["task_id"] for _ in range(2))
    assert stores.tasks.order(first).asks
    found = admin.get(f"/tasks/{second}/understanding").json()
    assert [each["task_id"] for each in found["duplicates"]] == [first]
    assert [each["text"] for each in found["criteria"]] == ["`total([1])` gives `1`"]
    confirmed = admin.post(f"/tasks/{second}/duplicates", json={"task_id": first}).json()
    assert confirmed["duplicates"][0]["by"] == "asha"
    changed = admin.patch(f"/tasks/{second}/criteria", json={"add": ["It is quick"], "remove": [1]}).json()
    assert [each["text"] for each in changed["criteria"]] == ["It is quick"]
    refused = admin.post(f"/tasks/{second}/answer", json={"text": "It shows 3"})
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_input")
    assert [each.action for each in stores.audit.entries(limit=3)] == [
        "ticket.answer",
        "ticket.criteria",
        "ticket.duplicate",
    ]


def test_a_ticket_of_a_foreign_product_is_no_duplicate(as_, stores):
    own = as_(shop="operator")
    task = own.post("/tasks", json=NEW).json()["task_id"]
    foreign = stores.tasks.add(stores.tasks.order(task), product="till").task_id
    assert own.post(f"/tasks/{task}/duplicates", json={"task_id": foreign}).status_code == 404
    assert own.get(f"/tasks/{foreign}/understanding").status_code == 404
    viewer = as_(shop="viewer")
    assert viewer.get(f"/tasks/{task}/understanding").status_code == 200
    assert viewer.patch(f"/tasks/{task}/criteria", json={"add": ["x"]}).status_code == 403
