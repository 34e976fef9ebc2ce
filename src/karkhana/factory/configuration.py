"""Reads the settings: flags > environment > repository > user > defaults.

Knows where settings come from; what they mean is documented in :mod:`karkhana.domain.settings`. The
repository's file is passed in as text, because it is read from the base commit and never from a work tree that
an engineer or a change could have touched.

>>> load_settings({}, environ={"KARKHANA_HOME": "/tmp/k", "KARKHANA_SANDBOX_MEMORY_MB": "512"}).sandbox.memory_mb
512
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from karkhana.domain.autonomy import lowest_of
from karkhana.domain.errors import InvalidSetting
from karkhana.domain.settings import Settings

PREFIX = "KARKHANA_"
REPOSITORY_FILE = "karkhana.toml"

REPOSITORY_KEYS = frozenset({"test_command", "environment", "budget", "policy"})
"""What a repository may say about itself; budget and policy only to tighten them. The rest belongs to whoever runs
the factory."""

_LONGEST = 1_000_000
"""Characters of a file of settings; the parser takes seconds for each million."""

_TABLES = {
    field.name: {inner.name for inner in msgspec.structs.fields(field.type)}
    for field in msgspec.structs.fields(Settings)
    if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
}
_LISTS = frozenset({"protected_paths", "skip", "scopes", "proxies", "private_networks"})
"""Settings of tables that the environment gives as a list, separated by commas."""
_SCALARS = {field.name for field in msgspec.structs.fields(Settings)} - _TABLES.keys()


def load_settings(
    flags: Mapping[str, Any],
    *,
    environ: Mapping[str, str] = os.environ,
    repository_text: str | None = None,
) -> Settings:
    """Merge all sources into one frozen object.

    ``flags`` is nested like the TOML file; ``repository_text`` is ``karkhana.toml`` of the base commit.
    Raises ``InvalidSetting`` naming the source and the key.
    """
    home = Path(environ.get(PREFIX + "HOME") or platformdirs.user_data_dir("karkhana"))
    file = user_file()
    merged: dict[str, Any] = {"home": str(home)}
    if file.is_file():
        _merge(merged, _parse(file.read_text(), str(file)), str(file))
    if repository_text is not None:
        stated = _only_repository_keys(_parse(repository_text, REPOSITORY_FILE))
        allowed = _convert(merged, "the user's settings")
        _merge(merged, stated, REPOSITORY_FILE)
        merged |= _tightened(_convert(merged, REPOSITORY_FILE), allowed)
    _merge(merged, _from_environment(environ), "the environment")
    _merge(merged, dict(flags), "the command line")
    return _convert(merged, "the merged settings")


def user_file() -> Path:
    """The settings of whoever runs the factory."""
    return Path(platformdirs.user_config_dir("karkhana")) / "config.toml"


def secrets_key(settings: Settings) -> Path:
    """Where the key of sealed secrets lies: never beside the database, which a backup takes."""
    return settings.secrets_key_file or Path(platformdirs.user_config_dir("karkhana")) / "secrets.key"


def _parse(text: str, source: str) -> dict[str, Any]:
    if len(text) > _LONGEST:
        raise InvalidSetting(f"{source} has more than {_LONGEST} characters", "Shorten it to the settings.")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidSetting(f"{source}: {error}", "Correct the file; it must be valid TOML.") from error


def _only_repository_keys(values: dict[str, Any]) -> dict[str, Any]:
    foreign = sorted(values.keys() - REPOSITORY_KEYS)
    if foreign:
        raise InvalidSetting(
            f"{REPOSITORY_FILE}: a repository may not set {', '.join(foreign)}",
            f"Move it to the user's config.toml. Allowed here: {', '.join(sorted(REPOSITORY_KEYS))}.",
        )
    python = values.get("environment", {})
    if isinstance(python, Mapping) and "python" in python:
        # The host asks that program for its version: a repository may not name programs for the host to run.
        raise InvalidSetting(
            f"{REPOSITORY_FILE}: a repository may not set environment.python",
            "Set it in the user's config.toml or as KARKHANA_ENVIRONMENT_PYTHON.",
        )
    return values


def _tightened(stated: Settings, allowed: Settings) -> dict[str, Any]:
    """Policy and budget as a repository may have them: as strict as whoever runs the factory, or stricter."""
    budget = {
        name: min(getattr(stated.budget, name), getattr(allowed.budget, name))
        for name in stated.budget.__struct_fields__
    }
    mine, theirs = allowed.policy, stated.policy
    policy = {
        "deploy_above": max(theirs.deploy_above, mine.deploy_above),
        "canary_from": max(theirs.canary_from, mine.canary_from),
        "autonomy": lowest_of(theirs.autonomy, mine.autonomy),
        "autonomy_limit": lowest_of(theirs.autonomy_limit, mine.autonomy_limit),
        "audit_share": max(theirs.audit_share, mine.audit_share),
        # Whoever chooses the salt could choose what is audited.
        "audit_salt": mine.audit_salt,
        "protected_paths": tuple(dict.fromkeys((*mine.protected_paths, *theirs.protected_paths))),
        "four_eyes": theirs.four_eyes or mine.four_eyes,
        "veto_s": max(theirs.veto_s, mine.veto_s),
        # 0 is the longest: for good.
        "approval_days": min(filter(None, (theirs.approval_days, mine.approval_days)), default=0.0),
    }
    return {"budget": budget, "policy": policy}


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name == PREFIX + "HOME" or not text:
            continue
        key = name.removeprefix(PREFIX).lower()
        if key in _SCALARS:
            values[key] = text.split(",") if key == "secret_variables" else text
            continue
        table = next((t for t in _TABLES if key.startswith(t + "_")), None)
        if table is None or key.removeprefix(table + "_") not in _TABLES[table]:
            raise InvalidSetting(f"{name} is no setting of Karkhana", "See docs/configuration.md for all settings.")
        inner = key.removeprefix(table + "_")
        values.setdefault(table, {})[inner] = _listed(text) if inner in _LISTS else text
    return values


def _merge(into: dict[str, Any], values: Mapping[str, Any], source: str) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            into[key] = {**into.get(key, {}), **{k: v for k, v in value.items() if v is not None}}
        elif value is not None:
            into[key] = value
    _convert(into, source)


def _convert(values: Mapping[str, Any], source: str) -> Settings:
    try:
        return msgspec.convert(values, type=Settings, strict=False, dec_hook=_path)
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidSetting(f"{source}: {error}", "See docs/configuration.md for all settings.") from error


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise TypeError(f"{value!r} is no {kind.__name__}")
