"""Who may read figures: with a token whoever shows it, without one only programs on this machine.

>>> allowed({"host": "127.0.0.1:9"}, "127.0.0.1", token=""), allowed({"host": "evil.example"}, "127.0.0.1", token="")
(True, False)
>>> allowed({"authorization": "Bearer " + "t" * 16, "host": "serve:9"}, "10.0.0.9", token="t" * 16)
True
"""

import hmac
import ipaddress
from collections.abc import Mapping

_PASSED_ON = ("forwarded", "x-forwarded-for", "via")


def allowed(headers: Mapping[str, str], peer: str, *, token: str) -> bool:
    """``headers`` by small names; ``peer`` is the address of whoever asks.

    Without a token, what a proxy on this machine passes on comes from elsewhere, and a browser that asks for a host of
    another name was sent here by a stranger's page (DNS rebinding).
    """
    if token:
        shown = headers.get("authorization", "")
        return hmac.compare_digest(shown.encode("utf-8", "replace"), f"Bearer {token}".encode())
    host = headers.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    here = name.lower() == "localhost" or _loopback(name.strip("[]"))
    return here and _loopback(peer) and not any(name in headers for name in _PASSED_ON)


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
