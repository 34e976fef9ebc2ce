"""Quality, Router and Audit: what they show, to whom, and as which files."""

import csv
import io
import re

import msgspec
import pytest
from web_support import PORT, as_if, asked_models, made_past, signed_in

from karkhana.domain.access import Role, single_user
from karkhana.storage.breaker_store import BreakerReport, BreakerStore
from karkhana.web.app import dashboard

DAY_S = 86_400.0
QUALITY = ("/quality", "/quality/failures", "/quality/learning")


@pytest.fixture
def seen_by(stores, answers):
    """A client of somebody with roles."""
    opened = []

    def made(**roles: str):
        client = signed_in(as_if(dashboard(stores, account="asha", port=PORT, answering=answers), "mira", **roles))
        opened.append(client.__enter__())
        return opened[-1]

    yield made
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def past(stores):
    """Thirty runs of the shop and ten of the bank."""
    made_past(stores, 40)


def figures(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def table(text: str, name: str) -> list[list[str]]:
    """The rows of the table that has this label."""
    found = re.search(rf'aria-label="{name}"[^>]*>\s*<table.*?</table>', text, re.S)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", found, re.S)[1:]
    return [[figures(cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)] for row in rows]


def test_each_figure_is_there_as_a_table_too(client, past):
    text = client.get("/quality?days=90").text
    assert table(text, "Scores as a table") == [["0.70", "0", "21", "0", "0"], ["0.95", "11", "0", "0", "0"]]
    weeks = table(text, "Decisions over time as a table")
    assert [sum(int(row[place]) for row in weeks) for place in (1, 2, 3)] == [11, 21, 0]
    assert "34.4 %" in figures(text)
    bands = table(text, "Score against outcome as a table")
    assert [row[0] for row in bands] == ["0.70 to 0.80", "0.95 to 1.00"]
    assert bands[1][2].endswith("of 3") or int(bands[1][2].split(" of ")[1]) > 0
    for drawing in re.findall(r"<svg viewBox[^>]*>", text):
        assert 'role="img" aria-label="' in drawing or 'aria-hidden="true"' in drawing


def test_the_promise_is_told_with_its_figures_and_assumptions(client, past):
    rows = table(client.get("/quality").text, "Promises")
    assert sorted(row[0] for row in rows) == ["/srv/bank", "/srv/shop"]
    assert all(row[3:5] == ["0.10", "0.10"] for row in rows)
    assert "abstains" in rows[0][6]
    assert "Assumed is that the next changes are like these" in client.get("/quality").text


def test_failures_are_told_with_their_causes(client, past):
    text = client.get("/quality/failures?days=365").text
    causes = table(text, "Causes")
    assert [row[0].split(" ")[0] for row in causes] == ["regression"]
    (alone, approved, refused) = table(text, "Decisions and outcomes")
    assert (alone[0], refused[1:]) == ("went ahead alone", ["0", "0", "0"])
    assert int(approved[2]) == int(causes[0][2]) > 3


def test_the_learning_curve_counts_what_failed(client, past):
    text = client.get("/quality/learning").text
    rows = table(text, "Failures of bugfix as a table")
    told = [row[1].split(" of ") for row in rows]
    assert (sum(int(bad) for bad, _ in told), sum(int(whole) for _, whole in told)) == (8, 40)
    assert table(text, "Track records")


def test_figures_are_of_ones_own_products(seen_by, past):
    client = seen_by(bank="viewer")
    assert "8 changes with a score" in figures(client.get("/quality").text)
    for path in QUALITY:
        assert "/srv/shop" not in client.get(path).text, path
    assert client.get("/router").status_code == 404
    assert client.get("/audit").status_code == 404
    assert 'href="/router"' not in client.get("/help").text


def test_pages_without_figures_name_the_command_that_fills_them(client):
    for path, command in {
        "/quality": "karkhana run",
        "/quality/failures": "karkhana outcomes add",
        "/quality/learning": "karkhana outcomes sync",
        "/router": "karkhana route explain",
    }.items():
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert command in answer.text, path
    assert client.get("/quality/nothing").status_code == 404
    assert client.get("/quality?days=99999999999").status_code == 200


def test_the_router_tells_cost_latency_and_failures_by_model(client, stores):
    asked_models(stores)
    report = BreakerReport(reporter="", place="cloud/large#1", state="open", answered=3, failed=9, opens_in_s=4.0)
    BreakerStore(stores.database).tell("gateway node:7", [report])
    text = client.get("/router?days=7").text
    (breaker,) = table(text, "Breakers")
    assert breaker[:4] == ["cloud/large#1", "✕ open: lets nothing through tries again in 4.0 s", "3", "9"]
    large, small = sorted(table(text, "Models"), key=lambda row: row[0])
    assert large[:3] == ["large", "cloud", "9"]
    assert small[:5] == ["small", "cloud", "10", "$0.05", "10.0 s"]
    assert large[6] == "1 (10.0 %)"
    assert "for 19 calls in the last 7 days" in figures(text)
    assert "Savings can be told once" in text


def test_the_audit_is_searched_and_goes_on_by_cursor(client, stores, runs):
    asha = single_user("asha")
    for number in range(230):
        stores.audit.record(asha, action="run.cancel", target=f"run_{number}", product="shop", details={"n": number})
    stores.audit.record(single_user("ravi"), action="run.approve", target=runs["waiting"], product="shop")
    first = client.get("/audit").text
    assert len(re.findall(r"<tr data-item", first)) == 100
    older = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    second = client.get(older).text
    numbers = [int(found) for found in re.findall(r'id="entry-(\d+)"', first + second)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 200
    found = client.get(f"/audit?actor=ravi&target={runs['waiting']}").text
    assert len(re.findall(r"<tr data-item", found)) == 1
    assert len(re.findall(r"<tr data-item", client.get("/audit?action=run.*&words=229").text)) == 1
    assert "No entry is like that" in client.get("/audit?since=2990-01-01").text
    assert "No entry is like that" in client.get("/audit?until=1990-01-01").text
    assert "No entry is like that" not in client.get("/audit?since=1990-01-01&until=2990-01-01").text
    assert f"/audit?target={runs['waiting']}" in client.get(f"/runs/{runs['waiting']}").text


def test_details_are_told_in_words(client, stores):
    details = {"roles": {"*": Role.ADMIN}, "newest": False, "broken": [], "groups": ["a", "<b>"], "told": [{"n": 1}]}
    stores.audit.record(single_user("asha"), action="token.create", details=details)
    text = client.get("/audit?action=token.create").text
    assert "groups (a, &lt;b&gt;), newest: no, roles (*: admin), told ((n: 1))" in text


def test_the_audit_is_taken_along_whole_and_harmless(client, stores):
    stores.audit.record(single_user("=cmd()"), action="run.cancel", target="@run", details={"comment": "+1"})
    rows = list(csv.reader(io.StringIO(client.get("/audit/export?format=csv&actor=%3Dcmd()").text)))
    assert rows[0][:4] == ["seq", "at", "actor", "via"]
    assert (rows[1][2], rows[1][6]) == ("'=cmd()", "'@run")
    assert len(rows) == 2
    lines = [msgspec.json.decode(line) for line in client.get("/audit/export?format=ndjson").content.splitlines()]
    assert lines[-1] == {"type": "end", "complete": True}
    assert [line["seq"] for line in lines[:-1]] == list(range(1, len(lines)))
    assert {"audit.export", "run.cancel"} <= {line["action"] for line in lines[:-1]}
    assert client.get("/audit/export?format=exe").status_code == 404


def test_the_audit_is_verified(client, stores, runs):
    stores.audit.record(single_user("asha"), action="run.cancel")
    text = client.post("/audit/verify", data={"csrf": client.form_token}).text
    assert "All is as it was written" in text
    assert "4 of the newest runs" in text
    with stores.database.writing() as connection:
        connection.exec_driver_sql("UPDATE audit_entries SET actor = 'nobody' WHERE action = 'run.cancel'")
        connection.exec_driver_sql(
            "UPDATE events SET payload = replace(payload, 'twice', 'once') WHERE run_id = ? AND seq = 1",
            (runs["delivered"],),
        )
    text = client.post("/audit/verify", data={"csrf": client.form_token}).text
    assert "Something was tampered with" in text
    assert "was altered" in text
    assert f"/runs/{runs['delivered']}/verify" in text


def test_an_admin_of_one_product_reads_the_audit_of_that_product(seen_by, stores):
    for product in ("shop", "bank", ""):
        stores.audit.record(single_user("asha"), action="run.cancel", target=f"of-{product}", product=product)
    client = seen_by(shop="admin", bank="approver")
    text = client.get("/audit").text
    assert re.findall(r"of-\w*", text) == ["of-shop"]
    assert "of-bank" not in client.get("/audit/export?format=csv").text
    assert client.get("/audit?product=bank").text.count("<tr data-item") == 0


def test_the_menu_leads_to_the_audit_where_there_is_one(seen_by, runs):
    client, run_page = seen_by(shop="admin", bank="viewer"), f"/runs/{runs['delivered']}"
    for product, there in (("", True), ("bank", False), ("shop", True)):
        client.post("/product", data={"csrf": client.form_token, "product": product, "back": "/"})
        found = [path for path in ("/", "/help", run_page) if 'href="/audit' in client.get(path).text]
        assert found == (["/", "/help", run_page] if there else []), product
        assert (client.get("/audit").status_code == 200) == there, product
