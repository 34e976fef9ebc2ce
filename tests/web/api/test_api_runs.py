"""What the API tells of runs is what the command line tells, and streams end."""

import json

import msgspec

from karkhana.factory.results import result_of


def test_a_run_is_told_with_the_keys_of_the_command_line(admin, stores, runs) -> None:
    for run in runs.values():
        assert admin.get(f"/runs/{run}").json() == json.loads(msgspec.json.encode(result_of(stores, run)))


def test_the_parts_of_a_run(admin, runs) -> None:
    run = runs["waiting"]
    assert b"diff --git a/cart.py" in admin.get(f"/runs/{run}/diff").content
    assert admin.get(f"/runs/{run}/report").text.startswith("# Add prices once")
    assert [gate["gate"] for gate in admin.get(f"/runs/{run}/evidence").json()["gates"]][:2] == ["suite", "coverage"]
    assert admin.get(f"/runs/{run}/confidence").json()["score"] == 0.78
    assert admin.get(f"/runs/{runs['failed']}/cost").json()["usd"] == "0.0125"
    assert admin.get(f"/runs/{run}/verification").json()["intact"] is True
    assert admin.get(f"/runs/{runs['failed']}/diff").status_code == 404
    assert admin.get(f"/runs/{runs['failed']}/confidence").status_code == 409


def test_an_altered_trail_is_told(admin, stores, runs) -> None:
    with stores.database.writing() as connection:
        connection.exec_driver_sql("UPDATE events SET payload = '{}' WHERE seq = 3")
    told = admin.get(f"/runs/{runs['waiting']}/verification").json()
    assert told["intact"] is False
    assert [problem["seq"] for problem in told["problems"]] == [3]


def test_the_trail_is_read_in_order_and_by_type(admin, runs) -> None:
    run = runs["delivered"]
    numbers, cursor = [], {}
    while cursor is not None:
        page = admin.get(f"/runs/{run}/events", params={"limit": 7, **cursor}).json()
        numbers += [entry["seq"] for entry in page["items"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert numbers == list(range(1, len(numbers) + 1))
    tools = admin.get(f"/runs/{run}/events", params={"type": "tool.called"}).json()["items"]
    assert {entry["type"] for entry in tools} == {"tool.called"}
    assert admin.get(f"/runs/{run}/events/{numbers[-1] + 1}").status_code == 404
    assert admin.get(f"/runs/{run}/events/0").status_code == 404


def test_a_stream_of_an_ended_run_tells_what_is_missing_and_ends(admin, runs) -> None:
    run = runs["delivered"]
    last = admin.get(f"/runs/{run}").json()["events"]
    told = admin.get(f"/runs/{run}/stream", headers={"last-event-id": str(last - 2)}).text
    assert [line for line in told.splitlines() if line.startswith("id: ")] == [f"id: {last - 1}", f"id: {last}"]
    assert "event: run.finished" in told


def test_a_stream_of_a_run_under_way_ends_when_its_time_is_up(admin, runs) -> None:
    told = admin.get(f"/runs/{runs['running']}/stream", params={"wait": 1, "after": 1}).text
    assert "id: 2\n" in told
    assert "id: 1\n" not in told


def test_figures_and_budgets(admin, runs) -> None:
    assert admin.put("/budgets/team:web/month", json={"hard": "12.5", "soft": "10"}).json()["hard"] == "12.5"
    (found,) = admin.get("/budgets").json()["items"]
    assert (found["scope"], found["soft"], found["spent"]) == ("team:web", "10", "0")
    assert admin.delete("/budgets/team:web/month").status_code == 204
    assert admin.delete("/budgets/team:web/month").status_code == 404
    assert {"shop"} == set(admin.get("/products").json()["items"])
    levels = admin.get("/products/shop/autonomy").json()["levels"]
    assert {each["level"] for each in levels} == {"human_in_the_loop"}
    assert admin.get("/strategies").json()["items"]


def test_what_was_seen_of_a_change_is_kept_once(admin, runs) -> None:
    told = {"sign": "incident", "reference": "INC-1", "comment": "carts were empty"}
    first, again = (admin.post(f"/runs/{runs['delivered']}/outcomes", json=told).json() for _ in range(2))
    assert (first["new"], again["new"]) == (True, False)
    assert admin.get("/outcomes", params={"label": "bad"}).json()["items"][0]["change"]["run_id"] == runs["delivered"]


def test_keys_of_the_gateway_and_what_calls_did_cost(admin) -> None:
    made = admin.post("/gateway/keys", json={"name": "laptop", "team": "web", "requests_per_minute": 60}).json()
    key = made["key"]["key_id"]
    assert admin.get(f"/gateway/keys/{key}").json() == made["key"]
    assert made["secret"] not in admin.get("/gateway/keys").text
    assert admin.delete(f"/gateway/keys/{key}").status_code == 204
    assert admin.get(f"/gateway/keys/{key}").status_code == 404
    assert admin.get("/ledger?state=settled").json() == {"items": [], "next": None}
