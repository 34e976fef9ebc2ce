"""Reads what the gateway and the router may use: providers, models, prices, limits. Knows nothing of requests.

The file (``gateway.toml``) holds names of environment variables, never keys. Whatever is wrong is refused with its
line, before anything starts.

>>> text = '''
... [provider.local]
... wire = "openai"
... base_url = "http://127.0.0.1:8080/v1"
... [model.small]
... candidates = ["local/qwen2.5-coder-1.5b"]
... '''
>>> read_configuration(text, environ={}).models["small"].candidates[0].provider
'local'
"""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec

from karkhana.domain.errors import InvalidSetting
from karkhana.http.messages import Url
from karkhana.routing.places import line_of
from karkhana.routing.policy.settings import IN_ORDER, POLICIES, Capability, PolicySettings, check_labels
from karkhana.routing.settings import CacheSettings, TelemetrySettings
from karkhana.routing.wires.registry import WIRES

T = TypeVar("T")
LONGEST = 1_000_000
"""Characters of the file."""
OTLP_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
TABLES = ("gateway", "provider", "model", "price", "capability", "policy", "cache", "telemetry")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Serving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[gateway]``: where the gateway listens, and what it bears."""

    host: str = "127.0.0.1"
    port: int = 4000
    largest_request_mb: int = 32
    """A longer request is refused before it is read to its end."""
    deadline_s: float = 600.0
    """Seconds of clock that a request may take with all attempts."""
    open: bool = False
    """Serve clients without a key. Only on a loopback address."""
    operators: tuple[str, ...] = ()
    """Identifiers of the virtual keys that may read health and metrics."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError("port must be from 0 to 65535")
        if not 0 < self.deadline_s <= 86_400:
            raise ValueError("deadline_s must be above 0 and at most 86400")
        if not 1 <= self.largest_request_mb <= 1024:
            raise ValueError("largest_request_mb must be from 1 to 1024")
        if self.open and self.host not in LOOPBACK:
            raise ValueError("open = true is only possible on a loopback address")


class ProviderEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[provider.NAME]``: a server that answers for one or more models."""

    wire: str
    """What it speaks; the names are those of the wires."""
    base_url: str
    key_variables: tuple[str, ...] = ()
    """Environment variables that hold keys; several are used in turn."""
    connections: int = 1024

    def __post_init__(self) -> None:
        if self.wire not in WIRES:
            raise ValueError(f"wire must be one of {', '.join(sorted(WIRES))}")
        Url.parse(self.base_url)


class Candidate(NamedTuple):
    """A model at a provider."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[model.NAME]``: what a client asks for, and who may answer."""

    candidates: tuple[str, ...]
    """``PROVIDER/MODEL``, the preferred first."""
    output: int | None = None
    """Tokens of an answer."""
    policy: str = IN_ORDER
    """Who of them is asked first."""
    residency: tuple[str, ...] = ()
    """Labels that whoever answers must fulfil, whatever the client says."""

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError("candidates must name at least one PROVIDER/MODEL")
        for text in self.candidates:
            provider, slash, model = text.partition("/")
            if not (provider and slash and model):
                raise ValueError(f"in candidates {text!r} must be written PROVIDER/MODEL")
        if self.policy not in POLICIES:
            raise ValueError(f"policy must be one of {', '.join(POLICIES)}")
        check_labels("residency", self.residency)


class PriceEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[price."PROVIDER/MODEL"]``: US dollars for a million tokens, written as text so that nothing is rounded."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_long: Decimal | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value >= 0):
                raise ValueError(f"{name} must be a number that is not negative")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model entry with its candidates resolved."""

    entry: ModelEntry
    candidates: tuple[Candidate, ...]


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """All of the file, checked."""

    serving: Serving
    providers: Mapping[str, ProviderEntry]
    keys: Mapping[str, tuple[str, ...]]
    """Provider → its secrets. Never printed."""
    models: Mapping[str, Model]
    prices: Mapping[str, PriceEntry]
    cache: CacheSettings = CacheSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    capabilities: Mapping[str, Capability] = {}
    """``PROVIDER/MODEL`` → what it can do."""
    policy: PolicySettings = PolicySettings()

    def __repr__(self) -> str:
        return f"Configuration(providers={sorted(self.providers)}, models={sorted(self.models)})"


def read_configuration(text: str, *, environ: Mapping[str, str], source: str = "gateway.toml") -> Configuration:
    """Raises ``InvalidSetting`` with the line of the first mistake."""
    reader = _Reader(text, source)
    serving = reader.convert(("gateway",), reader.tables.get("gateway", {}), Serving)
    providers = reader.each("provider", ProviderEntry)
    models = reader.each("model", ModelEntry)
    prices = reader.each("price", PriceEntry)
    for name in reader.tables:
        if name not in TABLES:
            raise reader.wrong((name,), "is no part of this file", f"It may have {', '.join(TABLES)}.")
    if not providers:
        raise reader.wrong((), "no provider is named", "Add a [provider.NAME] with wire and base_url.")
    return Configuration(
        serving=serving,
        providers=providers,
        keys={name: _keys(reader, name, entry, environ) for name, entry in providers.items()},
        models={name: _model(reader, name, entry, providers) for name, entry in models.items()},
        prices=prices,
        cache=reader.convert(("cache",), reader.tables.get("cache", {}), CacheSettings),
        telemetry=_telemetry(reader, environ),
        capabilities=_capabilities(reader, providers),
        policy=reader.convert(("policy",), reader.tables.get("policy", {}), PolicySettings),
    )


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self._text, self._source = text, source
        if len(text) > LONGEST:
            raise InvalidSetting(f"{source} has more than {LONGEST} characters", "Shorten it to the settings.")
        try:
            self.tables: dict[str, Any] = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InvalidSetting(f"{source}: {error}", "Correct the file; it must be valid TOML.") from error

    def each(self, table: str, kind: type[T]) -> dict[str, T]:
        entries = self.tables.get(table, {})
        if not isinstance(entries, dict):
            raise self.wrong((table,), "must be a table", f"Write [{table}.NAME].")
        return {name: self.convert((table, name), value, kind) for name, value in entries.items()}

    def convert(self, path: tuple[str, ...], value: Any, kind: type[T]) -> T:
        try:
            return msgspec.convert(value, kind)
        except (msgspec.ValidationError, ValueError) as error:
            words = set(re.findall(r"\w+", str(error)))
            field = next((name for name in value if name in words), None) if isinstance(value, dict) else None
            place = path if field is None else (*path, field)
            raise self.wrong(place, f"is wrong: {error}", "See docs/gateway.md for all settings.") from error

    def wrong(self, path: tuple[str | int, ...], message: str, next_step: str) -> InvalidSetting:
        where = f"{self._source}, line {line_of(self._text, path)}" if path else self._source
        return InvalidSetting(f"{where}: {'.'.join(map(str, path))} {message}".rstrip(), next_step)


def _telemetry(reader: _Reader, environ: Mapping[str, str]) -> TelemetrySettings:
    found = reader.convert(("telemetry",), reader.tables.get("telemetry", {}), TelemetrySettings)
    elsewhere = environ.get(OTLP_VARIABLE, "")
    if found.otlp or not elsewhere:
        return found
    try:
        return TelemetrySettings(otlp=elsewhere)
    except ValueError as error:
        raise InvalidSetting(f"{OTLP_VARIABLE} is wrong: {error}", "Correct it, or take it out.") from error


def _keys(reader: _Reader, name: str, entry: ProviderEntry, environ: Mapping[str, str]) -> tuple[str, ...]:
    for number, variable in enumerate(entry.key_variables):
        if not environ.get(variable):
            path = ("provider", name, "key_variables", number)
            raise reader.wrong(
                path, f"({variable}) is not set in the environment", f"Export {variable}, or take it out."
            )
    return tuple(environ[variable] for variable in entry.key_variables)


def _capabilities(reader: _Reader, providers: Mapping[str, ProviderEntry]) -> Mapping[str, Capability]:
    found = reader.each("capability", Capability)
    for name in found:
        provider, slash, model = name.partition("/")
        if provider not in providers or not (slash and model):
            known = ", ".join(sorted(providers))
            raise reader.wrong(
                ("capability", name), "must be named PROVIDER/MODEL", f"Put it into quotes. Providers: {known}."
            )
    return found


def _model(reader: _Reader, name: str, entry: ModelEntry, providers: Mapping[str, ProviderEntry]) -> Model:
    candidates = [Candidate(*text.split("/", 1)) for text in entry.candidates]
    for number, candidate in enumerate(candidates):
        if candidate.provider not in providers:
            known = ", ".join(sorted(providers))
            path = ("model", name, "candidates", number)
            raise reader.wrong(
                path, f"names the provider {candidate.provider!r}, which is not there", f"Providers: {known}."
            )
    return Model(entry=entry, candidates=tuple(candidates))
