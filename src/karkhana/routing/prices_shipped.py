"""Prices from the data that ships inside genai-prices, without a network, and those of the configuration over them.

Importing that data takes a second and 100 MB, which a gateway shall not keep: a short-lived process of its own looks
up the models that are configured, and a file remembers what it found for this version of the package. Knows nothing
of what is done with prices.
"""

import contextlib
import hashlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from karkhana.domain.errors import InfrastructureFailure
from karkhana.domain.json import canonical
from karkhana.routing.configuration import Configuration, PriceEntry
from karkhana.routing.prices import Card, Change, PriceBook, Rate, Tier, picos_per_million

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

PACKAGE = "genai-prices"
TIMEOUT_S = 60.0
_CLASSES = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "output_mtok")


class Wanted(msgspec.Struct, frozen=True):
    """A model at the server that is asked for it."""

    base_url: str
    model: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The cards of what was wanted, in its order; ``None``: not known."""

    package: str
    """The version of genai-prices."""
    wanted: tuple[Wanted, ...]
    cards: tuple[Card | None, ...]


def price_book(configuration: Configuration, cache: Path | None = None) -> PriceBook:
    """The prices of all candidates. Blocks for some seconds when ``cache``, a file, does not know all of them.

    Raises ``InfrastructureFailure`` if the process that reads the prices breaks.
    """
    candidates = dict.fromkeys(c for model in configuration.models.values() for c in model.candidates)
    cards: dict[tuple[str, str], Card] = {}
    wanted: dict[tuple[str, str], Wanted] = {}
    for candidate in candidates:
        entry = configuration.prices.get(str(candidate))
        if entry is not None:
            cards[candidate] = (Change(rate=configured(entry)),)
        else:
            wanted[candidate] = Wanted(configuration.providers[candidate.provider].base_url, candidate.model)
    if wanted:
        found = shipped(tuple(wanted.values()), cache)
        cards |= {name: card for name, card in zip(wanted, found.cards, strict=True) if card is not None}
    return PriceBook(cards)


def configured(entry: PriceEntry) -> Rate:
    """The rate of a price in the configuration. What reading or writing a cache costs is the input's price if it is
    not given, and for an hour that for minutes.
    """
    prices = [entry.input, entry.cache_read, entry.cache_write, entry.cache_write_long, entry.output]
    version = "configuration " + hashlib.sha256(canonical(entry)).hexdigest()[:12]
    return Rate(version=version, tiers=(_tier(0, prices, None),))


def shipped(wanted: tuple[Wanted, ...], cache: Path | None = None) -> Found:
    """What genai-prices knows of ``wanted``, read by another process unless ``cache`` has it."""
    package = importlib.metadata.version(PACKAGE)
    found = None if cache is None else _cached(cache)
    if found is not None and found.package == package and found.wanted == wanted:
        return found
    command = [sys.executable, "-m", __name__]
    try:
        run = subprocess.run(
            command, input=msgspec.json.encode(wanted), capture_output=True, timeout=TIMEOUT_S, check=True
        )
        found = msgspec.json.decode(run.stdout, type=Found)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise InfrastructureFailure(
            f"the prices in {PACKAGE} cannot be read: {error}", "try again, or give all prices in the configuration"
        ) from error
    if cache is not None:
        # a folder that cannot be written costs the next start a second
        with contextlib.suppress(OSError):
            cache.write_bytes(msgspec.json.encode(found))
    return found


def looked_up(wanted: Sequence[Wanted]) -> Found:
    """The same in this process."""
    # 100 MB, which only the process that ends soon may take
    import genai_prices.data
    from genai_prices.data_snapshot import get_snapshot

    data = Path(genai_prices.data.__file__).read_bytes()
    package = importlib.metadata.version(PACKAGE)
    version = f"{PACKAGE} {package} {hashlib.sha256(data).hexdigest()[:12]}"
    cards: list[Card | None] = []
    for each in wanted:
        try:
            _, model = get_snapshot().find_provider_model(each.model, None, None, each.base_url)
        except LookupError:
            cards.append(None)
        else:
            cards.append(card(model, version))
    return Found(package=package, wanted=tuple(wanted), cards=tuple(cards))


def card(model: "ModelInfo", version: str) -> Card | None:
    """A model's rates; ``None`` if its tokens have no price."""
    changes = []
    for price, constraint in _conditional(model):
        rate = _rate(price, version, model.context_window)
        if rate is None:
            return None
        changes.append(
            Change(
                rate=rate,
                since=_field(constraint, "start_date"),
                start=_utc(_field(constraint, "start_time")),
                end=_utc(_field(constraint, "end_time")),
            )
        )
    return tuple(changes)


def _conditional(model: "ModelInfo") -> list[tuple["ModelPrice", Any]]:
    if isinstance(model.prices, list):
        return [(each.prices, each.constraint) for each in model.prices]
    return [(model.prices, None)]


def _rate(price: "ModelPrice", version: str, context: int | None) -> Rate | None:
    by_class: Mapping[str, Any] = price.__dict__
    if by_class.get("input_mtok") is None or by_class.get("output_mtok") is None:
        return None
    names = (*_CLASSES, "output_reasoning_mtok")
    starts = {0, *(tier.start for name in names for tier in _tiers(by_class.get(name)))}
    tiers = []
    for start in sorted(starts):
        *prices, reasoning = [_at(by_class.get(name), start) for name in names]
        tiers.append(_tier(start, prices, reasoning))
    call = by_class.get("requests_kcount")
    # of a thousand calls
    per_call = 0 if call is None else picos_per_million(call) // 1000
    return Rate(version=version, tiers=tuple(tiers), call=per_call, context=context)


def _tier(start: int, prices: Sequence[Decimal | None], reasoning: Decimal | None) -> Tier:
    plain, read, write, write_long, output = prices
    assert plain is not None
    assert output is not None
    write = plain if write is None else write
    in_order = (
        plain,
        plain if read is None else read,
        write,
        write if write_long is None else write_long,
        output,
        output if reasoning is None else reasoning,
    )
    return Tier(start, *map(picos_per_million, in_order))


def _tiers(price: Any) -> Iterable[Any]:
    return getattr(price, "tiers", ())


def _at(price: Any, start: int) -> Decimal | None:
    if price is None or isinstance(price, Decimal):
        return price
    found: Decimal = price.base
    for tier in price.tiers:
        if tier.start <= start and start > 0:
            found = tier.price
    return found


def _field(constraint: Any, name: str) -> Any:
    return getattr(constraint, name, None)


def _utc(moment: time_of_day | None) -> time_of_day | None:
    if moment is None or moment.tzinfo is None:
        return moment
    return datetime.combine(date(1970, 1, 1), moment).astimezone(UTC).time()


def _cached(cache: Path) -> Found | None:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=Found)
    except (OSError, msgspec.MsgspecError):
        # not there yet, or of another version
        return None


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(looked_up(msgspec.json.decode(sys.stdin.buffer.read(), type=list[Wanted])))
    )
