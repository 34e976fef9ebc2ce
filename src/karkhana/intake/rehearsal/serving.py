"""Puts a fake service on a loopback port, keeps what it is asked, and lets it fail when that is wanted.

>>> # async with served(FakeGitHub()) as address: …
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from karkhana.http.server import Limits, listen, serve, server

HOST = "127.0.0.1"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    authorization: str
    status: int
    answer: Any


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """How one request fails."""

    status: int
    headers: dict[str, str] = {}
    body: Any = None
    after: bool = False
    """Whether what was asked is done nevertheless."""
    path: str = ""
    """Only a request whose path holds this."""


class Fake(ABC):
    """What fake services have in common."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()

    @abstractmethod
    def program(self) -> Starlette:
        """The service as an ASGI program."""

    def count(self, method: str, part: str) -> int:
        """How many requests there were with a part in their path."""
        return sum(each.method == method and part in each.path for each in self.asked)

    async def answered(self, request: Request, act: Callable[[Any], Awaitable[Response]]) -> Response:
        """Have a request carried out, unless it is to fail, and kept."""
        raw = await request.body()
        form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        try:
            body = dict(parse_qsl(raw.decode())) if form else json.loads(raw) if raw else None
        except ValueError:
            return JSONResponse({"message": "Problems parsing JSON"}, 400)
        fault = self._fault(request.url.path)
        if fault is None:
            response = await act(body)
        else:
            if fault.after:
                await act(body)
            response = JSONResponse(fault.body or {"message": "it fails"}, fault.status, fault.headers)
        content = bytes(response.body)
        self.asked.append(
            Asked(
                method=request.method,
                path=request.url.path,
                query=dict(request.query_params),
                body=body,
                authorization=request.headers.get("authorization", ""),
                status=response.status_code,
                answer=json.loads(content) if content else None,
            )
        )
        return response

    def _fault(self, path: str) -> Fault | None:
        found = next((fault for fault in self.faults if fault.path in path), None)
        if found is not None:
            self.faults.remove(found)
        return found


@asynccontextmanager
async def served(fake: Fake) -> AsyncIterator[str]:
    """Its address, while it runs in this event loop."""
    async with listened_to(fake.program()) as address:
        yield address


@asynccontextmanager
async def listened_to(program: ASGIApp) -> AsyncIterator[str]:
    """The address of a program that runs in this event loop."""
    listening = listen(HOST, 0)
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    made = server(program, Limits(), stop_s=1.0)
    started = asyncio.Event()
    task = asyncio.ensure_future(serve(made, listening, started.set))
    task.add_done_callback(lambda _: started.set())
    try:
        await started.wait()
        if not task.done():
            yield address
    finally:
        made.should_exit = True
        await task
