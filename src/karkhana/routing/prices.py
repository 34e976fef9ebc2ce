"""What calls cost: exact rates for each kind of token, and a bound before the call.

A price that is not known is :class:`Unpriced`, never nothing. Knows nothing of budgets, nor where prices come from
(``prices_shipped``, the configuration).

>>> tier = Tier(0, *(picos_per_million("2.5"),) * 4, *(picos_per_million(10),) * 2)
>>> cost(Usage(input=1000, output=10), Rate(version="v", tiers=(tier,)))
Decimal('0.002600000000')
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import NamedTuple

import msgspec

from karkhana.domain.chat import ChatRequest, Image, Reasoning, Text, ToolCall, ToolResult, Usage
from karkhana.domain.json import canonical
from karkhana.domain.money import Money, Unpriced, money

BYTES_PER_TOKEN = 2
"""Of a prompt, at the very least for a bound: English has about 4, code 3, Chinese in UTF-8 2 to 3 (tokenizers of
100,000 and more pieces)."""
IMAGE_TOKENS = 4096
"""Of a picture, for a bound: providers count 85 to about 1,600 for most, and more for few large ones."""
ANSWER_TOKENS = 32_000
"""Of an answer, for a bound, when neither the request nor the configuration limits it."""
_MESSAGE_TOKENS = 16
_SMALL = 16_384
_MILLION = 10**6


class Tier(NamedTuple):
    """Trillionths of a dollar for a million tokens, when the prompt has more than ``start`` tokens.

    The highest tier that a prompt reaches holds for all of the call's tokens.
    """

    start: int
    input: int
    cache_read: int
    cache_write: int
    cache_write_long: int
    output: int
    reasoning: int


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's tokens cost."""

    version: str
    """Which prices these are, for each entry of the ledger."""
    tiers: tuple[Tier, ...]
    """By their starts; the first one from 0."""
    call: int = 0
    """Trillionths of a dollar for each call."""
    context: int | None = None
    """Tokens of prompt and answer together."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A rate and when it holds: from a day on, or between two times of each day, in UTC."""

    rate: Rate
    since: date | None = None
    start: time_of_day | None = None
    end: time_of_day | None = None

    def holds(self, now: datetime) -> bool:
        if self.since is not None:
            return now.date() >= self.since
        if self.start is None or self.end is None:
            return True
        if self.end < self.start:
            return not self.end <= now.time() < self.start
        return self.start <= now.time() < self.end

    def turns(self, now: datetime) -> Iterator[datetime]:
        """Times after ``now`` at which it may begin or cease to hold."""
        if self.since is not None and self.since > now.date():
            yield datetime.combine(self.since, time_of_day(), UTC)
        for moment in (self.start, self.end):
            if moment is not None:
                today = datetime.combine(now.date(), moment, UTC)
                yield today if today > now else today + timedelta(days=1)


Card = tuple[Change, ...]
"""A model's rates; of those that hold the last one counts, and the first if none does."""


class PriceBook:
    """Rates by ``(provider, model)``. A look-up takes less than a microsecond."""

    def __init__(self, cards: Mapping[tuple[str, str], Card], clock: Callable[[], float] = time.time) -> None:
        self._cards = cards
        self._clock = clock
        self._now: dict[tuple[str, str], tuple[Rate, float]] = {}

    def rate(self, candidate: tuple[str, str]) -> Rate | Unpriced:
        """The rate that holds now."""
        found = self._now.get(candidate)
        if found is not None and self._clock() < found[1]:
            return found[0]
        card = self._cards.get(candidate)
        if card is None:
            return Unpriced("/".join(candidate))
        now = datetime.fromtimestamp(self._clock(), UTC)
        rate = next((change.rate for change in reversed(card) if change.holds(now)), card[0].rate)
        turns = [turn for change in card for turn in change.turns(now)]
        self._now[candidate] = rate, min(turns).timestamp() if turns else float("inf")
        return rate


