"""Sends answers: what lies in the outbox goes to where it belongs, at least once, and by one process at a time.

Knows nothing of services (:mod:`karkhana.intake.answers`). That an answer is being sent is written down before, and
that it was sent after; who finds only the first looks at the service whether it is there.
"""

import asyncio
import json
import random
import secrets
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress

import structlog

from karkhana.domain.errors import KarkhanaError
from karkhana.factory.channels import channel_for
from karkhana.factory.stores import Stores
from karkhana.http.pool import Pool, PoolSettings
from karkhana.intake.answers.channel import Channel, Failed, Hopeless, LockedOut, NotNow, Post, Unsaid
from karkhana.intake.answers.message import unpacked
from karkhana.storage.outbox import Answer, Outbox

EVERY_S = 1.0
LEASE_S = 15.0
"""Seconds for which one process sends for a door, and for which nobody does when it was killed."""
RENEWED_S = 4.0
"""Seconds after which the lead is renewed while something is being sent."""
SPARE_S = 3.0
"""Seconds before the end of a lead that could not be renewed in which nothing is sent any more."""
SENDING_S = 45.0
"""Seconds that one sending may take."""
AT_ONCE = 20
"""Answers of one door in a turn."""
TRIES = 8
FIRST_WAIT_S = 10.0
LONGEST_WAIT_S = 3600.0
LOCKED_S = 300.0
"""Seconds after which credentials that did not count are tried again."""
STALE_S = 3 * 86_400.0
"""Seconds after which an answer is of no use to anybody."""
EARLIER_S = 2.0
"""Seconds that a question for a conversation may take: Slack waits three for its own answer."""

_log = structlog.get_logger(__name__)


