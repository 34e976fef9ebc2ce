"""Reads the gateway's file anew when its content changes, or when it is told to (SIGHUP).

A file with a mistake changes nothing: the mistake is told, and the configuration before it stays. A change is taken
when two looks in a row found the same text, so that a file that is being written is not read half.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from karkhana.domain.errors import InvalidSetting, KarkhanaError
from karkhana.routing.configuration import LOOPBACK, Configuration, read_configuration
from karkhana.routing.gateway.assembly import Assembly
from karkhana.routing.gateway.clients import Clients
from karkhana.routing.prices import PriceBook

LOOK_S = 1.0
_log = logging.getLogger(__name__)


def read_file(path: Path, environ: Mapping[str, str] = os.environ) -> Configuration:
    """Raises ``InvalidSetting`` with what is wrong and where."""
    return read_configuration(_text(path), environ=environ, source=str(path))


class Reloading:
    """Watches one file."""

    def __init__(
        self,
        path: Path,
        running: Configuration,
        assembly: Assembly,
        *,
        prices: Callable[[Configuration], PriceBook],
        clients: Callable[[bool], Clients],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """``running`` was read from the file last. ``prices`` are those of a configuration, ``clients`` those of a
        gateway that is open or not; both block.
        """
        self._path = path
        self._serving = running.serving
        self._assembly = assembly
        self._prices = prices
        self._clients = clients
        self._environ = environ
        self._taken = self._seen = _look(path)
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read the file at the next turn, changed or not."""
        self._asked.set()

    async def watch(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._asked.wait()
            except TimeoutError:
                await self.look()
            else:
                self._asked.clear()
                await self.load()
            self._assembly.sweep()

    async def look(self) -> None:
        """Take a change that the look before this one saw too."""
        text = await asyncio.to_thread(_look, self._path)
        settled, self._seen = text == self._seen, text
        if settled and text != self._taken:
            await self.load()

    async def load(self) -> None:
        """Read the file, and use it if it is right."""
        loading = self._assembly.insight.loading
        try:
            self._taken = self._seen = await asyncio.to_thread(_look, self._path)
            configuration = await asyncio.to_thread(read_file, self._path, self._environ)
            prices = await asyncio.to_thread(self._prices, configuration)
            clients = await asyncio.to_thread(self._clients, self._opens(configuration))
            await self._assembly.reload(configuration, prices, clients)
        except KarkhanaError as error:
            loading.refused(f"{error.message}; {error.next}")
            _log.warning("%s; %s The configuration from before is used.", error.message, error.next)
            return
        except Exception as error:
            # Whatever it is, it must not end the watch: the next version of the file may be taken.
            loading.refused(f"{type(error).__name__}: {error}")
            _log.exception("The configuration from before is used.")
            return
        restart = [name for name in ("host", "port") if self._differs(configuration, name)]
        loading.taken(restart)
        _log.warning("%s is read anew", self._path)
        if restart:
            _log.warning("%s of [gateway] counts from the next start on", " and ".join(restart))

    def _opens(self, configuration: Configuration) -> bool:
        # The file only knows the address that it names itself, not the one that is listened on.
        return configuration.serving.open and self._serving.host in LOOPBACK

    def _differs(self, configuration: Configuration, name: str) -> bool:
        return bool(getattr(configuration.serving, name) != getattr(self._serving, name))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{path} cannot be read: {error}", "Name the file with --config.") from error


def _look(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
