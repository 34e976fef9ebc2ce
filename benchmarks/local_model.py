"""A model on a server of the OpenAI form, as a ``ChatModel`` whose answers are kept in a file.

The same question is asked once: a run that was interrupted, or another engineer that asks the same, gets the answer
that stands in the file, with the seconds that it took then. Tokens and seconds are counted either way.
"""

import asyncio
import hashlib
import threading
import time
from collections import Counter
from concurrent.futures import Future
from pathlib import Path

import msgspec

from karkhana.domain.chat import ChatAnswer, ChatRequest
from karkhana.domain.errors import ModelUnavailable, PromptTooLong
from karkhana.http.pool import Pool
from karkhana.ports import Said
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.provider import Provider
from karkhana.routing.wires.registry import WIRES

_DEADLINE_S = 600.0


class Kept(msgspec.Struct, frozen=True):
    """One answer in the file."""

    question: str
    """Digest of the request."""
    answer: ChatAnswer
    seconds: float


class LocalModel:
    """Implements ``karkhana.ports.ChatModel``. Close it when it is done with."""

    def __init__(self, base_url: str, kept: Path | None = None, *, name: str = "local", context: int = 4096) -> None:
        self.name, self.context, self.calls_tools = name, context, False
        self.tokens: Counter[str] = Counter()
        self.seconds = 0.0
        self.asked = 0
        self._file = kept
        lines = kept.read_bytes().splitlines() if kept is not None and kept.exists() else []
        self._kept = {one.question: one for one in (msgspec.json.decode(line, type=Kept) for line in lines)}
        self._base_url = base_url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-model", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, request: ChatRequest) -> Said:
        """The answer. Raises ``ModelUnavailable``, ``PromptTooLong``."""
        digest = hashlib.sha256(msgspec.json.encode(request)).hexdigest()
        known = self._kept.get(digest)
        if known is None:
            known = self._new(digest, request)
        usage = known.answer.usage
        self.asked += 1
        self.seconds += known.seconds
        if usage is not None:
            self.tokens += Counter(prompt=usage.prompt, answer=usage.output)
        return Said(answer=known.answer, place=f"local/{self.name}")

    def _new(self, digest: str, request: ChatRequest) -> Kept:
        started = time.monotonic()
        future: Future[ChatAnswer] = asyncio.run_coroutine_threadsafe(self._call(request), self._loop)
        try:
            answer = future.result()
        except ProviderFault as fault:
            if fault.fault is Fault.TOO_LONG:
                raise PromptTooLong(str(fault)) from fault
            raise ModelUnavailable(str(fault), f"Is {self._base_url} there?") from fault
        known = Kept(question=digest, answer=answer, seconds=round(time.monotonic() - started, 2))
        self._kept[digest] = known
        if self._file is not None:
            with self._file.open("ab") as file:
                file.write(msgspec.json.encode(known) + b"\n")
        return known

    async def _call(self, request: ChatRequest) -> ChatAnswer:
        async with Pool() as pool:
            provider = Provider("local", WIRES["openai"], self._base_url, (), pool, idle_s=_DEADLINE_S)
            return await provider.ask(request, deadline_s=_DEADLINE_S)
