"""``karkhana webhooks`` at the terminal: the secret once, what is wrong in plain words, everything in the audit."""

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from karkhana.cli.commands.webhooks import app
from karkhana.domain.errors import InvalidInput
from karkhana.factory.stores import open_stores

RUN = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KARKHANA_SECRETS_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.delenv("KARKHANA_DATABASE_URL", raising=False)
    return tmp_path


def told(*words: str) -> object:
    result = RUN.invoke(app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def test_from_its_first_day_to_its_last(home: Path) -> None:
    made = told("add", "https://hooks.example.org/k", "--events", "task.*, change.delivered", "--product", "shop")
    webhook = made["webhook"]["webhook_id"]
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    (listed,) = told("list")
    assert (listed["events"], listed["products"]) == (["task.*", "change.delivered"], ["shop"])
    assert made["secret"] not in json.dumps(listed)
    assert told("switch", webhook, "--off")["active"] is False
    assert told("list")[0]["notice"].startswith("switched off by")
    assert told("messages", webhook) == []
    assert told("remove", webhook) == {"removed": webhook}
    assert told("list") == []
    with open_stores() as stores:
        done = [entry.action for entry in stores.audit.entries()]
        assert stores.sealed.all() == []
    assert done == ["webhook.remove", "webhook.switch", "webhook.add"]


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["https://127.0.0.1/x"], "not outside"),
        (["http://hooks.example.org/x"], "not outside, or not https"),
        (["ftp://hooks.example.org/x"], "cannot be told"),
        (["https://hooks.example.org/x", "--events", "task.lost"], "nothing is told as 'task.lost'"),
        (["https://hooks.example.org/x", "--events", " "], "say what"),
    ],
)
def test_what_could_never_be_told_is_refused(words: list[str], wrong: str) -> None:
    with pytest.raises(InvalidInput, match=wrong):
        RUN.invoke(app, ["add", *words], catch_exceptions=False)


def test_an_unknown_webhook_is_said_to_be_unknown() -> None:
    for words in (["remove", "wh_0"], ["test", "wh_0"], ["messages", "wh_0"], ["switch", "wh_0", "--on"]):
        with pytest.raises(InvalidInput, match="there is no webhook wh_0"):
            RUN.invoke(app, words, catch_exceptions=False)


def test_a_trial_says_whether_it_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARKHANA_WEBHOOKS_PRIVATE_NETWORKS", "127.0.0.0/8")
    webhook = told("add", "http://127.0.0.1:1/hook")["webhook"]["webhook_id"]
    result = RUN.invoke(app, ["test", webhook])
    assert result.exit_code == 1
    assert "nothing arrived: ConnectionRefusedError" in result.stdout