def cost(usage: Usage, rate: Rate | Unpriced) -> Money | Unpriced:
    """What a call did cost, exact for prices with up to six places, else to the nearest trillionth."""
    if isinstance(rate, Unpriced):
        return rate
    tier = rate.tiers[0]
    if len(rate.tiers) > 1:
        prompt = usage.prompt
        for tier_above in rate.tiers[1:]:
            if prompt > tier_above.start:
                tier = tier_above
    reasoning = min(usage.reasoning, usage.output)
    total = (
        usage.input * tier.input
        + usage.cache_read * tier.cache_read
        + usage.cache_write * tier.cache_write
        + usage.cache_write_long * tier.cache_write_long
        + (usage.output - reasoning) * tier.output
        + reasoning * tier.reasoning
    )
    return money((total + _MILLION // 2) // _MILLION + rate.call)


def bound(prompt: int, answer: int, rate: Rate | Unpriced, *, caches: bool = True) -> Money | Unpriced:
    """The most that a call with so many tokens may cost.

    ``caches`` tells whether the request may write to a cache, which costs more than reading the prompt plainly.
    """
    if isinstance(rate, Unpriced):
        return rate
    read = written = 0
    for tier in rate.tiers:
        if tier.start >= prompt and tier.start > 0:
            break
        plain = max(tier.input, tier.cache_read)
        read = max(read, plain, tier.cache_write, tier.cache_write_long) if caches else max(read, plain)
        written = max(written, tier.output, tier.reasoning)
    return money(-(-(prompt * read + answer * written) // _MILLION) + rate.call)


def upper_bound(request: ChatRequest, rate: Rate | Unpriced, answer_limit: int | None = None) -> Money | Unpriced:
    """The most that a request may cost; ``answer_limit`` is the model's own."""
    answer = answer_tokens(request.max_tokens, answer_limit)
    return bound(prompt_tokens(request), answer, rate)


def answer_tokens(asked: int | None, limit: int | None, answers: int = 1) -> int:
    """Tokens that the answers may have: as asked for, but no more than the model can give."""
    if asked is None:
        asked = ANSWER_TOKENS if limit is None else limit
    elif limit is not None and limit < asked:
        asked = limit
    return asked * answers


def prompt_tokens(request: ChatRequest) -> int:
    """Tokens that a prompt may have, estimated high."""
    parts = sum(_part_tokens(part) for message in request.messages for part in message.parts)
    schemas = [canonical(tool) for tool in request.tools]
    if request.format is not None:
        schemas.append(canonical(request.format))
    texts = sum(len(schema) for schema in schemas) // BYTES_PER_TOKEN
    return parts + texts + _MESSAGE_TOKENS * (len(request.messages) + len(request.tools) + 1)


def body_tokens(body: bytes) -> int:
    """The same for a request that nobody has read: of its JSON, in which pictures and data in base 64 are no text."""
    size = len(body)
    tokens = _MESSAGE_TOKENS + IMAGE_TOKENS * body.count(b'"image')
    # a search takes a microsecond for some kilobytes, so what cannot matter much is not looked for
    if size > _SMALL and b"base64" in body:
        for run in _BASE64.finditer(body):
            length = run.end(1) - run.start(1)
            size -= length
            tokens += _picture_tokens(length)
    return tokens + size // BYTES_PER_TOKEN


def picos_per_million(dollars: Decimal | str | int) -> int:
    """A price of a million tokens in trillionths, to the nearest one."""
    return int((Decimal(dollars) * 10**12).to_integral_value())


_BASE64 = re.compile(
    rb'"(?:url|image_url|data|file_data|bytes)"\s*:\s*"(?:data:[^",]{0,100},)?([A-Za-z0-9+/=\\]{1024,})"'
)
"""Only where the wires have data: what a client writes like that in a text is paid as text. Within a string no quote
stands without a backslash, so that a text cannot look like such a field."""


def _picture_tokens(size: int) -> int:
    # a document has more to say the larger it is
    return IMAGE_TOKENS + size // 64


def _part_tokens(part: Text | Image | Reasoning | ToolCall | ToolResult) -> int:
    match part:
        case Image():
            return _picture_tokens(len(part.data))
        case ToolResult():
            return _MESSAGE_TOKENS + sum(_part_tokens(inner) for inner in part.parts)
        case ToolCall():
            return _MESSAGE_TOKENS + (len(part.name) + _size(part.arguments)) // BYTES_PER_TOKEN
        case Reasoning():
            return (_size(part.text) + len(part.hidden)) // BYTES_PER_TOKEN
        case Text():
            return _size(part.text) // BYTES_PER_TOKEN + 1


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
