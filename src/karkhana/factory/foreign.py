"""Users' own tools for engineers: servers of the Model Context Protocol, started beside the factory.

Only the tools that the user allows by name are offered; a repository can neither name servers nor allow tools. A server
is a process with the user's rights and without the factory's environment, so it sees none of its keys. What it answers
is material like any other output. Source: https://modelcontextprotocol.io/specification.
"""

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from karkhana.domain.chat import Tool
from karkhana.domain.errors import ConfigurationError, InvalidSetting, ToolRefused
from karkhana.domain.settings import McpServer
from karkhana.domain.tools import ForeignResult

R = TypeVar("R")
START_S = 30.0
"""Seconds for all servers to start and to tell their tools."""
LONGEST = 200_000
"""Characters of an answer that are kept."""
SEPARATOR = "__"


@contextmanager
def foreign_tools(servers: Mapping[str, McpServer]) -> Iterator["ForeignServers | None"]:
    """The tools of the servers while they run; ``None`` without any.

    Raises ``InvalidSetting`` for a server that does not start, or lacks a tool that is allowed.
    """
    if not servers:
        yield None
        return
    made = ForeignServers(servers)
    try:
        made.start()
        yield made
    finally:
        made.close()


class ForeignServers:
    """Implements ``karkhana.ports.ForeignTools``."""

    def __init__(self, servers: Mapping[str, McpServer]) -> None:
        self._servers = servers
        self._clients: dict[str, Any] = {}
        self._tools: dict[str, Tool] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="karkhana-mcp", daemon=True)
        self._over: asyncio.Event | None = None
        self._serving: asyncio.Future[None] | None = None

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What is offered, as ``SERVER__TOOL``."""
        return tuple(self._tools.values())

    def start(self) -> None:
        """Start all servers and ask for their tools."""
        self._thread.start()
        ready = asyncio.run_coroutine_threadsafe(self._begin(), self._loop)
        try:
            ready.result(START_S)
        except TimeoutError:
            raise InvalidSetting(
                f"a server of [mcp] did not start within {START_S:g} s", "Try its command by hand."
            ) from None

    def call(self, server: str, name: str, arguments: str) -> ForeignResult:
        """Raises ``ToolRefused`` for a tool that is not allowed, and for a server that does not answer."""
        if f"{server}{SEPARATOR}{name}" not in self._tools:
            raise ToolRefused(f"there is no tool {server}{SEPARATOR}{name}", "use one of the known tools")
        limit = self._servers[server].timeout_s
        asked = asyncio.run_coroutine_threadsafe(self._ask(server, name, json.loads(arguments)), self._loop)
        try:
            return asked.result(limit)
        except TimeoutError:
            asked.cancel()
            raise ToolRefused(f"{server} did not answer within {limit:g} s", "go on without it") from None
        except Exception as error:  # whatever a server of somebody else does wrong, the engineer goes on
            raise ToolRefused(
                f"{server} failed: {type(error).__name__}: {str(error)[:300]}", "go on without it"
            ) from error

    def close(self) -> None:
        """End the servers."""
        if self._thread.is_alive():
            self._do(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    # -- on the loop's thread. A client must be left by the task that entered it, so one task holds them all.

    async def _begin(self) -> None:
        started: asyncio.Future[None] = self._loop.create_future()
        self._over = asyncio.Event()
        self._serving = asyncio.ensure_future(self._serve(started, self._over))
        await started

    async def _serve(self, started: asyncio.Future[None], over: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            try:
                for name, server in self._servers.items():
                    await self._connect(stack, name, server)
            except Exception as error:  # told to whoever starts them, as a mistake in the settings
                started.set_exception(_mistake(error))
                return
            started.set_result(None)
            await over.wait()

    async def _connect(self, stack: AsyncExitStack, name: str, server: McpServer) -> None:
        # It takes more than a second, which only those pay who have such tools.
        try:
            from mcp import Client, StdioServerParameters
        except ImportError as error:
            raise ConfigurationError(
                "the settings name servers in [mcp], and the package mcp is not installed", "Install karkhana[mcp]."
            ) from error

        parameters = StdioServerParameters(command=server.command[0], args=list(server.command[1:]), env={})
        client = self._clients[name] = await stack.enter_async_context(Client(parameters))
        found = {tool.name: tool for tool in (await client.list_tools()).tools}
        for wanted in server.tools:
            if wanted not in found:
                raise InvalidSetting(
                    f"the server {name} of [mcp] has no tool {wanted!r}", f"It has: {', '.join(sorted(found))[:500]}."
                )
            tool = found[wanted]
            full = f"{name}{SEPARATOR}{wanted}"
            self._tools[full] = Tool(
                name=full, description=(tool.description or "")[:2_000], parameters=tool.input_schema
            )

    async def _ask(self, server: str, name: str, arguments: dict[str, Any]) -> ForeignResult:
        result = await self._clients[server].call_tool(name, arguments)
        texts = [part.text if part.type == "text" else f"({part.type})" for part in result.content]
        return ForeignResult("\n".join(texts)[:LONGEST], bool(result.is_error))

    async def _end(self) -> None:
        if self._over is not None and self._serving is not None:
            self._over.set()
            await asyncio.wait({self._serving}, timeout=START_S)

    def _do(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _mistake(error: Exception) -> ConfigurationError:
    if isinstance(error, ConfigurationError):
        return error
    return InvalidSetting(
        f"a server of [mcp] does not work: {type(error).__name__}: {str(error)[:300]}", "Try its command by hand."
    )
