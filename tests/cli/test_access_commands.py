"""Tokens, secrets and the audit at the terminal: told once, never shown again, and every change written down."""

import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from karkhana.cli.commands.audit import app as audit
from karkhana.cli.commands.queue import app as queue
from karkhana.cli.commands.runs import app as runs
from karkhana.cli.commands.secrets import app as secrets
from karkhana.cli.commands.tickets import app as tickets
from karkhana.cli.commands.tokens import app as tokens
from karkhana.domain.errors import InvalidInput, UnknownRun
from karkhana.domain.tasks import Order, Ticket
from karkhana.factory.stores import open_stores
from karkhana.storage.audit import Audit
from karkhana.storage.tables import metadata


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KARKHANA_SECRETS_KEY_FILE", str(tmp_path / "secrets.key"))


def run(app, *words, text=None):
    done = CliRunner().invoke(app, list(words), input=text, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_a_token_is_told_once_and_listed_without_its_secret():
    words = ("create", "nightly", "--role", "operator", "--product", "shop", "--expires", "90d")
    secret = run(tokens, *words).stdout.strip()
    made = json.loads(run(tokens, "create", "x", "--role", "viewer", "--expires", "12h", "--json").stdout)
    assert made["roles"] == {"*": "viewer"}
    listed = run(tokens, "list").output
    assert "shop: operator" in listed
    assert secret not in listed
    assert made["token"] not in run(tokens, "list", "--json").output
    run(tokens, "revoke", made["token_id"])
    states = {each["name"]: each["state"] for each in json.loads(run(tokens, "list", "--json").stdout)}
    assert states == {"x": "revoked", "nightly": "valid"}
    with open_stores() as stores:
        assert stores.tokens.opened_by(secret) is not None
        assert stores.tokens.opened_by(made["token"]) is None
        told = stores.audit.entries()
    assert [entry.action for entry in told] == ["token.revoke", "token.create", "token.create"]
    assert told[0].via == "terminal"
    assert secret not in str(told)


@pytest.mark.parametrize("expires", ["", "9", "9000d", "-1d", "1s", "0d"])
def test_a_token_needs_an_end(expires):
    with pytest.raises(InvalidInput):
        CliRunner().invoke(tokens, ["create", "x", "--role", "viewer", "--expires", expires], catch_exceptions=False)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (tokens, ("create", "x", "--role", "viewer", "--expires", "12h")),
        (secrets, ("set", "slack")),
        (secrets, ("remove", "mail")),
        (queue, ("cancel", "TASK")),
        (runs, ("cancel", "RUN")),
        (tickets, ("criteria", "TASK", "--add", "It shows 2")),
        (tickets, ("duplicate", "TASK", "OTHER")),
    ],
)
def test_a_command_that_dies_before_its_entry_did_nothing(app, words):
    order = Order(ticket=Ticket(text="x"), repository="/srv/shop", commit="a" * 40)
    run(secrets, "set", "mail", text="xq-7781-battery\n")
    with open_stores() as stores:
        task, other = (stores.tasks.add(order, product="shop").task_id for _ in range(2))
        claim = stores.tasks.add_and_claim(order, "worker", 60.0, product="shop")[1]
    named = {"TASK": task, "OTHER": other, "RUN": claim.run_id}
    words = [named.get(word, word) for word in words]

    def die(*_told, **_more):
        raise ZeroDivisionError

    before = rows()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Audit, "record_within", die)
        with pytest.raises(ZeroDivisionError):
            CliRunner().invoke(app, words, input="another value", catch_exceptions=False)
    assert rows() == before
    run(app, *words, text="another value")
    with open_stores() as stores:
        assert stores.audit.entries(limit=1)[0].outcome == "done"
    assert rows() != before


def rows():
    """All that is stored."""
    with open_stores() as stores, stores.database.reading() as connection:
        return {table.name: connection.execute(sa.select(table)).all() for table in metadata.sorted_tables}


def test_a_secret_comes_from_standard_input_and_is_never_shown():
    run(secrets, "set", "slack", text="xq-7781-battery\n")
    with open_stores() as stores:
        assert stores.sealed.reveal("slack") == "xq-7781-battery"
    assert "slack" in run(secrets, "list").output
    run(secrets, "rotate")
    with open_stores() as stores:
        assert stores.sealed.reveal("slack") == "xq-7781-battery"
    shown = run(secrets, "list", "--json").output + run(audit, "list", "--json").output
    assert "battery" not in shown
    run(secrets, "remove", "slack")
    assert json.loads(run(secrets, "list", "--json").stdout) == []


def test_the_audit_is_listed_exported_and_verified():
    run(secrets, "set", "slack", text="one")
    run(tokens, "create", "nightly", "--role", "viewer", "--expires", "1d")
    assert "secret.set" in run(audit, "list", "--action", "secret.*").output
    assert "token.create" not in run(audit, "list", "--action", "secret.*").output
    *entries, last = [json.loads(line) for line in run(audit, "export").stdout.splitlines()]
    assert [entry["action"] for entry in entries] == ["secret.set", "token.create", "audit.export"]
    assert last == {"type": "result", "intact": True, "entries": 3, "head": entries[-1]["hash"]}
    run(audit, "export", "--actor", "nobody", "--since", "2020-01-01")
    told = json.loads(run(audit, "list", "--limit", "1", "--json").output)[0]
    assert (told["action"], told["via"]) == ("audit.export", "terminal")
    assert told["details"] == {"format": "ndjson", "actor": "nobody", "since": "2020-01-01T00:00:00.000000Z"}
    assert json.loads(run(audit, "list", "--since", "2990-01-01T00:00:00+05:30", "--json").output) == []
    assert len(json.loads(run(audit, "list", "--since", "2020-01-01", "--json").output)) == 4
    with pytest.raises(InvalidInput, match="'yesterday' is no time"):
        CliRunner().invoke(audit, ["export", "--since", "yesterday"], catch_exceptions=False)
    assert "4 entries, intact" in run(audit, "verify").output
    with open_stores() as stores, stores.database.writing() as connection:
        connection.exec_driver_sql("UPDATE audit_entries SET actor = 'nobody' WHERE seq = 1")
    broken = CliRunner().invoke(audit, ["verify", "--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["problem"]["seq"] == 1


def test_what_is_done_with_a_run_at_the_terminal_is_written_down():
    with open_stores() as stores:
        order = Order(ticket=Ticket(text="total() is wrong"), repository="/srv/shop", commit="a" * 40)
        run_id = stores.tasks.add_and_claim(order, "worker", 60.0, product="shop")[1].run_id
    run(runs, "cancel", run_id)
    with pytest.raises(InvalidInput):
        CliRunner().invoke(runs, ["approve", run_id, "--comment", "fine"], catch_exceptions=False)
    with pytest.raises(UnknownRun):
        CliRunner().invoke(runs, ["cancel", "no-such"], catch_exceptions=False)
    with open_stores() as stores:
        refused, done = stores.audit.entries()
    assert (done.action, done.target, done.product, done.outcome) == ("run.cancel", run_id, "shop", "done")
    assert (refused.action, refused.outcome, refused.details["comment"]) == ("run.approve", "refused", "fine")
    assert "waits for no approval" in refused.details["why"]
