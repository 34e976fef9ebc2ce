"""Every payload of npm ``@octokit/webhooks-examples``, signed, through the GitHub door and the desk behind it.

Each is a ticket, a command, or ignored for a reason that names its kind; what is refused, of an unknown kind, or ends
in an error is a miss. All are sent a second time in another order: that makes no ticket more.

    npm pack @octokit/webhooks-examples && tar xzf *.tgz -C DIR
    python -m benchmarks.webhook_examples --data DIR [--json]
"""

import argparse
import hashlib
import hmac
import json
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import emit, small_repository
from karkhana.domain.settings import IntakeDoor
from karkhana.factory.admission import Desk
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import Stores, open_stores
from karkhana.intake.deliveries import Delivery, Ignored
from karkhana.intake.door import Reading, received
from karkhana.intake.github import GitHub

SECRET = b"a secret of the benchmark"
SETS = ("api.github.com", "ghes-*")


def payloads(data: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Where each payload is from, its event, and itself."""
    found = []
    for pattern in SETS:
        for file in sorted((data / "package").glob(f"{pattern}/index.json")):
            for event in json.loads(file.read_text()):
                found += [(file.parent.name, event["name"], example) for example in event["examples"]]
    return found


def signed(event: str, payload: dict[str, Any], number: int) -> Delivery:
    body = json.dumps(payload).encode()
    headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": f"example-{number}",
        "x-hub-signature-256": "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest(),
    }
    return Delivery(headers, body, 0.0)


def outcomes(stores: Stores, settings: IntakeDoor, data: Path) -> tuple[Counter[str], list[str]]:
    """How many ended how, and which are misses."""
    counts: Counter[str] = Counter()
    misses = []
    desk, door = Desk(stores), GitHub()
    sent = [
        (place, event, signed(event, example, number)) for number, (place, event, example) in enumerate(payloads(data))
    ]
    for place, event, delivery in sent:
        reading = received(door, delivery, [SECRET])
        if not isinstance(reading, Reading):
            misses.append(f"{place} {event}: {reading.reason}")
            continue
        if isinstance(reading.outcome, Ignored):
            counts["ignored"] += 1
            if not reading.outcome.known:
                misses.append(f"{place} {event}: {reading.outcome.reason}")
        found = desk.admit("forge", settings, reading)
        if not isinstance(reading.outcome, Ignored):
            counts[f"{type(reading.outcome).__name__} {found.receipt.status}{' again' * found.repeated}"] += 1
    counts["sent"] = len(sent)
    counts["tickets"] = len(stores.tasks.list(limit=100_000))
    random.Random(7).shuffle(sent)
    for number, (_place, _event, delivery) in enumerate(sent):
        renamed = Delivery({**delivery.headers, "x-github-delivery": f"again-{number}"}, delivery.body, 0.0)
        reading = received(door, renamed, [SECRET])
        if isinstance(reading, Reading):
            desk.admit("forge", settings, reading)
    counts["tickets after all came again"] = len(stores.tasks.list(limit=100_000))
    return counts, misses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="where the npm package was unpacked")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = small_repository(Path(folder) / "shop", {"cart.py": "def total(): ...\n"})
        door = IntakeDoor(
            kind="github", repositories={"*": str(root)}, senders=("*",), checks=("*",), per_minute=100_000
        )
        settings = msgspec.structs.replace(load_settings({}), home=Path(folder) / "home", database_url=None)
        with open_stores(settings) as stores:
            counts, misses = outcomes(stores, door, options.data)
    figures = {name: counts[name] for name in sorted(counts)}
    emit("payloads of GitHub", {**figures, "missed": len(misses), "misses": misses}, as_json=options.json)


if __name__ == "__main__":
    main()
