"""Two products of one factory, people with every role, and requests to its server without a network in between.

Whatever belongs to the product ``zebra`` has that word in it, so that a word of it in an answer is a leak.
"""

import asyncio
import hashlib
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message

from benchmarks.common import git, small_repository
from karkhana.domain import events as ev
from karkhana.domain.access import Role, single_user
from karkhana.domain.access_settings import AccessSettings, Person
from karkhana.domain.changes import Change, FileChange, FileState
from karkhana.domain.confidence import Component, Confidence
from karkhana.domain.policy import Decision, Verdict
from karkhana.domain.settings import Settings
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Order, Status, Ticket
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import Stores
from karkhana.web.threshold import TEAM_COOKIE
from karkhana.web.visitors import Visitor

OWN, FOREIGN = "shop", "zebra"
HOST = "karkhana.test"
ORIGIN = f"https://{HOST}"
REPORT = TestReport(
    command=("pytest",), exit_code=0, results=(TestResult("test_a.py::test_a", Outcome.PASSED, 0.01),), duration_s=0.1
)
PLACES = {OWN: OWN, "*": "all"}


@dataclass(frozen=True)
class Product:
    """What there is of one product."""

    name: str
    run_id: str
    task_id: str


@dataclass(frozen=True)
class Identity:
    """Somebody who asks, by a session or a token, or nobody."""

    name: str
    headers: Mapping[str, str]
    roles: Mapping[str, Role]
    via: str = ""
    form_token: str = ""


@dataclass(frozen=True)
class Answered:
    """One answer; of a stream, its beginning."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def settings_for(folder: Path) -> Settings:
    """A team with somebody in each role, for one product and for all."""
    people = {
        f"{role.value}-{place}": Person(roles={product: role}) for product, place in PLACES.items() for role in Role
    }
    access = AccessSettings(
        mode="team",
        public_url=ORIGIN,
        issuer="http://127.0.0.1:9",
        client_id="karkhana",
        people=people,
        requests_per_minute=1_000_000,
    )
    return msgspec.structs.replace(
        load_settings({}),
        home=folder / "home",
        database_url=None,
        access=access,
        secrets_key_file=folder / "secrets.key",
    )


def product(stores: Stores, folder: Path, name: str) -> Product:
    """One run that waits for a person, and a task in the queue; both with the product's name all over."""
    root = folder / name
    if not root.exists():
        root.mkdir(parents=True)
        small_repository(root, {f"{name}.py": "def total(lines):\n    return 0\n"})
    commit = git(root, "rev-parse", "HEAD").strip()
    order = Order(ticket=Ticket(text=f"The {name} counts wrongly"), repository=str(root), commit=commit, by=f"{name}r")
    task, claim = stores.tasks.add_and_claim(order, "worker", 600.0, product=name)
    patch = f"diff --git a/{name}.py b/{name}.py\n--- a/{name}.py\n+++ b/{name}.py\n@@ -1 +1 @@\n-a\n+{name}\n"
    file = FileChange(f"{name}.py", FileState(0o100644, "a" * 64), FileState(0o100644, "b" * 64))
    change = Change(
        base=commit, files=(file,), patch=patch, summary=f"Of {name}", engineer="symbolic", title=f"Mend {name}"
    )
    component = Component(name="tests", value=0.8, weight=1.0, because=f"{name} has tests")
    trail = stores.events.trail(claim.run_id, claim.epoch)
    for event in (
        ev.RunStarted(task_id=task.task_id, order=order, version="1"),
        ev.SuiteMeasured(after_change=False, report=REPORT),
        ev.WorkspaceOpened(commit=commit, engineer="symbolic"),
        ev.ChangeHandedOver(change=change),
        ev.SuiteMeasured(after_change=True, report=REPORT),
        ev.ScoreComputed(confidence=Confidence(score=0.8, components=(component,), weights_version="1", missing=())),
        ev.DecisionMade(decision=Decision(verdict=Verdict.CANARY, needs_approval=True, reason=f"{name} asks")),
        ev.ApprovalRequested(patch_sha256=hashlib.sha256(name.encode()).hexdigest()),
    ):
        trail.record(event)
    stores.runs.set_status(claim.run_id, claim.epoch, Status.WAITING_FOR_REVIEW)
    stores.runs.park(claim.run_id, claim.epoch)
    queued = stores.tasks.add(order, product=name)
    told = {"action": "run.verify", "target": claim.run_id, "product": name, "details": {"of": name}}
    stores.audit.record(single_user(f"{name}r"), **told)
    return Product(name=name, run_id=claim.run_id, task_id=queued.task_id)


def identities(stores: Stores, find: Any) -> list[Identity]:
    """Nobody, and each role for one product and for all, by a session and by a token."""
    found = [Identity("nobody", {}, {})]
    for place, word in PLACES.items():
        for role in Role:
            name = f"{role.value}-{word}"
            session_id = stores.sessions.begin(name, "", (), 3600.0)
            visitor: Visitor = find(session_id)
            cookie = {"cookie": f"{TEAM_COOKIE}={session_id}"}
            found.append(Identity(f"{name} session", cookie, {place: role}, "session", visitor.form_token))
            _, secret = stores.tokens.create(name, {place: role}, seconds=3600.0, owner="asha")
            bearer = {"authorization": f"Bearer {secret}"}
            found.append(Identity(f"{name} token", bearer, {place: role}, "token"))
    return found


async def ask(
    app: ASGIApp, identity: Identity, method: str, target: str, *, form: Any = None, body: Any = None
) -> Answered:
    """Send one request; of a stream the first pieces are taken, and then the reader leaves."""
    headers = {"host": HOST, "accept": "text/html", "origin": ORIGIN, **identity.headers}
    path, _, query = target.partition("?")
    content = b""
    if path.startswith("/api"):
        headers |= {"accept": "*/*", "x-csrf-token": identity.form_token}
        if body is not None:
            content = json.dumps(body).encode()
            headers["content-type"] = "application/json"
    elif method == "POST":
        content = urllib.parse.urlencode({"csrf": identity.form_token, **(form or {})}).encode()
    headers["content-length"] = str(len(content))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": urllib.parse.unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("203.0.113.9", 4000),
        "server": (HOST, 443),
        "state": {},
    }
    return await _exchanged(app, scope, content)


async def _exchanged(app: ASGIApp, scope: dict[str, Any], content: bytes) -> Answered:
    waiting = [{"type": "http.request", "body": content, "more_body": False}]
    enough, pieces, begun = asyncio.Event(), [], {}

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            begun.update(message)
        else:
            pieces.append(message.get("body", b""))
            if len(pieces) >= 2 and message.get("more_body"):
                enough.set()

    async with asyncio.timeout(120):
        await app(scope, receive, send)
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in begun["headers"]}
    return Answered(begun["status"], b"".join(pieces), headers)
