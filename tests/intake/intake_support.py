"""Deliveries of our own making, signed as their senders sign them."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from karkhana.intake.deliveries import Delivery

SECRET = b"a secret of some length"
NOW = 1_780_000_000.0


def packed(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


def mac(message: bytes, secret: bytes = SECRET) -> bytes:
    return hmac.new(secret, message, hashlib.sha256).digest()


def from_github(event: str, payload: Any, *, id: str = "d-1", secret: bytes = SECRET) -> Delivery:
    body = packed(payload)
    headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": id,
        "x-hub-signature-256": f"sha256={mac(body, secret).hex()}",
    }
    return Delivery(headers, body, NOW)


def from_slack(payload: Any, *, at: float = NOW, secret: bytes = SECRET, form: bool = False) -> Delivery:
    body = packed(payload)
    stamp = str(int(at))
    headers = {
        "content-type": "application/x-www-form-urlencoded" if form else "application/json",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": "v0=" + mac(f"v0:{stamp}:".encode() + body, secret).hex(),
    }
    return Delivery(headers, body, NOW)


def from_zendesk(payload: Any, *, at: float = NOW, secret: bytes = SECRET) -> Delivery:
    body = packed(payload)
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {
        "content-type": "application/json",
        "x-zendesk-webhook-signature": base64.b64encode(mac(stamp.encode() + body, secret)).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
    }
    return Delivery(headers, body, NOW)


def issues(action: str = "opened", *, number: int = 7, by: str = "asha", **more: Any) -> dict[str, Any]:
    """An event ``issues`` of GitHub."""
    issue = {
        "number": number,
        "title": "total() ignores the discount",
        "body": "Expected 90, got 100.",
        "html_url": f"https://forge.test/octo/shop/issues/{number}",
        "user": {"login": by},
        "labels": [],
    }
    issue |= more.pop("issue", {})
    repository = {"full_name": "octo/shop", "default_branch": "main"}
    return {"action": action, "issue": issue, "repository": repository, "sender": {"login": by}, **more}


def comment(text: str, *, by: str = "asha", action: str = "created", **more: Any) -> dict[str, Any]:
    """An event ``issue_comment`` of GitHub."""
    said = {"html_url": "https://forge.test/octo/shop/issues/7#c1", "body": text, "user": {"login": by}}
    return {**issues(action, by=by), "comment": said, **more}


def check(kind: str, conclusion: str = "failure", **more: Any) -> dict[str, Any]:
    """An event ``check_run``, ``check_suite`` or ``workflow_run`` of GitHub."""
    about = {"head_sha": "c0ffee", "conclusion": conclusion, "name": "tests", "head_branch": "main", **more}
    repository = {"full_name": "octo/shop", "default_branch": "main"}
    return {"action": "completed", kind: about, "repository": repository, "sender": {"login": "asha"}}
