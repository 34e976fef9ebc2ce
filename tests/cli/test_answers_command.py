import json

import pytest
from typer.testing import CliRunner

from karkhana.cli.commands.answers import app
from karkhana.domain.errors import InvalidInput
from karkhana.factory.stores import open_stores
from karkhana.storage.intake_store import IntakeStore
from karkhana.storage.outbox import Saying, queue


@pytest.fixture
def numbers(sqlite_home, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of two answers: one waits, one was given up."""
    monkeypatch.setenv("KARKHANA_HOME", str(sqlite_home))
    monkeypatch.delenv("KARKHANA_DATABASE_URL", raising=False)
    with open_stores() as stores:
        outbox = IntakeStore(stores.database).outbox
        for text in ("waits", "given up"):
            with stores.database.writing() as connection:
                queue(connection, 0.0, Saying(text=text), door="forge", reference="octo/shop#7", task_id="BUILD-1")
        waits, lost = outbox.due()
        outbox.lead("forge", "one", 60.0)
        outbox.rest("forge", 60.0, "the token does not count")
        outbox.dead(lost, "404 \x1b[31mNot Found")
        return [waits.ordinal, lost.ordinal]


def test_answers_are_listed_and_tried_again(numbers):
    waits, lost = numbers
    shown = CliRunner().invoke(app, ["list"])
    assert "the token does not count" in shown.stderr
    assert [line.split()[:5] for line in shown.stdout.splitlines()[1:]] == [
        [str(lost), "forge", "BUILD-1", "given", "up"],
        [str(waits), "forge", "BUILD-1", "tried", "0"],
    ]
    assert "\x1b" not in shown.stdout
    assert isinstance(CliRunner().invoke(app, ["retry", str(waits)]).exception, InvalidInput)
    assert json.loads(CliRunner().invoke(app, ["retry", "--json"]).stdout) == {"retried": 1}
    told = json.loads(CliRunner().invoke(app, ["list", "--failed", "--json"]).stdout)
    assert told == {"answers": [], "troubles": {"forge": "the token does not count"}}
    with open_stores() as stores:
        (entry,) = stores.audit.entries()
    assert (entry.action, entry.target, entry.details) == ("answer.retry", "", {"retried": 1})
