"""What a message to a webhook looks like on the wire: its signature, and when it is tried again.

Source: Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks), symmetric signatures.

>>> secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
>>> sent = signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
>>> sent["webhook-signature"]
'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
"""

import base64
import hashlib
import hmac
import random
import secrets

PREFIX = "whsec_"
SECRET_BYTES = 32
FIRST_S = 5.0
FACTOR = 4.0
LONGEST_S = 4 * 3600.0
JITTER = 0.2
PATIENCE_S = 24 * 3600.0
"""Seconds from a message's beginning after which it is given up."""


def new_secret() -> str:
    """As it is told once, to whoever makes the webhook."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(secret: str, message_id: str, at: int, body: str) -> dict[str, str]:
    """The headers of one attempt, at a time in whole seconds since the epoch."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message_id}.{at}.{body}".encode(), hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def again_s(attempts: int, age_s: float, drawn: random.Random) -> float | None:
    """Seconds until the next attempt after so many that failed; ``None``: the message is given up.

    >>> calm = random.Random(1)
    >>> 4.0 <= again_s(0, 0.0, calm) <= 6.0, again_s(9, PATIENCE_S, calm)
    (True, None)
    """
    wait = min(FIRST_S * FACTOR ** min(attempts, 20), LONGEST_S) * drawn.uniform(1 - JITTER, 1 + JITTER)
    return None if age_s + wait > PATIENCE_S else wait
