"""How long a provider asks to wait.

Sources: RFC 9110, section 10.2.3 (``Retry-After``: seconds or a date); ``retry-after-ms`` as OpenAI and Azure send it.
"""

import time
from datetime import UTC
from email.utils import parsedate_to_datetime

from karkhana.http.messages import Headers, value_of

LONGEST_S = 3600.0
"""Seconds; what asks for more is taken for this much."""


def retry_after_s(headers: Headers, now_s: float | None = None) -> float | None:
    """Seconds from now, or ``None`` when nothing readable is said.

    >>> retry_after_s([(b"Retry-After", b"2")])
    2.0
    """
    milliseconds = value_of(headers, b"retry-after-ms")
    if milliseconds is not None and milliseconds.replace(b".", b"", 1).isdigit():
        return min(float(milliseconds) / 1000, LONGEST_S)
    text = value_of(headers, b"retry-after")
    if text is None:
        return None
    if text.strip().replace(b".", b"", 1).isdigit():
        return min(float(text), LONGEST_S)
    try:
        date = parsedate_to_datetime(text.decode("latin-1"))
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, date.timestamp() - (time.time() if now_s is None else now_s)), LONGEST_S)
