"""TLS for a server that browsers reach directly: version 1.2 at least, and a renewed certificate without a restart.

Knows nothing of who is served. Source: RFC 9325 (recommendations for TLS).
"""

import asyncio
import ssl
from pathlib import Path

import structlog

from karkhana.domain.errors import InvalidSetting

LOOK_S = 30.0
"""Seconds between two looks at the files."""
_NO_PASSWORD = ""
"""Else an encrypted key would be asked for at the terminal, where nobody is."""
_log = structlog.get_logger(__name__)


class Certificate:
    """A chain of certificates and its key, as they lie in two files."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Raises ``InvalidSetting`` when they cannot be read, or do not fit together."""
        self._chain = chain
        self._key = key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._stamp = self._look()
        try:
            self.context.load_cert_chain(chain, key, _NO_PASSWORD)
        except OSError as error:
            raise InvalidSetting(
                f"access.certificate and access.key cannot be used: {error.strerror or error}",
                "Both are files in PEM: the chain, the server's own certificate first, and its key without a password.",
            ) from error

    def refresh(self) -> bool:
        """Take the files anew when they changed; whether they were. New connections get the new certificate."""
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            # first into another one: half of a renewal must not spoil the one in use
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._chain, self._key, _NO_PASSWORD)
            self.context.load_cert_chain(self._chain, self._key, _NO_PASSWORD)
        except OSError as error:
            _log.error("certificate.unreadable", reason=error.strerror or str(error))
            return False
        _log.info("certificate.renewed")
        return True

    async def keep_fresh(self) -> None:
        """Look from time to time, until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.refresh)

    def _look(self) -> tuple[int, ...]:
        try:
            return tuple(n for file in (self._chain, self._key) for n in (file.stat().st_mtime_ns, file.stat().st_size))
        except OSError:
            return ()