class Answering:
    """The sender of one process."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        *,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """``close`` ends the channels' connections."""
        self._close = close
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._draw = draw
        self._name = secrets.token_hex(8)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def go_on(self) -> None:
        """Send whatever comes, until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while self._channels:
                try:
                    await self.turn()
                except KarkhanaError as error:
                    # the next turn may find the database again; a person sees it in the log
                    _log.warning("answers.failed", code=error.code, message=error.message)
                except Exception:
                    # nobody would notice that nothing is answered any more; the log has the place
                    _log.error("answers.failed", code="internal", trace=traceback.format_exc())
                await asyncio.sleep(EVERY_S)
        finally:
            self._loop = None
            self._leave()

    async def turn(self) -> int:
        """Send what is due now, all doors at once; how many arrived."""
        counts = await asyncio.gather(*(self._door(name, channel) for name, channel in self._channels.items()))
        return sum(counts)

    def _leave(self) -> None:
        """Whoever sends next need not wait until this one's lead has run out."""
        with suppress(KarkhanaError):  # without a database it runs out by itself
            for name in self._channels:
                self._outbox.leave(name, self._name)
        self._close()

    def earlier(self, door: str, reference: str) -> list[tuple[str, str]]:
        """What was said before in a conversation, asked from another thread; nothing when that takes too long."""
        channel, loop = self._channels.get(door), self._loop
        if channel is None or loop is None:
            return []
        asked: Future[list[tuple[str, str]]] = asyncio.run_coroutine_threadsafe(channel.earlier(reference), loop)
        try:
            return asked.result(EARLIER_S)
        except (Unsaid, TimeoutError) as error:
            asked.cancel()
            _log.warning("conversation.unread", door=door, reason=str(error))
            return []

    async def _door(self, name: str, channel: Channel) -> int:
        answers = await asyncio.to_thread(self._outbox.due, AT_ONCE, door=name)
        arrived = 0
        for answer in answers:
            until = asyncio.get_running_loop().time() + LEASE_S - SPARE_S
            lead = await asyncio.to_thread(self._outbox.lead, name, self._name, LEASE_S)
            if not lead.mine or lead.rests_s:
                break
            if not await asyncio.to_thread(self._outbox.begin, answer):
                continue
            went, stop = await self._send(channel, answer, until)
            arrived += went
            if stop:
                break
        return arrived

    @asynccontextmanager
    async def _leading(self, door: str, until: float) -> AsyncIterator[None]:
        """Renews the lead while the block runs, and ends that in time before somebody else may have it."""
        async with asyncio.timeout_at(until) as ending:
            # what came too late already ends here: a connection that is open would be written to at once
            await asyncio.sleep(0)
            renewing = asyncio.create_task(self._renew(door, ending))
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.wait([renewing])

    async def _renew(self, door: str, ending: asyncio.Timeout) -> None:
        while True:
            await asyncio.sleep(RENEWED_S)
            now = asyncio.get_running_loop().time()
            try:
                lead = await asyncio.to_thread(self._outbox.lead, door, self._name, LEASE_S)
            except KarkhanaError:
                # the database may be there again for the next try; if not, the sending ends in time
                continue
            if ending.expired():
                return
            ending.reschedule(now + LEASE_S - SPARE_S if lead.mine else now)

    async def _send(self, channel: Channel, answer: Answer, until: float) -> tuple[bool, bool]:
        """Whether it arrived, and whether the door is to be left alone for now."""
        post = Post(
            reference=answer.reference,
            marker=answer.marker,
            begun=answer.begun,
            external=json.loads(answer.external) if answer.external else {},
        )
        try:
            if self._clock() - answer.at > STALE_S:
                raise Hopeless("it is too old to be of use")
            async with asyncio.timeout(SENDING_S), self._leading(answer.door, until):
                external = await channel.say(unpacked(answer.content, answer.text), post)
        except TimeoutError:
            return False, await self._unsent(answer, Failed("it took too long, or another process sends now"))
        except Unsaid as error:
            return False, await self._unsent(answer, error)
        except Exception as error:
            # a service that answers with what nobody foresaw must not end the sending for all doors; the answer counts
            # as tried, and the log says where it failed, without values
            trace = "".join(traceback.format_tb(error.__traceback__))
            _log.error("answers.failed", code="internal", door=answer.door, error=type(error).__name__, trace=trace)
            return False, await self._unsent(
                answer, Failed(f"{type(error).__name__}: the service's answer is not known")
            )
        await asyncio.to_thread(self._outbox.sent, answer, json.dumps(external))
        await asyncio.to_thread(self._outbox.rest, answer.door, 0.0, "")
        return True, False

    async def _unsent(self, answer: Answer, error: Unsaid) -> bool:
        reason = str(error)
        tried = answer.attempts + 1
        _log.warning("answer.unsent", door=answer.door, task=answer.task_id, reason=reason, tried=tried)
        if isinstance(error, NotNow | LockedOut):
            # no fault of this answer: all of the door wait
            wait = error.wait_s if isinstance(error, NotNow) else LOCKED_S
            await asyncio.to_thread(self._outbox.rest, answer.door, wait, reason)
            await asyncio.to_thread(self._outbox.unsent, answer, wait, reason, counted=False)
            return True
        if isinstance(error, Hopeless) or tried >= TRIES:
            await asyncio.to_thread(self._outbox.dead, answer, reason)
            return False
        await asyncio.to_thread(self._outbox.unsent, answer, self._wait(tried), reason)
        return False

    def _wait(self, tried: int) -> float:
        """Exponential, with jitter, so that doors do not come back in step."""
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**tried)
        return longest * (0.5 + self._draw() / 2)


def answering_for(stores: Stores, outbox: Outbox, pool: Pool | None = None) -> Answering:
    """The sender for all doors of the settings. Raises ``InvalidSetting``."""
    used = pool or Pool(PoolSettings.from_environment())
    doors = stores.settings.intake.items()
    found = {name: channel_for(name, door, used, stores.sealed.reveal) for name, door in doors}
    channels = {name: channel for name, channel in found.items() if channel is not None}
    return Answering(outbox, channels, close=used.close)
