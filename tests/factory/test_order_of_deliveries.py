"""Deliveries that tell of one thing give one ticket, in whatever order they come, and however often."""

import hashlib
import hmac
import itertools
import json
import subprocess

import msgspec

from karkhana.domain.settings import IntakeDoor
from karkhana.factory.admission import Desk
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import open_stores
from karkhana.intake.deliveries import Delivery
from karkhana.intake.door import received
from karkhana.intake.github import GitHub

SECRET = b"a secret of some length"


def delivery(number: int, event: str, action: str, issue: int, **more) -> Delivery:
    told = {
        "action": action,
        "issue": {"number": issue, "title": "total() is wrong", "html_url": "https://forge.test/7", "labels": []},
        "repository": {"full_name": "octo/shop", "default_branch": "main"},
        "sender": {"login": "asha"},
        **more,
    }
    body = json.dumps(told).encode()
    headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": f"d-{number}",
        "x-hub-signature-256": f"sha256={hmac.new(SECRET, body, hashlib.sha256).hexdigest()}",
    }
    return Delivery(headers, body, 0.0)


WORK = {"comment": {"html_url": "https://forge.test/7#1", "body": "/karkhana work", "user": {"login": "asha"}, "id": 1}}


def test_all_orders_of_a_set_of_deliveries_give_the_same_tickets(tmp_path, sqlite_home):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "cart.py").write_text("def total(): ...\n")
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(tmp_path / "shop")]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*words, *step], check=True, capture_output=True)
    doors = {}
    orders = list(itertools.permutations(range(4)))
    settings = msgspec.structs.replace(load_settings({}), home=sqlite_home, database_url=None)
    with open_stores(settings) as stores:
        desk, github = Desk(stores), GitHub()
        known = {"repositories": {"*": str(tmp_path / "shop")}, "senders": ("asha",), "per_minute": 100_000}
        door = IntakeDoor(kind="github", **known)
        for name, order in enumerate(orders):
            sent = [
                delivery(1, "issues", "opened", 7),
                delivery(2, "issues", "labeled", 7, label={"name": "bug"}),
                delivery(3, "issue_comment", "created", 7, **WORK),
                delivery(4, "issues", "opened", 8),
            ]
            # a door for each order; the second half comes twice
            for each in [*order, *order[2:]]:
                reading = received(github, sent[each], [SECRET])
                desk.admit(f"d{name}", door, reading)
            doors[f"d{name}"] = {desk.store.task_of(f"d{name}", f"octo/shop#{issue}") for issue in (7, 8)}
        assert len(stores.tasks.list(limit=1000)) == 2 * len(orders)
    assert all(len(found) == 2 and None not in found for found in doors.values())
