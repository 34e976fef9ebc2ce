import json

from typer.testing import CliRunner

from karkhana.cli.commands.queue import app
from karkhana.domain.tasks import Order, Ticket
from karkhana.factory.stores import open_stores
from karkhana.storage.intake_store import IntakeStore, Receipt, TicketRow


def test_a_ticket_tells_where_it_came_in_and_what_is_suspicious(tmp_path, monkeypatch):
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path))
    order = Order(ticket=Ticket(text="total() is wrong"), repository="/srv/shop", commit="a" * 40)
    row = TicketRow(door="shop", sender="asha", place="p", reference="https://forge.test/7", suspicions=("hides text",))

    with open_stores() as stores:

        def act(writing):
            task_id = stores.tasks.add_within(writing.connection, order).task_id
            writing.came(task_id, row)
            return Receipt(status="accepted", task_id=task_id)

        task_id = IntakeStore(stores.database).admit("shop", "d", "d", act)[0].task_id
        plain = stores.tasks.add(order).task_id
    shown = CliRunner().invoke(app, ["show", task_id]).output
    assert "shop, from asha (https://forge.test/7)" in shown
    assert "hides text" in shown
    assert json.loads(CliRunner().invoke(app, ["show", task_id, "--json"]).output)["came_by"]["sender"] == "asha"
    assert json.loads(CliRunner().invoke(app, ["show", plain, "--json"]).output)["came_by"] is None
