"""Reads what the fake provider answers, how fast, and what goes wrong. Knows nothing of connections.

Whatever is wrong in a script is refused with its line. docs/fake-provider.md explains every field.

>>> script = read_script('[[answer]]\\nsays = "weather"\\ntext = "It rains."')
>>> script.answer[0].text
'It rains.'
"""

import enum
import re
import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from karkhana.domain.chat import StopReason
from karkhana.domain.errors import InvalidSetting
from karkhana.routing.configuration import PriceEntry
from karkhana.routing.places import line_of

T = TypeVar("T")
LONGEST = 1_000_000
"""Characters of a script."""
_NEXT = "See docs/fake-provider.md for every field."


class Kind(enum.StrEnum):
    """What goes wrong. The first ten are refusals, in the words of :class:`karkhana.routing.faults.Fault`."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    UNAUTHORISED = "unauthorised"
    QUOTA = "quota"
    UNKNOWN_MODEL = "unknown_model"
    TOO_LONG = "too_long"
    INVALID = "invalid"
    REFUSED = "refused"
    RESET = "reset"
    """The connection is reset before anything is answered."""
    STALL = "stall"
    """Nothing comes for ``stall_s`` seconds."""
    STALL_WITHIN = "stall_within"
    """Half of the answer comes, then nothing for ``stall_s`` seconds."""
    HALF = "half"
    """Half of the answer comes, then the connection is closed."""
    MALFORMED_JSON = "malformed_json"
    WRONG_USAGE = "wrong_usage"
    """The answer says another usage than the account."""
    WRONG_CONTENT_TYPE = "wrong_content_type"
    """A web page with the status 200 comes instead of an answer."""


class Latency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``latency``: how slow an answer is."""

    first_s: float = 0.0
    """Seconds before anything is answered."""
    spread_s: float = 0.0
    """Up to so many seconds more, drawn evenly."""
    piece_s: float = 0.0
    """Seconds between two pieces of a stream."""
    piece_chars: int = 16
    """Characters of a piece."""

    def __post_init__(self) -> None:
        if min(self.first_s, self.spread_s, self.piece_s) < 0:
            raise ValueError("seconds must not be negative")
        if self.piece_chars < 1:
            raise ValueError("piece_chars must be at least 1")


class GivenUsage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``usage``: tokens, each counted once."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_long: int = 0
    output: int = 0
    reasoning: int = 0

    def __post_init__(self) -> None:
        if any(getattr(self, name) < 0 for name in self.__struct_fields__):
            raise ValueError("tokens must not be negative")
        if self.reasoning > self.output:
            raise ValueError("reasoning is part of output and must not be more")


class GivenCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of ``calls``."""

    name: str
    arguments: Mapping[str, Any] | None = None
    """``None``: values that fit the tool's schema."""


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom it is for."""

    model: str = "*"
    """Names of models, with ``*`` and ``?``."""
    says: str = ""
    """A regular expression that is searched in the last text of the user."""
    instructions: str = ""
    """A regular expression that is searched in what the system says."""
    turn: int | None = None
    """Only the so many-th answer of a conversation, from 1."""

    def __post_init__(self) -> None:
        for name in ("says", "instructions"):
            try:
                re.compile(getattr(self, name))
            except re.error as error:
                raise ValueError(f"{name} is no regular expression: {error}") from error
        if self.turn is not None and self.turn < 1:
            raise ValueError("turn must be at least 1")


class AnswerRule(_Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[answer]]``: without text, echo, json and calls it is what the request asks for."""

    text: str | None = None
    echo: bool = False
    """The last text of the user."""
    json: bool = False
    """JSON that fits the asked schema."""
    calls: tuple[GivenCall, ...] = ()
    reasoning: str = ""
    stop: StopReason | None = None
    usage: GivenUsage | None = None
    """``None``: counted."""
    latency: Latency | None = None
    """``None``: that of the script."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.text is not None) + self.echo + self.json > 1:
            raise ValueError("only one of text, echo and json can be given")


class FaultRule(_Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[fault]]``: what goes wrong, and when: one of ``every``, ``at``, ``probability``, ``for_s``."""

    kind: Kind
    key: str = ""
    """Only for requests with this key."""
    every: int | None = None
    """Every so many-th request that the rule is for."""
    at: tuple[int, ...] = ()
    """These requests that the rule is for, from 1."""
    probability: float | None = None
    for_s: float | None = None
    """For so many seconds of every ``every_s`` ..."""
    every_s: float = 60.0
    offset_s: float = 0.0
    """... beginning so many seconds after the start."""
    status: int | None = None
    """Another status than the wire has for it, e.g. 529."""
    retry_after_s: float | None = None
    message: str = ""
    stall_s: float = 3600.0
    usage: GivenUsage | None = None
    """With ``wrong_usage``: what the answer says; otherwise twice the truth and one more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = (self.every is not None, bool(self.at), self.probability is not None, self.for_s is not None)
        if sum(given) != 1:
            raise ValueError("exactly one of every, at, probability and for_s must say when it happens")
        if (self.every is not None and self.every < 1) or any(number < 1 for number in self.at):
            raise ValueError("requests are counted from 1")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError("probability must be from 0 to 1")
        if self.for_s is not None and not 0 < self.for_s <= self.every_s:
            raise ValueError("for_s must be above 0 and at most every_s")
        if self.status is not None and not 400 <= self.status <= 599:
            raise ValueError("status must be from 400 to 599")
        if min(self.stall_s, self.retry_after_s or 0.0, self.offset_s) < 0:
            raise ValueError("seconds must not be negative")


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a script."""

    seed: int = 0
    """Of everything that is drawn."""
    models: tuple[str, ...] = ()
    """What ``/v1/models`` lists; others are then unknown. Empty: every name is a model."""
    keys: tuple[str, ...] = ()
    """Keys that are taken. Empty: every key, and none."""
    charge_unfinished: bool = True
    """Whether an answer that broke off is charged as far as it came, and one that nobody waited for in full."""
    latency: Latency = Latency()
    answer: tuple[AnswerRule, ...] = ()
    """The first that fits is given; without any, each request gets what it asks for."""
    fault: tuple[FaultRule, ...] = ()
    """The first that strikes happens."""
    price: Mapping[str, PriceEntry] = {}


def read_script(text: str, source: str = "script") -> Script:
    """Raises ``InvalidSetting`` with the line of the first mistake."""
    if len(text) > LONGEST:
        raise InvalidSetting(f"{source} has more than {LONGEST} characters", "Shorten the script.")
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidSetting(f"{source}: {error}", "Correct the script; it must be valid TOML.") from error
    prices = tables.get("price")
    for name, entry in prices.items() if isinstance(prices, dict) else ():
        # On their own, because a mistake within a mapping is told without its key.
        _converted(text, source, entry, PriceEntry, ("price", name))
    return _converted(text, source, tables, Script, ())


def _converted(text: str, source: str, value: Any, kind: type[T], prefix: tuple[str | int, ...]) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        path = _path(place.removesuffix("`"))
        unknown = re.search(r"unknown field `(\w+)`", message)
        if unknown is not None:
            path = (*path, unknown[1])
        elif (named := re.match(r"(\w+) ", message)) and named[1] in _at(value, path):
            path = (*path, named[1])
        path = (*prefix, *path)
        where = f"{source}, line {line_of(text, path)}" if path else source
        raise InvalidSetting(f"{where}: {'.'.join(map(str, path))}: {message}", _NEXT) from error


def _path(place: str) -> tuple[str | int, ...]:
    """``.fault[0].kind`` as keys. A ``[...]`` stands for a key that the message does not name."""
    found: list[str | int] = []
    for name, number in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", place):
        if number == "...":
            break
        found.append(name or int(number))
    return tuple(found)


def _at(value: Any, path: tuple[str | int, ...]) -> Mapping[str, Any]:
    for key in path:
        value = value[key]
    return value if isinstance(value, dict) else {}
