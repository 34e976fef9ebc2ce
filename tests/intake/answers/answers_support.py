"""Messages, and the clients of fake services, for tests of answers."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from karkhana.http.pool import Pool
from karkhana.intake.answers.calling import Calls
from karkhana.intake.answers.channel import Post
from karkhana.intake.answers.message import Decision, Message, Shipped
from karkhana.intake.rehearsal.serving import Fake, listened_to

T = TypeVar("T")
HOSTILE = "@octo/team <!channel> <@U1> ```x``` see #12, fixes octo/shop#1 <script>alert(1)</script> https://evil.test"
DECISION = Decision(run_id="run_1", digest="1f2e3d4c" * 8, effect="makes the branch karkhana/BUILD-1 in /srv/shop")
SHIPPED = Shipped(branch="karkhana/BUILD-1", commit="c0ffee" * 6 + "c0ff", remote="origin", title="Keep it", score=0.91)


def told(text: str = "BUILD-1 is in the queue.", **more: Any) -> Message:
    return Message(text=text, task_id="BUILD-1", **more)


def post(reference: str, marker: str = "m1", **more: Any) -> Post:
    return Post(reference=reference, marker=marker, **more)


class Services:
    """One server for all tests of a module, as starting one takes longer than asking it."""

    def __init__(self) -> None:
        self.address = ""
        self._program: ASGIApp | None = None
        self._loop = asyncio.new_event_loop()
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> "Services":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        self._loop.close()

    def ask(self, fake: Fake, act: Callable[[Calls], Awaitable[T]]) -> T:
        """What ``act`` returns, which is given a client of the fake."""
        self._program = fake.program()

        async def work() -> T:
            async with Pool() as pool:
                return await act(Calls(pool, self.address, {}))

        return asyncio.run(work())

    async def _serve(self) -> None:
        async def program(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await send({"type": "lifespan.shutdown.complete"})
                return
            assert self._program is not None
            await self._program(scope, receive, send)

        async with listened_to(program) as self.address:
            self._ready.set()
            await self._end.wait()
