"""Hostile deliveries at the real doors: the dashboard's own program, with every guard, database and desk behind it.

Forged and replayed deliveries, and such that know the secret but not the form: cut, huge, nested, of wrong types,
encodings and content types, with keys that stand there twice. None may be accepted (a ticket, a command, or a 2xx
that is not a repetition), and none may crash (an exception, or 500).

    python -m benchmarks.webhook_fuzz [--deliveries 20000] [--seed 1] [--json]
"""

import argparse
import asyncio
import base64
import copy
import hashlib
import hmac
import json
import os
import random
import tempfile
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.types import Message, Scope

from benchmarks.common import emit, small_repository
from karkhana.domain.settings import IntakeDoor
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import Stores, open_stores
from karkhana.web.app import dashboard

SECRET = "a secret of the benchmark"
VARIABLE = "FUZZED_DOORS_KEY"
LARGEST_KB = 64
Headers = dict[str, str]
Sent = tuple[str, Headers, bytes]
"""Method, headers and body."""

GITHUB = {
    "action": "opened",
    "issue": {"number": 7, "title": "total() is wrong", "html_url": "https://forge.test/7", "labels": []},
    "repository": {"full_name": "octo/shop", "default_branch": "main"},
    "sender": {"login": "asha"},
}
SLACK = {
    "type": "event_callback",
    "event_id": "Ev1",
    "event": {"type": "app_mention", "channel": "C1", "user": "U1", "text": "total() is wrong", "ts": "1700.1"},
}
ALERT = {
    "version": "4",
    "alerts": [{"status": "firing", "fingerprint": "f1", "startsAt": "2026-05-12T08:30:00Z", "labels": {"a": "b"}}],
}
ZENDESK = {
    "id": "01H",
    "type": "zen:event-type:ticket.created",
    "detail": {"id": "7", "subject": "total() is wrong", "description": "it raises", "requester_id": "8"},
}
PAYLOADS: dict[str, Any] = {"github": GITHUB, "slack": SLACK, "alertmanager": ALERT, "helpdesk": ZENDESK}
NEEDED: dict[str, tuple[tuple[str | int, ...], ...]] = {
    "github": (
        ("action",),
        ("issue",),
        ("issue", "number"),
        ("issue", "title"),
        ("repository", "full_name"),
        ("sender",),
    ),
    "slack": (
        ("type",),
        ("event", "type"),
        ("event", "channel"),
        ("event", "ts"),
        ("event", "text"),
        ("event", "user"),
    ),
    "alertmanager": (("version",), ("alerts",), ("alerts", 0), ("alerts", 0, "status"), ("alerts", 0, "fingerprint")),
    "helpdesk": (("type",), ("detail",), ("detail", "id")),
}
"""Fields of which each must be there, with the right type."""
ODD: tuple[Any, ...] = (None, True, 1.5, [], {}, [[]], {"a": []}, [None])
TYPES = ("", "text/plain", "text/html", "application/xml", "multipart/form-data", "application/json5", "*/*", "\x80")


def sign(kind: str, body: bytes, secret: str = SECRET, at: float | None = None) -> Headers:
    """The headers of a delivery that is in order."""
    now = time.time() if at is None else at

    def mac(message: bytes) -> bytes:
        return hmac.new(secret.encode(), message, hashlib.sha256).digest()

    match kind:
        case "github":
            own = {"x-hub-signature-256": f"sha256={mac(body).hex()}", "x-github-event": "issues"}
            own["x-github-delivery"] = os.urandom(8).hex()
        case "slack":
            stamp = str(int(now))
            own = {"x-slack-request-timestamp": stamp}
            own["x-slack-signature"] = "v0=" + mac(f"v0:{stamp}:".encode() + body).hex()
        case "alertmanager":
            own = {"authorization": f"Bearer {secret}"}
        case _:
            stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            own = {"x-zendesk-webhook-signature-timestamp": stamp}
            own["x-zendesk-webhook-signature"] = base64.b64encode(mac(stamp.encode() + body)).decode()
    return {"content-type": "application/json", **own}


SIGNS = {
    "github": "x-hub-signature-256",
    "slack": "x-slack-signature",
    "alertmanager": "authorization",
    "helpdesk": "x-zendesk-webhook-signature",
}


