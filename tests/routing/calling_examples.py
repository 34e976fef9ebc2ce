"""What tests of providers and calls share: a question, providers on fakes, an observer that remembers."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from karkhana.domain.chat import ChatRequest, Message, Role, Text
from karkhana.http.pool import Pool
from karkhana.routing.attempt import Attempt, Ending
from karkhana.routing.fake.program import FakeProvider
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import fake_provider
from karkhana.routing.provider import Provider
from karkhana.routing.wires.registry import WIRES

BASES = {"openai": "/v1", "openai_responses": "/v1"}
"""What stands before a wire's own paths at the fake provider."""
SENTENCE = "Tell me how many roads a man must walk down."


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def question(text: str = SENTENCE, **others: Any) -> ChatRequest:
    """A request that every wire can say."""
    message = Message(role=Role.USER, parts=(Text(text=text),))
    return ChatRequest(model=others.pop("model", "m"), messages=(message,), max_tokens=100, **others)


@asynccontextmanager
async def provided(
    script: str = "", wire: str = "openai", keys: Sequence[str] = (), **others: Any
) -> AsyncIterator[tuple[Provider, FakeProvider]]:
    """A provider that asks a fake one."""
    async with fake_provider(read_script(script)) as (address, program), Pool() as pool:
        yield Provider("cloud", WIRES[wire], address + BASES.get(wire, ""), keys, pool, **others), program


@asynccontextmanager
async def several(*scripts: str) -> AsyncIterator[tuple[dict[str, Provider], list[FakeProvider]]]:
    """Providers ``a``, ``b``, … that ask fakes with these scripts."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(Pool())
        providers, programs = {}, []
        for name, script in zip("abcdef", scripts, strict=False):
            address, program = await stack.enter_async_context(fake_provider(read_script(script)))
            providers[name] = Provider(name, WIRES["openai"], f"{address}/v1", (), pool)
            programs.append(program)
        yield providers, programs


class Notebook:
    """An observer that writes everything down."""

    def __init__(self) -> None:
        self.begun: list[Attempt] = []
        self.ended: list[tuple[Attempt, Ending]] = []

    async def begins(self, attempt: Attempt) -> None:
        self.begun.append(attempt)

    def ends(self, attempt: Attempt, ending: Ending) -> None:
        self.ended.append((attempt, ending))

    @property
    def story(self) -> list[tuple[str, str]]:
        """(provider, outcome) in the order of the endings."""
        return [(attempt.place.provider, ending.outcome.value) for attempt, ending in self.ended]
