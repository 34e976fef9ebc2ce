"""Puts the fake provider on a loopback port.

>>> # async with fake_provider(read_script("")) as (address, program):
>>> #     f"{address}/v1" is the base address for an OpenAI client, program.account.told() what it would be charged
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from karkhana.domain.errors import InvalidInput
from karkhana.http.server import BreakableProtocol, Limits, listen, serve, server
from karkhana.routing.fake.program import FakeProvider
from karkhana.routing.fake.script import Script

HOST = "127.0.0.1"
STOP_S = 1.0
"""Seconds that answers under way are given at the end; a stalled one is not worth more."""


async def serve_fake(program: FakeProvider, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is given the address. Port 0 takes a free one.

    Raises ``InvalidInput`` for a port that cannot be used.
    """
    try:
        listening = listen(HOST, port)
    except OSError as error:
        raise InvalidInput(f"port {port} cannot be used: {error.strerror}", "Take another --port, or 0.") from error
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    made = server(program, Limits(), stop_s=STOP_S, protocol=BreakableProtocol)
    await serve(made, listening, lambda: ready(address))


@asynccontextmanager
async def fake_provider(script: Script) -> AsyncIterator[tuple[str, FakeProvider]]:
    """Address and program of a fake provider that runs in this event loop, for tests and rehearsals."""
    program = FakeProvider(script)
    listening = listen(HOST, 0)
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    made = server(program, Limits(), stop_s=STOP_S, protocol=BreakableProtocol)
    started = asyncio.Event()
    task = asyncio.ensure_future(serve(made, listening, started.set))
    task.add_done_callback(lambda _: started.set())
    try:
        await started.wait()
        if not task.done():
            yield address, program
    finally:
        made.should_exit = True
        await task