class Attacker:
    """Makes deliveries of which none may be accepted; ``kept`` are real ones that it saw on their way."""

    def __init__(self, draw: random.Random, kept: dict[str, Sent]) -> None:
        self._draw = draw
        self._kept = kept
        self.ways: dict[str, Callable[[str], Sent]] = {
            name.removeprefix("way_"): getattr(self, name) for name in dir(self) if name.startswith("way_")
        }

    def _fresh(self, kind: str) -> dict[str, Any]:
        """A payload that would make a new ticket."""
        made: dict[str, Any] = copy.deepcopy(PAYLOADS[kind])
        number = self._draw.randrange(10, 10**9)
        match kind:
            case "github":
                made["issue"]["number"] = number
            case "slack":
                made["event"]["ts"], made["event_id"] = f"{number}.1", f"Ev{number}"
            case "alertmanager":
                made["alerts"][0]["fingerprint"] = f"f{number}"
            case _:
                made["detail"]["id"], made["id"] = str(number), f"01H{number}"
        return made

    def _body(self, kind: str) -> bytes:
        return json.dumps(self._fresh(kind)).encode()

    def _signed(self, kind: str, body: bytes) -> Sent:
        return "POST", sign(kind, body), body

    def way_forged(self, kind: str) -> Sent:
        body = self._body(kind)
        headers = sign(kind, body)
        name, right = SIGNS[kind], headers[SIGNS[kind]]
        place = self._draw.randrange(len(right))
        flipped = right[:place] + ("0" if right[place] != "0" else "1") + right[place + 1 :]
        odd = (
            "",
            "sha256=",
            "v0=",
            right[:-1],
            flipped,
            right + "0",
            right.upper() + "x",
            "é" * 20,
            "\x00",
            "a" * 9000,
        )
        headers[name] = self._draw.choice(odd)
        return "POST", headers, body

    def way_unsigned(self, kind: str) -> Sent:
        body = self._body(kind)
        headers = sign(kind, body)
        del headers[SIGNS[kind]]
        if self._draw.random() < 0.5:
            headers["x-hub-signature"] = "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
        return "POST", headers, body

    def way_another_secret(self, kind: str) -> Sent:
        body = self._body(kind)
        wrong = self._draw.choice(("", "guess", SECRET[:-1], SECRET + " ", SECRET.upper(), VARIABLE))
        return "POST", sign(kind, body, wrong), body

    def way_another_body(self, kind: str) -> Sent:
        if kind == "alertmanager":
            return self.way_another_secret(kind)
        return "POST", sign(kind, self._body(kind)), self._body(kind)

    def way_replayed(self, kind: str) -> Sent:
        method, headers, body = self._kept[kind]
        headers = dict(headers)
        if kind == "github":
            headers["x-github-delivery"] = os.urandom(8).hex()
            headers["x-github-event"] = self._draw.choice(("issues", "issue_comment", "ping", "check_run", "\x00"))
        return method, headers, body

    def way_late(self, kind: str) -> Sent:
        body = self._body(kind)
        if kind in ("slack", "helpdesk"):
            off = self._draw.choice((-1, 1)) * self._draw.uniform(310, 10**8)
            return "POST", sign(kind, body, at=time.time() + off), body
        return self.way_forged(kind)

    def way_another_time(self, kind: str) -> Sent:
        method, headers, body = self._kept[kind]
        stamps = [name for name in headers if name.endswith("timestamp")]
        if not stamps:
            return self.way_forged(kind)
        odd = ("", "0", "-1", "9" * 30, "nan", "1e10", str(int(time.time()) + 1), "2026-05-12T08:30:00", "é", "٣")
        return method, {**headers, stamps[0]: self._draw.choice(odd)}, body

    def way_cut(self, kind: str) -> Sent:
        body = self._body(kind)
        return self._signed(kind, body[: self._draw.randrange(len(body))])

    def way_huge(self, kind: str) -> Sent:
        body = self._body(kind)
        return self._signed(kind, body[:-1] + b" " * (LARGEST_KB * 1024) + body[-1:])

    def way_wrong_types(self, kind: str) -> Sent:
        made = self._fresh(kind)
        *path, last = self._draw.choice(NEEDED[kind])
        place: Any = made
        for name in path:
            place = place[name]
        place[last] = copy.deepcopy(self._draw.choice(ODD))
        return self._signed(kind, json.dumps(made).encode())

    def way_no_object(self, kind: str) -> Sent:
        odd = (
            b"",
            b"null",
            b"[]",
            b"1",
            b'"a"',
            b"true",
            b"{}",
            b"{",
            b"[{}]",
            b"\x00",
            b"NaN",
            b"{'a': 1}",
            b'{"a":NaN}',
        )
        return self._signed(kind, self._draw.choice(odd))

    def way_twice(self, kind: str) -> Sent:
        body = self._body(kind)
        first = body[1 : body.index(b":")]
        return self._signed(kind, b"{" + first + b': "x", ' + body[1:])

    def way_deep(self, kind: str) -> Sent:
        body, deep = self._body(kind), self._draw.choice((65, 500, 5000, 30_000))
        opening, closing = self._draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
        if len(opening) * deep > 30_000:
            opening, closing = b"[", b"]"
        inner = opening * deep + b"1" * (opening != b"[") + closing * deep
        return self._signed(kind, body[:-1] + b', "more": ' + inner + b"}")

    def way_endless_number(self, kind: str) -> Sent:
        body = self._body(kind)
        return self._signed(kind, body[:-1] + b', "more": ' + b"9" * self._draw.choice((5000, 20_000)) + b"}")

    def way_other_encoding(self, kind: str) -> Sent:
        body = self._body(kind)
        text = body.decode()
        made = (
            text.encode("utf-16"),
            text.encode("utf-32"),
            text.encode("utf-8-sig"),
            body[:-1] + b"\xff" + body[-1:],
            body.replace(b"wrong", b"wr\xc3\x28"),
            body.replace(b"wrong", b"\xed\xa0\x80"),
        )
        chosen = self._draw.choice(made)
        return self._signed(kind, chosen if chosen != body else text.encode("utf-16"))

    def way_other_content_type(self, kind: str) -> Sent:
        body = self._body(kind)
        method, headers, body = self._signed(kind, body)
        return method, {**headers, "content-type": self._draw.choice(TYPES)}, body

    def way_form(self, kind: str) -> Sent:
        body = urllib.parse.urlencode({"payload": json.dumps(self._fresh(kind))}).encode()
        if kind == "slack":
            odd = (b"payload=%ff", b"payload=" + b"%7B" * 70, b"payload=1&payload=2", b"&" * 40, b"payload")
            body = self._draw.choice(odd)
        method, headers, body = self._signed(kind, body)
        return method, {**headers, "content-type": "application/x-www-form-urlencoded"}, body

    def way_noise(self, kind: str) -> Sent:
        return self._signed(kind, self._draw.randbytes(self._draw.randrange(400)))

    def way_other_method(self, kind: str) -> Sent:
        _method, headers, body = self._signed(kind, self._body(kind))
        return self._draw.choice(("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE")), headers, body


