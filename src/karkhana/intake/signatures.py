"""Whether a delivery comes from whoever shares a secret. Every comparison takes the same time, wrong or right.

Knows nothing of payloads. Several secrets may hold at once, while one takes the other's place.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from karkhana.intake.deliveries import Delivery, Refused

WINDOW_S = 300.0
"""Seconds by which a signed time may differ from ours."""
UNSIGNED = Refused("the delivery is not signed", 401)
WRONG = Refused("the signature is wrong", 401)
LATE = Refused("the delivery is too old, or its time is wrong", 401)

Secrets = Sequence[bytes]


def github(delivery: Delivery, secrets: Secrets) -> Refused | None:
    """``X-Hub-Signature-256: sha256=HEX`` over the body (GitHub, "Validating webhook deliveries")."""
    sent = delivery.headers.get("x-hub-signature-256", "")
    return _compared(sent, [f"sha256={_mac(secret, delivery.body).hex()}" for secret in secrets])


def slack(delivery: Delivery, secrets: Secrets) -> Refused | None:
    """``X-Slack-Signature: v0=HEX`` over ``v0:TIME:BODY`` (Slack, "Verifying requests from Slack")."""
    stamp = delivery.headers.get("x-slack-request-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return UNSIGNED
    signed = b"v0:" + stamp.encode() + b":" + delivery.body
    found = _compared(
        delivery.headers.get("x-slack-signature", ""), [f"v0={_mac(secret, signed).hex()}" for secret in secrets]
    )
    return found or (LATE if abs(delivery.at - int(stamp)) > WINDOW_S else None)


def timed_base64(delivery: Delivery, secrets: Secrets, header: str, stamp_header: str) -> Refused | None:
    """Base64 of an HMAC over time and body, the time in ISO 8601 (Zendesk, "Verifying webhooks")."""
    stamp = delivery.headers.get(stamp_header, "")
    signed = stamp.encode("utf-8", "replace") + delivery.body
    expected = [base64.b64encode(_mac(secret, signed)).decode() for secret in secrets]
    found = _compared(delivery.headers.get(header, ""), expected)
    if found is not None:
        return found
    try:
        sent_at = datetime.fromisoformat(stamp)
    except ValueError:
        return LATE
    if sent_at.tzinfo is None or abs(delivery.at - sent_at.timestamp()) > WINDOW_S:
        return LATE
    return None


def shared(delivery: Delivery, secrets: Secrets, header: str, prefix: str = "") -> Refused | None:
    """The secret itself in a header, for senders that cannot sign. It vouches for the sender, not for the body."""
    sent = delivery.headers.get(header, "")
    return _compared(sent, [prefix + secret.decode("utf-8", "replace") for secret in secrets])


def _compared(sent: str, expected: Sequence[str]) -> Refused | None:
    if not sent:
        return UNSIGNED
    given = sent.encode("utf-8", "replace")
    # all are compared, so that the time does not tell which one was nearly right
    found = [hmac.compare_digest(given, each.encode("utf-8", "replace")) for each in expected]
    return None if any(found) else WRONG


def _mac(secret: bytes, message: bytes) -> bytes:
    return hmac.new(secret, message, hashlib.sha256).digest()