async def deliver(app: Any, kind: str, sent: Sent, pieces: int = 1) -> tuple[int, bytes]:
    """Status and body of the answer. Whatever the program raises rises here."""
    method, headers, body = sent
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": f"/hooks/{kind}",
        "raw_path": f"/hooks/{kind}".encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), text.encode("utf-8")) for name, text in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8321),
    }
    step = max(1, -(-len(body) // pieces))
    parts = [body[start : start + step] for start in range(0, len(body), step)] or [b""]
    answer: list[Any] = [0, b""]

    async def receive() -> Message:
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer[0] = message["status"]
        else:
            answer[1] += message.get("body", b"")

    await app(scope, receive, send)
    return answer[0], answer[1]


def accepted(status: int, body: bytes) -> bool:
    """Whether something was done for a delivery, or it was taken for one in order."""
    return 200 <= status < 300 and not (body.startswith(b"{") and json.loads(body).get("repeated"))


async def attack(stores: Stores, count: int, seed: int) -> tuple[Counter[str], dict[str, list[str]]]:
    """How many of each way were refused with which status; and what was accepted, or crashed."""
    app = dashboard(stores, account="asha", port=8321)
    draw = random.Random(seed)
    kept, bad = {}, {"accepted": list[str](), "crashed": list[str]()}
    for kind, payload in PAYLOADS.items():
        body = json.dumps(payload).encode()
        kept[kind] = ("POST", sign(kind, body), body)
        status, answer = await deliver(app, kind, kept[kind])
        assert status == 202, (kind, status, answer)
    before = len(stores.tasks.list(limit=1000))
    attacker = Attacker(draw, kept)
    counts: Counter[str] = Counter()
    for _ in range(count):
        kind, (way, make) = draw.choice(list(PAYLOADS)), draw.choice(list(attacker.ways.items()))
        sent = make(kind)
        try:
            status, answer = await deliver(app, kind, sent, draw.choice((1, 1, 3)))
        except Exception as error:  # any exception at all is what is looked for
            bad["crashed"].append(f"{kind} {way}: {error!r}")
            continue
        counts[f"{way} {status}"] += 1
        if status >= 500:
            bad["crashed"].append(f"{kind} {way}: {status} {answer[:200]!r}")
        if accepted(status, answer):
            bad["accepted"].append(f"{kind} {way}: {status} {answer[:200]!r} {sent[2][:200]!r}")
    after = len(stores.tasks.list(limit=1000))
    if after != before:
        bad["accepted"].append(f"{after - before} tickets more than before")
    return counts, bad


def run(count: int, seed: int, folder: Path) -> tuple[Counter[str], dict[str, list[str]]]:
    """An attack on doors with a repository of their own in ``folder``."""
    root = small_repository(folder / "shop", {"cart.py": "def total(): ...\n"})
    common: dict[str, Any] = {
        "secret_variables": (VARIABLE,),
        "repositories": {"*": str(root)},
        "senders": ("*",),
        "checks": ("*",),
        "per_minute": 100_000,
        "largest_kb": LARGEST_KB,
    }
    doors = {kind: IntakeDoor(kind=kind, mapping="zendesk" * (kind == "helpdesk"), **common) for kind in PAYLOADS}
    settings = msgspec.structs.replace(load_settings({}), home=folder / "home", database_url=None, intake=doors)
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = SECRET
    try:
        with open_stores(settings) as stores:
            return asyncio.run(attack(stores, count, seed))
    finally:
        if before is None:
            del os.environ[VARIABLE]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts, bad = run(options.deliveries, options.seed, Path(folder))
    figures: dict[str, Any] = {"deliveries": options.deliveries, **{name: len(found) for name, found in bad.items()}}
    figures |= {"examples": {name: found[:10] for name, found in bad.items()}, "answers": dict(sorted(counts.items()))}
    emit("hostile deliveries", figures, as_json=options.json)


if __name__ == "__main__":
    main()
